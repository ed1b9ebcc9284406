"""fluxctl about workloads of several repositories: a commit in each, told as one job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from devcluster.cluster import Cluster
from devcluster.registry import Registry
from tests.contract.fluxctl.conftest import WEB, Fluxd, Two, open_two
from tests.git_writing import hook
from tests.operator_fixture import LogCapture, config_map, poll

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def two(
    cluster: Cluster,
    registry: Registry,
    crds: None,
    log_capture: LogCapture,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Two]:
    with open_two(cluster, registry, log_capture, tmp_path_factory.mktemp("crds"), {"web.yaml": WEB}, "./") as opened:
        yield opened


def release(tag: str = "", kind: str = "execute", *workloads: str, image: str = "") -> dict[str, Any]:
    wanted = f"{image}:{tag}" if tag else "<all latest>"
    return {"ServiceSpecs": list(workloads) or ["<all>"], "ImageSpec": wanted, "Kind": kind, "Excludes": None}


def head(fluxd: Fluxd) -> str:
    fluxd.repo.git("pull", "-q", "--ff-only", "origin", "main")
    return fluxd.repo.head()


def message(fluxd: Fluxd) -> str:
    return fluxd.repo.git("log", "-1", "--format=%B")


def test_a_release_of_all_is_a_commit_in_each_repository_and_applied_when_each_is(two: Two) -> None:
    both = (two.one, two.other)
    dry = two.one.update("image", release(kind="plan"))
    assert dry["StatusString"] == "succeeded", dry
    assert {each.workload for each in both} <= set(dry["Result"]["result"])
    assert not dry["Result"].get("revision")
    before = [head(each) for each in both]
    done = two.one.update("image", release())
    assert done["StatusString"] == "succeeded", done
    two.one.wait_applied(done["Result"]["revision"])
    assert [each.running().rpartition(":")[2] for each in both] == ["1.1.0", "1.1.0"], "at once: it waits for both"
    heads = [head(each) for each in both]
    assert not set(heads) & set(before)
    assert done["Result"]["revision"] == heads[0]
    for each, commit, sync in zip(both, heads, two.syncs, strict=True):
        told = done["Result"]["result"][each.workload]
        assert (told["Status"], told["Error"]) == ("success", f"commit {commit[:7]} in {sync.namespace}/{sync.name}")
        assert message(each).startswith("Release all latest to all")
    again = two.one.update("image", release())
    assert {again["Result"]["result"][each.workload]["Status"] for each in both} == {"skipped"}
    assert "revision" not in again["Result"]


def test_policies_of_workloads_in_several_repositories_name_in_each_commit_its_own(two: Two) -> None:
    both = (two.one, two.other)
    automated = {"add": {"automated": "true"}, "remove": {}}
    done = two.one.update("policy", {each.workload: automated for each in both})
    assert done["StatusString"] == "succeeded", done
    two.one.wait_applied(done["Result"]["revision"])
    for each in both:
        head(each)
        assert message(each).partition("\n")[0] == f"Automated: {each.workload}"
        assert each.service()["Automated"]
    undone = two.one.update("policy", {each.workload: {"add": {}, "remove": {"automated": "true"}} for each in both})
    two.one.wait_applied(undone["Result"]["revision"])


def test_a_job_that_fails_in_one_repository_says_so_and_lists_what_stays_in_the_others(two: Two) -> None:
    both = (two.one, two.other)
    chosen = {
        each.workload: [{"Container": "main", "Current": each.running(), "Target": f"{each.image}:1.0.0"}]
        for each in both
    }
    spec = {"Kind": "execute", "ContainerSpecs": chosen, "SkipMismatches": True, "Force": True}
    bare = two.bench.git.root / f"{two.syncs[1].name}.git"
    hook(bare, "pre-receive", "echo locked for today >&2\nexit 1")
    try:
        failed = two.one.update("containers", spec)
    finally:
        (bare / "hooks" / "pre-receive").unlink()
    commit = head(two.one)
    names = [f"{sync.namespace}/{sync.name}" for sync in two.syncs]
    assert failed["StatusString"] == "failed"
    first, *others = failed["Err"].splitlines()
    assert first.startswith(f"the update failed in 1 of 2 repositories: {names[1]} [E651]")
    assert others[0] == f"  {names[0]}: commit {commit} stays"
    assert others[1].startswith(f"  {names[1]}: ")
    assert "locked for today" in others[1]
    poll("the commit that stays is applied", lambda: two.one.running().endswith(":1.0.0"))
    assert two.other.running().endswith(":1.1.0")
    again = two.one.update("containers", spec)
    assert again["StatusString"] == "succeeded", "what is done already is no failure"
    assert again["Result"]["result"][two.other.workload]["Status"] == "success"
    assert again["Result"]["revision"] == head(two.other)


def test_a_job_of_several_repositories_is_known_to_the_next_process(two: Two) -> None:
    cause = {"Message": "", "User": ""}
    locked = {"add": {"locked": "true"}, "remove": {}}
    spec = {each.workload: locked for each in (two.one, two.other)}
    job = two.one.ask("POST", "/v9/update-manifests", {"type": "policy", "cause": cause, "spec": spec})
    two.bench.operator.restart()

    def ended() -> Any:
        status = two.one.ask("GET", "/v6/jobs", id=job)
        return status if status["StatusString"] in {"failed", "succeeded"} else None

    done = poll(f"job {job} ends", ended)
    assert done["StatusString"] == "succeeded", done
    assert {done["Result"]["result"][each]["Status"] for each in spec} == {"success"}
    for each in (two.one, two.other):
        subjects = each.repo.git("log", "--format=%s", head(each)).splitlines()
        assert subjects.count(f"Locked: {each.workload}") == 1


def test_who_waits_for_the_commit_that_is_told_waits_for_the_others(two: Two) -> None:
    two.other.commit({"bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name, namespace: $NS}\n"})
    unlocked = {"add": {}, "remove": {"locked": "true"}}
    done = two.one.update("policy", {each.workload: unlocked for each in (two.one, two.other)})
    assert done["StatusString"] == "succeeded", done
    commit = done["Result"]["revision"]
    assert commit == head(two.one)
    two.syncs[0].wait_ready(f"main@sha1:{commit}")
    answer = poll(
        "the other one failed", lambda: (a := two.one.call("GET", "/v6/sync", ref=commit)).status != 200 and a
    )
    assert two.syncs[1].name in answer.body["help"]
    two.other.commit({"bad.yaml": None})
    two.other.wait_applied(
        two.other.update("policy", {two.other.workload: {"add": {"locked": "true"}}})["Result"]["revision"]
    )
    two.other.wait_applied(commit)


def test_a_repository_that_follows_a_tag_is_no_fault_where_nothing_is_to_be_changed(two: Two) -> None:
    tagged = two.bench.source()
    tagged.commit({"c.yaml": config_map("c", "1")})
    tagged.repo.git("tag", "v1")
    tagged.repo.git("push", "-q", "origin", "v1")
    tagged.create_source(ref={"tag": "v1"})
    tagged.create()
    tagged.wait_condition("Ready", "True")
    done = two.one.update("image", release())
    assert (done["StatusString"], done["Err"]) == ("succeeded", "")
