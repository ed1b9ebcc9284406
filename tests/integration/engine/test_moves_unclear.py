"""An object that git may have moved to a Kustomization which stands still is not lost; what has just left is pruned."""

from __future__ import annotations

import pytest

from tests.integration.engine.test_moves import MOVE, moved, pair
from tests.operator_fixture import Bench, Sync, config_map, poll

TYPO = "apiVersion: v1\nkind: [\n"


def held(sync: Sync, revision: str, *texts: str) -> None:
    """The revision is applied, says why the object is held, and has it still."""
    sync.wait_ready(revision)
    assert "E374" in sync.message
    for text in texts:
        assert text in sync.message
    assert f"{sync.target}_x__ConfigMap" in sync.inventory()


def told(sync: Sync) -> list[str]:
    """The events that tell what is held."""
    listed = sync.bench.api.get(f"/api/v1/namespaces/{sync.namespace}/events") or {}
    mine = [e for e in listed["items"] if e["involvedObject"]["name"] == sync.name]
    return [e["message"] for e in mine if e["reason"] == "MayBeMoved"]


def test_moved_to_one_that_does_not_build_it_is_held_until_that_one_is_mended(bench: Bench) -> None:
    first, second = pair(bench, {"old/x.yaml": config_map("x"), "old/z.yaml": config_map("z")})
    uid = first.config("x")["metadata"]["uid"]
    revision = first.push({**MOVE, "old/z.yaml": None, "new/typo.yaml": TYPO})
    held(first, revision, second.name, "E202", "new/typo.yaml:", "ConfigMap")
    second.wait_failed(revision, "E202")
    assert first.live("configmaps", "z") is None, "what nobody may want is pruned at once"
    assert first.config("x")["metadata"]["uid"] == uid
    poll("it is told", lambda: told(first))
    first.reconcile()
    assert len(told(first)) == 1
    mended = first.push({"new/typo.yaml": None})
    first.wait_ready(mended)
    second.wait_ready(mended)
    moved(first, second, uid)
    first.wait("nothing is held", lambda k: "E374" not in first.message)


def test_what_the_mended_one_does_not_want_is_pruned_then(bench: Bench) -> None:
    first, second = pair(bench, {"old/x.yaml": config_map("x")})
    held(first, first.push({**MOVE, "new/typo.yaml": TYPO}), second.name)
    mended = first.push({"new/typo.yaml": None, "new/x.yaml": None})
    first.wait_ready(mended)
    poll("it is pruned", lambda: first.live("configmaps", "x") is None)


def test_moved_into_a_base_that_a_kustomization_which_does_not_build_takes_in(bench: Bench) -> None:
    base = {"new/kustomization.yaml": "resources: [base.yaml, ../base]\n", "base/kustomization.yaml": "resources: []\n"}
    first, second = pair(bench, {"old/x.yaml": config_map("x"), **base})
    uid = first.config("x")["metadata"]["uid"]
    files = {
        "old/x.yaml": None,
        "base/x.yaml": config_map("x", "2"),
        "base/kustomization.yaml": "resources: [x.yaml]\n",
    }
    revision = first.push({**files, "new/base.yaml": TYPO})
    held(first, revision, second.name, "new/base.yaml:")
    mended = first.push({"new/base.yaml": config_map("base")})
    first.wait_ready(mended)
    second.wait_ready(mended)
    moved(first, second, uid)


def test_moved_to_one_that_is_suspended_it_is_held_until_that_one_is_resumed(bench: Bench) -> None:
    first, second = pair(bench, {"old/x.yaml": config_map("x"), "old/z.yaml": config_map("z")})
    uid = first.config("x")["metadata"]["uid"]
    second.edit(suspend=True)
    held(first, first.push({**MOVE, "old/z.yaml": None}), second.name, "suspended", "sluice resume")
    assert first.live("configmaps", "z") is None
    assert first.config("x")["metadata"]["uid"] == uid
    second.edit(suspend=False)
    moved(first, second, uid)


@pytest.mark.parametrize("ends", ["deleted", "by hand"])
def test_what_is_held_does_not_outlive_the_reason(bench: Bench, ends: str) -> None:
    first, second = pair(bench, {"old/x.yaml": config_map("x")})
    held(first, first.push({**MOVE, "new/typo.yaml": TYPO}), second.name)
    bench.api.delete(second.path if ends == "deleted" else first.at("configmaps", "x"))
    poll("it is gone", lambda: first.live("configmaps", "x") is None)
    first.wait("nothing is held", lambda k: "E374" not in first.message and len(first.inventory()) == 1)


def test_a_kustomization_that_is_deleted_holds_it_too(bench: Bench) -> None:
    first, second = pair(bench, {"old/x.yaml": config_map("x")})
    uid = first.config("x")["metadata"]["uid"]
    revision = first.push({"new/x.yaml": config_map("x", "2"), "new/typo.yaml": TYPO})
    second.wait_failed(revision, "E202")
    bench.api.delete(first.path)
    poll("the rest is pruned", lambda: first.live("configmaps", "rest") is None)
    assert first.config("x")["metadata"]["uid"] == uid
    mended = first.push({"new/typo.yaml": None})
    second.wait_ready(mended)
    first.wait_gone()
    assert first.config("x")["metadata"]["uid"] == uid
