"""Releases and policies without a checkout: what the verbs show before, ask for, print after, and how they exit."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from devcluster.registry import Registry
from tests.cli.conftest import Sluice
from tests.operator_fixture import Bench
from tests.registry_bench import bench
from tests.update_asking import REQUEST, WEB, Asking

__all__ = ["bench"]

pytestmark = pytest.mark.cluster


@pytest.fixture
def asking(bench: Bench, registry: Registry) -> Asking:
    return Asking.begin(bench, registry, "1.1.0", "1.2.0")


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_release_shows_what_it_changes_commits_it_and_follows_the_rollout(cli: Sluice, asking: Asking) -> None:
    ran = cli("release", "-w", asking.web, "--all-images", "--watch", "-m", "as agreed", "--timeout", "60s")
    assert ran.code == 0, ran.err
    old, new = f"{asking.image}:1.0.0", f"{asking.image}:1.2.0"
    commit = asking.git("rev-parse", "main").strip()
    assert lines(ran.out) == [
        ["WORKLOAD", "STATUS", "UPDATES", "FILE"],
        [asking.web, "success", "main:", old, "->", new, "web.yaml:16"],
        ["Commit", "pushed:", commit[:7]],
        ["WORKLOAD", "CONTAINER", "IMAGE", "RELEASE", "REPLICAS"],
        [asking.web, "main", new, "ready", "1/1"],
    ]
    assert asking.git("log", "-1", "--format=%s", "main").strip() == "as agreed"


def test_a_dry_run_writes_nothing(cli: Sluice, asking: Asking) -> None:
    commits = asking.commits()
    ran = cli("release", "-w", asking.web, "--image", f"{asking.image}:1.1.0", "--dry-run")
    assert ran.code == 0
    assert "-> " + f"{asking.image}:1.1.0" in ran.out
    assert "nothing is written" in ran.err
    assert asking.commits() == commits


def test_a_program_reads_what_was_done(cli: Sluice, asking: Asking) -> None:
    ran = cli("release", "-w", asking.web, "--image", f"{asking.image}:1.1.0", "-o", "json")
    assert ran.code == 0
    answer = ran.json
    assert (answer["kind"], answer["written"]) == ("ReleaseResult", True)
    assert answer["commit"] == asking.git("rev-parse", "main").strip()
    (item,) = answer["items"]
    assert (item["workload"], item["status"]) == (asking.web, "success")
    assert item["updates"][0]["path"] == "web.yaml"


def test_a_program_that_follows_a_rollout_reads_one_answer_with_how_it_ended(cli: Sluice, asking: Asking) -> None:
    to = ("--image", f"{asking.image}:1.1.0", "--watch", "--timeout", "60s")
    ran = cli("release", "-w", asking.web, *to, "-o", "json")
    assert ran.code == 0, ran.err
    (rollout,) = ran.json["rollouts"]
    assert (rollout["workload"], rollout["status"], rollout["updated"]) == (asking.web, "ready", 1)
    assert ran.json["commits"] == [asking.git("rev-parse", "main").strip()]


def test_lock_holds_a_release_up_until_unlock_and_each_is_a_commit(cli: Sluice, asking: Asking) -> None:
    locked = cli("lock", asking.web, "-m", "freeze", "--user", "Bo <bo@example.com>")
    assert locked.code == 0, locked.err
    assert "fluxcd.io/locked_user: (none) -> Bo <bo@example.com>" in locked.out
    held = cli("release", "-w", asking.web, "--all-images")
    assert held.code == 1
    assert "E753" in held.err
    assert "freeze" in held.err
    again = cli("lock", asking.web, "-m", "freeze", "--user", "Bo <bo@example.com>")
    assert "it is so already" in again.out
    assert "nothing to do" in again.err
    opened = cli("unlock", asking.web)
    assert opened.code == 0
    assert "locked" not in asking.file()
    assert asking.git("log", "-1", "--skip=1", "--format=%s", "main").strip() == "freeze"
    assert f"- Unlocked: {asking.web}\n" in asking.git("log", "-1", "--format=%B", "main")


@pytest.mark.parametrize(
    ("verb", "found"),
    [
        (("automate",), "fluxcd.io/automated: 'true'"),
        (("policy", "--tag", "main=glob:1.*"), "fluxcd.io/tag.main: glob:1.*"),
        (("policy", "--tag-all", "semver:~1.1", "--automate"), "fluxcd.io/tag.main: semver:~1.1"),
    ],
)
def test_policies_are_annotations_in_git(cli: Sluice, asking: Asking, verb: tuple[str, ...], found: str) -> None:
    ran = cli(*verb, "-w", asking.web)
    assert ran.code == 0, ran.err
    assert found in asking.file()
    assert f"Commit pushed: {asking.git('rev-parse', 'main')[:7]}" in ran.out


def test_deautomate_takes_back_what_automate_wrote(cli: Sluice, asking: Asking) -> None:
    before = asking.file()
    assert cli("automate", asking.web).code == 0
    assert cli("deautomate", asking.web).code == 0
    assert asking.file() == before


def test_all_workloads_of_the_namespaces_syncs_are_released_but_the_excluded(cli: Sluice, asking: Asking) -> None:
    image = f"{asking.image}:1.1.0"
    ran = cli("release", "--all", "--image", image, "--exclude", asking.web, "-vv")
    assert ran.code == 0, ran.err
    assert [asking.web, "ignored", "excluded"] in lines(ran.out)
    assert ":1.0.0" in asking.file()
    assert cli("release", "--all", "--image", image).code == 0
    assert image in asking.file()


def test_interactive_releases_what_is_agreed_to(cli: Sluice, asking: Asking) -> None:
    ran = cli("release", "-w", asking.web, "--all-images", "--interactive", "--yes")
    assert ran.code == 0, ran.err
    assert asking.git("log", "-1", "--format=%s", "main").strip() == f"Update image refs in {asking.web}"


def test_two_people_who_ask_at_once_are_both_answered(cli: Sluice, asking: Asking) -> None:
    verbs = (("lock", asking.web), ("policy", "-w", asking.web, "--tag", "main=glob:1.*"))
    with ThreadPoolExecutor() as people:
        for ran in people.map(lambda verb: cli(*verb), verbs):
            assert ran.code == 0, ran.err
            assert "Commit pushed: " in ran.out
    assert "fluxcd.io/locked: 'true'" in asking.file()
    assert "glob:1.*" in asking.file()


def test_who_may_not_write_to_the_sync_is_refused_by_the_api_server(
    bench: Bench, cli: Sluice, asking: Asking, tmp_path: Path
) -> None:
    name = f"reader-{secrets.token_hex(3)}"
    bench.cluster.kubectl("create", "serviceaccount", name, "-n", bench.namespace)
    binding = ("--clusterrole=view", f"--serviceaccount={bench.namespace}:{name}")
    bench.cluster.kubectl("create", "clusterrolebinding", name, *binding)
    bench.cluster.kubectl(
        "create", "clusterrole", name, "--verb=get,list,watch", "--resource=kustomizations.kustomize.toolkit.fluxcd.io"
    )
    mine = (f"--clusterrole={name}", binding[1])
    bench.cluster.kubectl("create", "clusterrolebinding", f"{name}-syncs", *mine)
    config = yaml.safe_load(bench.cluster.kubeconfig.read_text())
    token = bench.cluster.kubectl("create", "token", name, "-n", bench.namespace).strip()
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "reader").write_text(yaml.safe_dump(config))
    commits = asking.commits()
    ran = cli("lock", asking.web, KUBECONFIG=str(tmp_path / "reader"))
    assert ran.code == 4, ran.err
    assert "cannot patch resource" in ran.err
    assert REQUEST not in asking.sync.get()["metadata"].get("annotations", {})
    assert asking.commits() == commits


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("release", "-w", "$NS:deploy/wbe", "--all-images"), 7, "did you mean"),
        (("release", "-w", "$WEB", "--image", "$IMAGE:9.9.9"), 3, "E625"),
        (("release", "-w", "$WEB", "--image", "$IMAGE:1.1.0", "--commit"), 2, "E750"),
        (("release", "-w", "$WEB", "--image", "$IMAGE:1.1.0", "--watch", "--dry-run"), 2, "exclude each other"),
        (("lock",), 2, "needs a workload"),
        (("policy", "-w", "$WEB", "--tag", "main=semver:no"), 2, "E5"),
    ],
)
def test_what_cannot_be_asked_is_said_with_its_exit_code(
    cli: Sluice, asking: Asking, words: tuple[str, ...], code: int, said: str
) -> None:
    filled = [w.replace("$WEB", asking.web).replace("$IMAGE", asking.image) for w in words]
    ran = cli(*(w.replace("$NS", asking.sync.target) for w in filled))
    assert ran.code == code, ran.err
    assert said in ran.err


def test_a_workload_that_no_sync_applies_is_said_so(bench: Bench, cli: Sluice, asking: Asking) -> None:
    body = yaml.safe_load(asking.filled(WEB).replace("name: web", "name: stray"))
    bench.api.create(asking.sync.at("apps/v1/deployments", "").rstrip("/"), body)
    ran = cli("lock", f"{asking.sync.target}:deploy/stray")
    assert ran.code == 1
    assert "no sync applies" in ran.err


def test_a_workload_of_an_operator_without_crds_is_said_to_be_asked_for_through_fluxctl(
    bench: Bench, cli: Sluice, asking: Asking
) -> None:
    body = yaml.safe_load(asking.filled(WEB).replace("name: web", "name: flagged"))
    group = "kustomize.toolkit.fluxcd.io"
    body["metadata"]["labels"] = {f"{group}/name": "flag", f"{group}/namespace": "sluice"}
    bench.api.create(asking.sync.at("apps/v1/deployments", "").rstrip("/"), body)
    ran = cli("lock", f"{asking.sync.target}:deploy/flagged")
    assert ran.code == 3
    assert "E621" in ran.err
    assert "fluxctl" in ran.err
