"""Every read verb held against every outcome: each exit code is the one that `sluice --help` says."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from devcluster.fixture import create_namespace
from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.cli.answers import ANSWERS
from sluice.cli.exit_codes import MEANINGS, ExitCode
from tests.cli.conftest import Ran, Sluice
from tests.operator_fixture import Bench, Sync, condition, config_map, deployment, poll

pytestmark = pytest.mark.cluster
DONE, NO, USAGE, FAILED = ExitCode.DONE, ExitCode.NO, ExitCode.USAGE, ExitCode.FAILED
FORBIDDEN, UNREACHABLE, NOT_FOUND = ExitCode.NOT_PERMITTED, ExitCode.UNREACHABLE, ExitCode.NOT_FOUND


@dataclass(frozen=True)
class Row:
    """The words of a verb when all is well, for what is not there, and for what is not ready; the last may be nothing.

    Capitals stand for names and folders. The codes of the three follow; those of the ways to the cluster are the same
    for all verbs that ask it.
    """

    well: str
    missing: str
    ill: str
    codes: tuple[ExitCode, ExitCode, ExitCode] = (DONE, NOT_FOUND, DONE)
    no_kubeconfig: ExitCode = FORBIDDEN
    no_answer: ExitCode = UNREACHABLE
    no_rights: ExitCode = FORBIDDEN


LOOSE = "-n SHOP --registry-allow-loopback --registry-insecure-host 127.0.0.1 -w"
MATRIX: dict[str, Row] = {
    # It says how things are: what is failing is a no.
    "status": Row("status NAME", "status nobody", "status ILL", (DONE, NOT_FOUND, NO)),
    "why": Row("why NAME --no-git", "why nobody --no-git", "why ILL --no-git", (DONE, NOT_FOUND, NO)),
    # They show what is there, whatever it is like.
    "get": Row("get ks NAME", "get ks nobody", "get ks ILL"),
    "tree": Row("tree NAME --no-git", "tree nobody --no-git", "tree ILL --no-git"),
    "trace": Row(
        "trace cm/a -n TARGET --no-git", "trace cm/no -n TARGET --no-git", "trace cm/a -n ILL_TARGET --no-git"
    ),
    "events": Row("events NAME", "events nobody", "events ILL"),
    "history": Row("history NAME", "history nobody", "history ILL"),
    "export": Row("export ks NAME", "export ks nobody", "export ks ILL"),
    "images": Row(f"images {LOOSE} deploy/web", f"images {LOOSE} deploy/nobody", f"images {LOOSE} deploy/ill"),
    # A revision that would be refused has no plan.
    "plan": Row(
        "plan NAME --git-allow-loopback",
        "plan nobody --git-allow-loopback",
        "plan ILL --git-allow-loopback",
        (DONE, NOT_FOUND, FAILED),
    ),
    "diff": Row(
        "diff NAME --git-allow-loopback",
        "diff nobody --git-allow-loopback",
        "diff ILL --git-allow-loopback",
        (DONE, NOT_FOUND, FAILED),
    ),
    "check": Row("check", "", "check", (DONE, DONE, NO)),
    # A bundle of what could be read is worth having: what could not is written down in it.
    "debug": Row("debug --bundle NEW", "", "debug --bundle NEW", no_answer=DONE, no_rights=DONE),
    "version": Row("version --server", "", ""),
    # Neither asks a cluster. What is no code is a word that can't be used; a folder that is absent is no object.
    "explain": Row("explain E204", "explain E999", "", (DONE, USAGE, DONE), DONE, DONE, DONE),
    "validate": Row("validate FOLDER", "validate absent", "validate ILL_FOLDER", (DONE, FAILED, NO), DONE, DONE, DONE),
}


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
    well = bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")}, wait=True)
    ill = bench.synced({"a.yaml": config_map("a")})
    ill.wait_failed(ill.push({"a.yaml": config_map("a"), "b.yaml": "a: b: c\n"}))
    shop = _shop(bench, registry)
    words = {"NAME": well.name, "TARGET": well.target, "FOLDER": str(well.repo.path), "SHOP": shop}
    words |= {"ILL": ill.name, "ILL_TARGET": ill.target, "ILL_FOLDER": str(ill.repo.path)}
    nowhere = _kubeconfig(root / "nowhere", {"server": "https://127.0.0.1:1"}, "")
    return Place(words, _stranger(bench, shop, root), nowhere)


def _shop(bench: Bench, registry: Registry) -> str:
    name = f"shop-{secrets.token_hex(4)}"
    create_namespace(bench.cluster, name)
    registry.push(name, "1.0.0", make_image())
    image = f"{registry.image(name)}:1.0.0"
    starved = deployment("ill", image).replace('"}\n', '", resources: {requests: {cpu: "9000"}}}\n')
    for text in (deployment("web", image), starved):
        bench.cluster.kubectl("apply", "-f", "-", stdin=text.replace("$NS", name))
    return name


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


@pytest.mark.parametrize("verb", MATRIX)
def test_a_read_verb_exits_with_the_documented_code_whatever_it_meets(
    cli: Sluice,
    place: Place,
    broken_source: Callable[[], None],
    tmp_path: Path,
    verb: str,
) -> None:
    row = MATRIX[verb]
    met: dict[str, tuple[ExitCode, Ran]] = {}

    def ask(outcome: str, line: str, wanted: ExitCode, *more: str, **environment: str) -> None:
        if line:
            names = {**place.words, "NEW": str(tmp_path / f"{outcome}.tar.gz")}
            met[outcome] = wanted, cli(*(names.get(word, word) for word in line.split()), *more, **environment)

    ask("well", row.well, row.codes[0])
    ask("not found", row.missing, row.codes[1])
    ask("a wrong flag", row.well, USAGE, "--nothing")
    ask("no kubeconfig", row.well, row.no_kubeconfig, KUBECONFIG=str(tmp_path / "absent"))
    ask("no answer", row.well, row.no_answer, KUBECONFIG=str(place.nowhere))
    ask("no rights", row.well, row.no_rights, KUBECONFIG=str(place.stranger))
    if verb == "check":
        broken_source()
    ask("not ready", row.ill, row.codes[2])
    assert {outcome: ran.code for outcome, (_, ran) in met.items()} == {
        outcome: wanted for outcome, (wanted, _) in met.items()
    }, {outcome: ran.err for outcome, (_, ran) in met.items()}
    # What is no answer is a problem with its code, and nothing that a program would take for one.
    assert all("error[E" in ran.err for wanted, ran in met.values() if wanted not in {DONE, NO})
    assert not met["a wrong flag"][1].out


def test_every_read_verb_is_in_the_matrix() -> None:
    assert set(MATRIX) == set(ANSWERS)


def test_a_verb_has_no_line_only_where_it_can_not_meet_the_outcome() -> None:
    nothing_is_named = {verb for verb, row in MATRIX.items() if not row.missing}
    nothing_is_judged = {verb for verb, row in MATRIX.items() if not row.ill}
    assert (nothing_is_named, nothing_is_judged) == ({"check", "debug", "version"}, {"version", "explain"})


def test_every_code_of_the_matrix_is_one_that_help_explains() -> None:
    used = {code for row in MATRIX.values() for code in (*row.codes, row.no_kubeconfig, row.no_answer, row.no_rights)}
    assert used <= set(MEANINGS)
