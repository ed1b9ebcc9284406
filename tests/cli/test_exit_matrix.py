"""Every verb held against every outcome: each exit code is the one that `sluice --help` says."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devcluster.fixture import create_namespace
from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.api.kinds import POD_LABELS
from sluice.cli.exit_codes import MEANINGS, ExitCode
from sluice.cli.main import root
from tests.cli.conftest import Ran, Sluice
from tests.cli.exit_matrix import DONE, ELSEWHERE, MATRIX, NO, USAGE
from tests.kubelet_logs import KubeletLogs
from tests.operator_fixture import Bench, Sync, condition, config_map, deployment, poll
from tests.registry_bench import bench

__all__ = ["bench"]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]  # a verb is started nine times


@dataclass(frozen=True)
class Place:
    """What the words of the matrix speak of, and whom they are said by."""

    words: Mapping[str, str]
    stranger: Path
    nowhere: Path


@pytest.fixture(scope="module")
def place(bench: Bench, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An app that is well, one whose head is refused, a namespace with images; somebody who may do nothing."""
    root = tmp_path_factory.mktemp("place")
    shop, image = _shop(bench, registry)
    _lead_as_flux(bench, shop)
    files: dict[str, str | None] = {"a.yaml": config_map("a"), "web.yaml": deployment("web", f"{image}:1.0.0")}
    well = bench.synced(files, wait=True)
    ill = bench.synced(files)
    ill.wait_failed(ill.push({"web.yaml": "a: b: c\n"}))
    words = {"NAME": well.name, "TARGET": well.target, "FOLDER": str(well.repo.path), "SHOP": shop}
    words |= {"ILL": ill.name, "ILL_TARGET": ill.target, "ILL_FOLDER": str(ill.repo.path)}
    words |= {"IMAGE": image, "MADE": f"{well.name}-made", "URL": bench.git.url(well.name)}
    words |= _others(bench, image)
    nowhere = _kubeconfig(root / "nowhere", {"server": "https://127.0.0.1:1"}, "")
    return Place(words, _stranger(bench, shop, root), nowhere)


def _others(bench: Bench, image: str) -> dict[str, str]:
    """Apps that are suspended, at their second revision, locked, and held by a finalizer of somebody else."""
    paused, held = (bench.synced({"a.yaml": config_map("a")}) for _ in range(2))
    paused.edit(suspend=True)
    bench.api.patch(held.path, {"metadata": {"finalizers": ["finalizers.fluxcd.io", "example.com/held"]}})
    rewound = bench.synced({"a.yaml": config_map("a")})
    first = rewound.status["lastAppliedRevision"]
    rewound.wait_ready(rewound.push({"a.yaml": config_map("a", "2")}))
    locked = deployment("web", f"{image}:1.0.0").replace(
        "name: web,", 'name: web, annotations: {fluxcd.io/locked: "true"},', 1
    )
    assert "locked" in locked
    names = {"PAUSED": paused.name, "REWOUND": rewound.name, "FIRST": first, "HELD": held.name}
    return names | {"LOCKED_TARGET": bench.synced({"web.yaml": locked}).target}


def _shop(bench: Bench, registry: Registry) -> tuple[str, str]:
    """A namespace with workloads of nobody's, and the name of their image."""
    name = f"shop-{secrets.token_hex(4)}"
    create_namespace(bench.cluster, name)
    for tag in ("1.0.0", "1.1.0"):
        registry.push(name, tag, make_image())
    image = registry.image(name)
    starved = deployment("ill", f"{image}:1.0.0").replace('"}\n', '", resources: {requests: {cpu: "9000"}}}\n')
    for text in (deployment("web", f"{image}:1.0.0"), starved):
        bench.cluster.kubectl("apply", "-f", "-", stdin=text.replace("$NS", name))
    return name, image


def _lead_as_flux(bench: Bench, namespace: str) -> None:
    """Somebody holds the lease of one of Flux's controllers."""
    spec = {"holderIdentity": "flux", "leaseDurationSeconds": 3600, "renewTime": f"{datetime.now(UTC):%FT%T.%fZ}"}
    meta = {"name": "kustomize-controller-leader-election"}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}
    bench.api.create(f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", lease)


def _stranger(bench: Bench, namespace: str, root: Path) -> Path:
    """The kubeconfig of an account to which no role is bound."""
    account = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    token = bench.api.create(account, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
    cluster = {"server": bench.cluster.server, "certificate-authority": str(bench.cluster.ca)}
    return _kubeconfig(root / "stranger", cluster, token["status"]["token"])


def _kubeconfig(path: Path, cluster: Mapping[str, str], token: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    path.write_text(json.dumps(config))
    return path


@pytest.fixture
def broken_source(bench: Bench) -> Iterator[Callable[[], None]]:
    """Makes a source that can't be fetched, for the rest of the test: the others' are well."""
    made: list[Sync] = []

    def make() -> None:
        source = bench.source()
        source.commit({"a.yaml": config_map("a")})
        source.create_source(ref={"branch": "mian"})
        made.append(source)
        poll(
            "it has failed",
            lambda: condition(bench.api.get(source.source_path) or {}, "Ready").get("status") == "False",
        )

    yield make
    for source in made:
        bench.api.delete(source.source_path)


@pytest.fixture
def operator_pod(bench: Bench, tmp_path: Path) -> Iterator[None]:
    """A pod of the operator, whose log can be read."""
    name = f"sluice-{secrets.token_hex(3)}"
    with KubeletLogs(bench.api, tmp_path, f"node-{name}") as node:
        node.pod(bench.namespace, name, {"manager": []}, **POD_LABELS)
        yield
        bench.api.delete(f"/api/v1/namespaces/{bench.namespace}/pods/{name}?gracePeriodSeconds=0")


@pytest.mark.parametrize("verb", MATRIX)
def test_a_verb_exits_with_the_documented_code_whatever_it_meets(
    cli: Sluice,
    place: Place,
    broken_source: Callable[[], None],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    verb: str,
) -> None:
    row = MATRIX[verb]
    if verb == "logs":
        request.getfixturevalue("operator_pod")
    met: dict[str, tuple[ExitCode, Ran]] = {}

    def ask(outcome: str, line: str, wanted: ExitCode, *more: str, **environment: str) -> None:
        if line:
            names = {**place.words, "NEW": str(tmp_path / f"{outcome}.tar.gz")}
            words = [":".join(names.get(part, part) for part in word.split(":")) for word in line.split()]
            met[outcome] = wanted, cli(*words, *more, **environment)

    ask("well", row.well, row.codes[0])
    ask("not found", row.missing, row.codes[1])
    ask("a wrong flag", row.well, USAGE, "--nothing")
    ask("no kubeconfig", row.well, row.no_kubeconfig, KUBECONFIG=str(tmp_path / "absent"))
    ask("no answer", row.well, row.no_answer, KUBECONFIG=str(place.nowhere))
    ask("no rights", row.well, row.no_rights, KUBECONFIG=str(place.stranger))
    if verb == "check":
        broken_source()
    ask("not ready", row.ill, row.codes[2])
    ask("forbidden by somebody", row.no, NO)
    ask("not in time", row.late, ExitCode.TIMED_OUT)
    assert {outcome: ran.code for outcome, (_, ran) in met.items()} == {
        outcome: wanted for outcome, (wanted, _) in met.items()
    }, {outcome: ran.err for outcome, (_, ran) in met.items()}
    # What is no answer is a problem with its code, and nothing that a program would take for one.
    assert all("error[E" in ran.err for wanted, ran in met.values() if wanted not in {DONE, NO})
    assert not met["a wrong flag"][1].out
    # Whatever happens, a pipe gets no escape codes.
    assert [outcome for outcome, (_, ran) in met.items() if "\x1b" in ran.out + ran.err] == []


def test_every_verb_is_in_the_matrix_or_said_to_be_held_elsewhere() -> None:
    verbs = set(root.list_commands(root.make_context("sluice", ["version"], resilient_parsing=True)))
    assert verbs == {*MATRIX, *ELSEWHERE}
    assert all((Path(__file__).parents[2] / path).exists() for path in ELSEWHERE.values())


def test_a_verb_has_no_line_only_where_it_can_not_meet_the_outcome() -> None:
    nothing_is_named = {verb for verb, row in MATRIX.items() if not row.missing}
    nothing_is_judged = {verb for verb, row in MATRIX.items() if not row.ill}
    assert nothing_is_named == {"check", "debug", "version", "create", "install", "uninstall"}
    assert nothing_is_judged == {"version", "explain", "completion", "logs", "suspend", "delete", "uninstall"}


def test_every_code_is_met_and_is_one_that_help_explains() -> None:
    used = {code for row in MATRIX.values() for code in (*row.codes, row.no_kubeconfig, row.no_answer, row.no_rights)}
    used |= {NO for row in MATRIX.values() if row.no} | {ExitCode.TIMED_OUT for row in MATRIX.values() if row.late}
    assert used | {USAGE, ExitCode.INTERRUPTED} == set(MEANINGS)
