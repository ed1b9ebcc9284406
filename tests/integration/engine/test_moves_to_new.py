"""An object that git moves into a Kustomization which the same commit makes, or changes, keeps its UID."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.engine.test_moves import LABEL
from tests.operator_fixture import Bench, Sync, config_map, poll

TYPO = "apiVersion: v1\nkind: [\n"


def kustomization(parent: Sync, part: str, path: str = "", **spec: Any) -> str:
    """The text of a Kustomization that the parent makes of a folder of its own repository."""
    body = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": f"{parent.name}-{part}", "namespace": parent.namespace},
        "spec": {
            "interval": "1h",
            "prune": True,
            "path": path or f"./{part}",
            "sourceRef": {"kind": "GitRepository", "name": parent.name},
            **spec,
        },
    }
    return json.dumps(body)


def family(bench: Bench, files: Mapping[str, str], **spec: Any) -> tuple[Sync, Sync, Sync]:
    """A parent, which makes what `./clusters` holds; its child of `./old`, ready, with x; and one of `./new` to be."""
    parent = bench.source()
    old = {"clusters/old.yaml": kustomization(parent, "old"), "old/x.yaml": config_map("x")}
    revision = parent.commit({**old, "old/rest.yaml": config_map("rest"), **files})
    parent.create_source()
    parent.create(path="./clusters", **spec)
    first, second = (replace(parent, name=f"{parent.name}-{part}") for part in ("old", "new"))
    parent.wait_ready(revision)
    first.wait_ready(revision)
    return parent, first, second


def into_new(parent: Sync) -> dict[str, str | None]:
    """The commit that moves x into a Kustomization which it makes."""
    new = {"clusters/new.yaml": kustomization(parent, "new"), "new/x.yaml": config_map("x", "2")}
    return {"old/x.yaml": None, **new}


def wait_unmade(parent: Sync) -> None:
    """Keep the parent from making anything until it is edited again."""
    parent.edit(dependsOn=[{"name": "never-there"}])
    parent.wait_condition("Ready", "False", "DependencyNotReady")


def held(first: Sync, revision: str, uid: str, text: str) -> None:
    """The revision is applied; the object is there, still the old one's, and Ready says why."""
    first.wait_ready(revision)
    assert "E374" in first.message
    assert text in first.message
    assert f"{first.target}_x__ConfigMap" in first.inventory()
    assert first.config("x")["metadata"]["uid"] == uid


def moved(first: Sync, second: Sync, uid: str) -> None:
    """The object is the second one's, with git's new value and its old UID; the first has let go of it."""
    entry = f"{first.target}_x__ConfigMap"
    poll("it is made", lambda: second.bench.api.get(second.path))
    second.wait("it is the new owner's", lambda k: entry in second.inventory())
    assert first.config("x")["data"] == {"key": "2"}
    assert first.config("x")["metadata"]["uid"] == uid
    assert first.config("x")["metadata"]["labels"][LABEL] == second.name
    first.wait("the old owner has let go", lambda k: entry not in first.inventory())


def test_moved_into_one_that_the_same_commit_makes_and_that_is_there_only_after_the_old_owner_s_turn(
    bench: Bench,
) -> None:
    parent, first, second = family(bench, {})
    uid = first.config("x")["metadata"]["uid"]
    wait_unmade(parent)
    held(first, parent.push(into_new(parent)), uid, f"{parent.name}, which makes it, is not ready")
    parent.edit(dependsOn=None)
    moved(first, second, uid)
    first.wait("nothing is held", lambda k: "E374" not in first.message)


@pytest.mark.parametrize("says", ["nothing", "disabled"])
def test_what_the_parent_is_not_to_make_any_more_is_pruned(bench: Bench, says: str) -> None:
    parent, first, _ = family(bench, {})
    uid = first.config("x")["metadata"]["uid"]
    wait_unmade(parent)
    held(first, parent.push(into_new(parent)), uid, "E374")
    off = '"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}, "namespace"'
    left = kustomization(parent, "new").replace('"namespace"', off, 1) if says == "disabled" else None
    first.wait_ready(parent.push({"clusters/new.yaml": left}))
    poll("it is pruned", lambda: first.live("configmaps", "x") is None)


def test_a_parent_s_own_object_moved_into_a_child_that_it_makes(bench: Bench) -> None:
    parent = bench.synced({"x.yaml": config_map("x"), "rest.yaml": config_map("rest")}, path="./")
    uid, child = parent.config("x")["metadata"]["uid"], replace(parent, name=f"{parent.name}-new")
    build = "resources: [rest.yaml, new.yaml]\n"
    parent.push(
        {
            "x.yaml": None,
            "kustomization.yaml": build,
            "new.yaml": kustomization(parent, "new"),
            "new/x.yaml": config_map("x", "2"),
        }
    )
    moved(parent, child, uid)


def test_moved_into_another_folder_of_its_own_that_its_parent_names_in_the_same_commit(bench: Bench) -> None:
    parent, first, _ = family(bench, {})
    uid = first.config("x")["metadata"]["uid"]
    wait_unmade(parent)
    files = {"old/x.yaml": None, "apps/x.yaml": config_map("x", "2"), "apps/rest.yaml": config_map("rest")}
    held(first, parent.push({**files, "clusters/old.yaml": kustomization(parent, "old", "./apps")}), uid, "E374")
    parent.edit(dependsOn=None)
    poll("git's new value", lambda: first.config("x")["data"] == {"key": "2"})
    assert first.config("x")["metadata"]["uid"] == uid


def test_moved_into_one_whose_parent_can_not_be_built_at_that_commit(bench: Bench) -> None:
    parent, first, second = family(bench, {"old/z.yaml": config_map("z")})
    uid = first.config("x")["metadata"]["uid"]
    revision = parent.push({**into_new(parent), "clusters/typo.yaml": TYPO, "old/z.yaml": None})
    parent.wait_failed(revision, "E202")
    held(first, revision, uid, f"{parent.name} may make a Kustomization that takes that over")
    assert first.live("configmaps", "z") is None, "what no file names is pruned at once"
    parent.push({"clusters/typo.yaml": None})
    moved(first, second, uid)


@pytest.mark.parametrize("wrong", ["typo", "source"])
def test_moved_into_one_to_be_made_of_which_nobody_can_say_yet_what_it_takes(bench: Bench, wrong: str) -> None:
    parent, first, second = family(bench, {})
    uid = first.config("x")["metadata"]["uid"]
    wait_unmade(parent)
    files = into_new(parent)
    if wrong == "typo":
        files["new/typo.yaml"] = TYPO
    else:
        other = {"kind": "GitRepository", "name": f"{parent.name}-other"}
        files["clusters/new.yaml"] = kustomization(parent, "new", sourceRef=other)
    held(first, parent.push(files), uid, {"typo": "E202", "source": "has fetched a revision"}[wrong])
    first.wait_ready(parent.push({"new/typo.yaml": None, "clusters/new.yaml": kustomization(parent, "new")}))
    parent.edit(dependsOn=None)
    moved(first, second, uid)


def test_one_that_is_deleted_waits_for_a_new_owner_that_is_still_to_be_made(bench: Bench) -> None:
    parent, first, second = family(bench, {})
    uid = first.config("x")["metadata"]["uid"]
    wait_unmade(parent)
    first.wait_ready(parent.push({**into_new(parent), "clusters/old.yaml": None}))
    bench.api.delete(first.path)
    poll("the rest is pruned", lambda: first.live("configmaps", "rest") is None)
    assert first.config("x")["metadata"]["uid"] == uid
    parent.edit(dependsOn=None)
    first.wait_gone()
    assert first.config("x")["metadata"]["uid"] == uid
    assert first.config("x")["metadata"]["labels"][LABEL] == second.name
