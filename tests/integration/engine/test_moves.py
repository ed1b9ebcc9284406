"""An object that git moves from one Kustomization to another keeps its UID, whichever of the two runs first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.operator_fixture import FAILING_JOB, Bench, Sync, config_map, poll

LABEL = "kustomize.toolkit.fluxcd.io/name"


def pair(bench: Bench, files: Mapping[str, str | None], old: Any = None, new: Any = None) -> tuple[Sync, Sync]:
    """Two Kustomizations of one repository, `./old` and `./new`, both ready."""
    first = bench.source()
    revision = first.commit({"new/base.yaml": config_map("base"), "old/rest.yaml": config_map("rest"), **files})
    first.create_source()
    second = replace(first, name=f"{first.name}-new")
    first.create(path="./old", **(old or {}))
    second.create(path="./new", sourceRef={"kind": "GitRepository", "name": first.name}, **(new or {}))
    first.wait_ready(revision)
    second.wait_ready(revision)
    return first, second


def apart(bench: Bench) -> tuple[Sync, Sync]:
    """Two Kustomizations of two repositories that apply to one namespace, both ready; the first has the object."""
    first = bench.synced({"x.yaml": config_map("x"), "rest.yaml": config_map("rest")})
    second = replace(bench.source(), target=first.target)
    revision = second.commit({"base.yaml": config_map("base")})
    second.create_source()
    second.create(retryInterval="1s")
    second.wait_ready(revision)
    return first, second


MOVE: dict[str, str | None] = {"old/x.yaml": None, "new/x.yaml": config_map("x", "2")}


def moved(first: Sync, second: Sync, uid: str) -> None:
    """The object is the second one's, with git's new value and its old UID, and only that one tracks it."""
    entry = f"{first.target}_x__ConfigMap"
    second.wait("it is the new owner's", lambda k: entry in second.inventory())
    poll("git's new value", lambda: first.config("x")["data"] == {"key": "2"})
    live = first.config("x")
    assert live["metadata"]["uid"] == uid
    assert live["metadata"]["labels"][LABEL] == second.name
    first.wait("the old owner has let go", lambda k: entry not in first.inventory())
    first.reconcile()
    assert first.config("x")["metadata"]["uid"] == uid


@pytest.mark.parametrize("runs_first", ["old", "new"])
@pytest.mark.parametrize("prune", [True, False])
def test_moved_in_one_commit(bench: Bench, runs_first: str, prune: bool) -> None:
    first, second = pair(bench, {"old/x.yaml": config_map("x")}, old={"prune": prune})
    uid = first.config("x")["metadata"]["uid"]
    late, early = (second, first) if runs_first == "old" else (first, second)
    late.edit(dependsOn=[{"name": early.name}], retryInterval="1s")
    late.wait("the edit is seen", lambda k: k["status"]["observedGeneration"] == k["metadata"]["generation"])
    revision = first.push(MOVE)
    first.wait_ready(revision, 60)
    second.wait_ready(revision, 60)
    moved(first, second, uid)


def test_two_that_give_each_other_an_object_in_one_commit_do_not_wait_for_each_other(bench: Bench) -> None:
    first, second = pair(bench, {"old/x.yaml": config_map("x"), "new/z.yaml": config_map("z")})
    x, z = (first.config(n)["metadata"]["uid"] for n in "xz")
    revision = first.push({**MOVE, "new/z.yaml": None, "old/z.yaml": config_map("z", "2")})
    first.wait_ready(revision)
    second.wait_ready(revision)
    moved(first, second, x)
    assert first.config("z")["metadata"]["uid"] == z
    assert first.config("z")["metadata"]["labels"][LABEL] == first.name


def test_the_new_owner_asks_first_and_gets_it_when_the_old_one_lets_go(bench: Bench) -> None:
    first, second = apart(bench)
    uid = first.config("x")["metadata"]["uid"]
    revision = second.push({"x.yaml": config_map("x", "2")})
    second.wait_failed(revision, "E315")
    assert first.config("x")["data"] == {"key": "1"}
    first.wait_ready(first.push({"x.yaml": None}))
    second.wait_ready(revision)
    moved(first, second, uid)


def test_moved_between_repositories_while_the_operator_was_down(bench: Bench) -> None:
    first, second = apart(bench)
    uid = first.config("x")["metadata"]["uid"]
    bench.operator.stop()
    gone, there = first.commit({"x.yaml": None}), second.commit({"x.yaml": config_map("x", "2")})
    bench.operator.start()
    first.wait_ready(gone, 60)
    second.wait_ready(there, 60)
    moved(first, second, uid)


def test_after_a_restart_what_both_want_stays_with_its_owner_and_is_handed_over_later(bench: Bench) -> None:
    first, second = apart(bench)
    uid = first.config("x")["metadata"]["uid"]
    asked = second.push({"x.yaml": config_map("x", "2")})
    second.wait_failed(asked, "E315")
    bench.operator.restart()
    first.reconcile()
    second.reconcile()
    assert "E315" in second.message
    assert first.config("x")["metadata"]["labels"][LABEL] == first.name
    first.wait_ready(first.push({"x.yaml": None}))
    second.wait_ready(asked)
    moved(first, second, uid)


def test_an_object_moves_away_from_a_kustomization_that_is_deleted(bench: Bench) -> None:
    first, second = apart(bench)
    uid = first.config("x")["metadata"]["uid"]
    revision = second.push({"x.yaml": config_map("x", "2")})
    second.wait_failed(revision, "E315")
    bench.api.delete(first.path)
    first.wait_gone()
    second.wait_ready(revision)
    assert first.config("x")["metadata"]["uid"] == uid
    assert first.config("x")["metadata"]["labels"][LABEL] == second.name
    poll("the rest is pruned", lambda: first.live("configmaps", "rest") is None)


def test_a_kustomization_deleted_by_the_commit_that_moves_its_object_leaves_it_to_the_new_owner(bench: Bench) -> None:
    first, second = pair(bench, {"old/x.yaml": config_map("x")})
    uid = first.config("x")["metadata"]["uid"]
    for sync in (first, second):
        sync.edit(dependsOn=[{"name": "never-there"}])
        sync.wait_condition("Ready", "False", "DependencyNotReady")
    revision = first.push(MOVE)
    poll(
        "the commit is fetched",
        lambda: (bench.api.get(first.source_path) or {})["status"]["artifact"]["revision"] == revision,
    )
    bench.api.delete(first.path)
    poll("the rest is pruned", lambda: first.live("configmaps", "rest") is None)
    assert first.config("x")["metadata"]["uid"] == uid
    second.edit(dependsOn=None)
    first.wait_gone()
    second.wait("it is the new owner's", lambda k: f"{first.target}_x__ConfigMap" in second.inventory())
    assert first.config("x")["metadata"]["uid"] == uid


def test_an_object_left_behind_by_a_kustomization_that_was_deleted_long_ago_is_adopted(bench: Bench) -> None:
    first, second = apart(bench)
    uid = first.config("x")["metadata"]["uid"]
    first.edit(deletionPolicy="Orphan")
    bench.api.delete(first.path)
    first.wait_gone()
    second.wait_ready(second.push({"x.yaml": config_map("x", "2")}))
    assert first.config("x")["metadata"]["uid"] == uid


def given_back(bench: Bench) -> tuple[Sync, Sync, str]:
    """Git has moved x from the first to the second, whose revision was undone after the first one's was applied."""
    first, second = pair(bench, {"old/x.yaml": config_map("x")}, new={"wait": True})
    revision = first.push({**MOVE, "new/job.yaml": FAILING_JOB})
    second.wait_failed(revision, reason="Undone")
    first.wait_ready(revision)
    return first, second, f"{first.target}_x__ConfigMap"


def test_an_object_that_the_new_owner_did_not_keep_is_still_the_old_one_s(bench: Bench) -> None:
    first, second, entry = given_back(bench)
    assert first.config("x")["data"] == {"key": "1"}
    assert first.config("x")["metadata"]["labels"][LABEL] == first.name
    assert entry in first.inventory()
    assert entry not in second.inventory()
    uid = first.config("x")["metadata"]["uid"]
    second.wait_ready(first.push({"new/job.yaml": None}))
    moved(first, second, uid)


def test_an_object_that_nobody_is_to_have_any_more_is_pruned_by_who_has_held_it(bench: Bench) -> None:
    first, second, entry = given_back(bench)
    revision = first.push({"new/x.yaml": None, "new/job.yaml": None})
    first.wait_ready(revision)
    second.wait_ready(revision)
    poll("it is gone", lambda: first.live("configmaps", "x") is None)
    first.wait("it is let go", lambda k: entry not in first.inventory())


@pytest.mark.parametrize("goes_first", ["old", "new"])
def test_both_can_be_deleted_and_leave_nothing(bench: Bench, goes_first: str) -> None:
    first, second, _ = given_back(bench)
    order = [first, second] if goes_first == "old" else [second, first]
    bench.api.delete(order[0].path)
    order[0].wait("it is seen", lambda k: k["metadata"]["deletionTimestamp"])
    poll("what is left of it", lambda: first.live("configmaps", "rest" if goes_first == "old" else "base") is None)
    bench.api.delete(order[1].path)
    for sync in order:
        sync.wait_gone()
    assert first.live("configmaps", "x") is None
