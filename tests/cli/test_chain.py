"""The walk from a sync to its cause, as values: what only waits for another is never the cause."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluice.cli.chain import follow, waiting_for
from sluice.cli.chain_node import Node, World, node_of
from sluice.cli.kinds import GIT, SYNCS, Kind

REVISION = "main@sha1:" + "a" * 40
LATER = "main@sha1:" + "b" * 40


def item(
    name: str, status: str = "True", reason: str = "Succeeded", message: str = "", *, spec: Any = None, **more: Any
) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": status, "reason": reason, "message": message}] if reason else []
    return {
        "metadata": {"name": name, "namespace": "shop", "generation": 1, **more.pop("metadata", {})},
        "spec": {"sourceRef": {"kind": "GitRepository", "name": "fleet"}, **(spec or {})},
        "status": {"conditions": conditions, "observedGeneration": 1, "lastAppliedRevision": REVISION, **more},
    }


def world(*syncs: dict[str, Any], source: dict[str, Any] | None = None) -> World:
    found = source or item("fleet", artifact={"revision": REVISION})
    return World(nodes(SYNCS, *syncs), nodes(GIT, found))


def nodes(kind: Kind, *items: dict[str, Any]) -> dict[tuple[str, str], Node]:
    return {node.key: node for node in (node_of(kind, each) for each in items)}


def on(*names: str) -> dict[str, Any]:
    return {"dependsOn": [{"name": name} for name in names]}


def waiting(name: str, *names: str) -> dict[str, Any]:
    return item(
        name, "False", "DependencyNotReady", f"dependency 'shop/{names[0]}' is not ready [E306]", spec=on(*names)
    )


BROKEN = item("c", "False", "BuildFailed", "not valid YAML [E202] at w.yaml:1@a1b2c3d: a tab; fix: use spaces")


def test_a_chain_of_waits_ends_at_what_fails_by_itself() -> None:
    found = world(waiting("a", "b"), waiting("b", "ready", "c"), BROKEN, item("ready"))
    chain = follow(found, found.syncs["shop", "a"])
    assert [link.reference for link in chain.links] == ["ks/a", "ks/b", "ks/c"]
    assert chain.cause is not None
    assert (chain.cause.code, chain.cause.where, chain.cause.fix) == ("E202", "w.yaml:1@a1b2c3d", "use spaces")
    assert [view.name for view in waiting_for(found, chain.culprit)] == ["a", "b"]


GROUP = {"annotations": {"sluice.dev/group": "web"}}


def echo(name: str, code: str) -> dict[str, Any]:
    return item(name, "False", "GroupNotReady", f"Kustomization shop/c of group 'web' [{code}]", metadata=GROUP)


def test_a_member_of_a_group_that_stands_for_another_leads_to_that_one_s_cause() -> None:
    broken = {**BROKEN, "metadata": {**BROKEN["metadata"], **GROUP}}
    found = world(echo("a", "E365"), echo("b", "E365"), broken, item("d"))
    chain = follow(found, found.syncs["shop", "a"])
    assert [link.reference for link in chain.links] == ["ks/a", "ks/c"]
    assert chain.cause is not None
    assert (chain.cause.code, chain.cause.where) == ("E202", "w.yaml:1@a1b2c3d")
    assert [view.name for view in waiting_for(found, chain.culprit)] == ["a", "b"]


def test_a_group_that_stands_still_leads_to_the_member_that_is_suspended() -> None:
    found = world(echo("a", "E364"), item("c", spec={"suspend": True}, metadata=GROUP))
    chain = follow(found, found.syncs["shop", "a"])
    assert chain.cause is not None
    assert (chain.cause.code, [link.reference for link in chain.links]) == ("E705", ["ks/a", "ks/c"])


def test_a_group_waits_with_its_member_for_what_that_one_depends_on() -> None:
    member = {**waiting("b", "c"), "metadata": {**waiting("b", "c")["metadata"], **GROUP}}
    found = world(echo("a", "E365"), member, BROKEN)
    chain = follow(found, found.syncs["shop", "a"])
    assert [link.reference for link in chain.links] == ["ks/a", "ks/b", "ks/c"]
    assert chain.cause is not None
    assert chain.cause.code == "E202"


def test_a_member_whose_reason_is_not_to_be_found_tells_what_it_was_told() -> None:
    found = world(echo("a", "E365"), echo("b", "E365"))
    chain = follow(found, found.syncs["shop", "a"])
    assert chain.cause is not None
    assert chain.cause.code == "E365"


def test_a_dependency_that_is_suspended_or_behind_is_the_cause() -> None:
    source = item("fleet", artifact={"revision": LATER})
    found = world(waiting("a", "b"), item("b", spec={"suspend": True}), source=source)
    chain = follow(found, found.syncs["shop", "a"])
    assert chain.cause is not None
    assert chain.cause.code == "E705"
    found = world(waiting("a", "b"), item("b"), source=source)
    chain = follow(found, found.syncs["shop", "a"])
    assert chain.cause is not None
    assert (chain.cause.code, chain.passing) == ("E719", True)


def test_a_ready_sync_behind_a_source_that_fails_is_told_the_sources_cause() -> None:
    failed = item(
        "fleet", "False", "GitOperationFailed", "branch 'x' does not exist [E102]", artifact={"revision": REVISION}
    )
    found = world(item("a"), source=failed)
    chain = follow(found, found.syncs["shop", "a"])
    assert chain.cause is not None
    assert chain.cause.code == "E102"
    assert [link.reference for link in chain.links] == ["ks/a", "git/fleet"]


def test_what_is_ready_is_looked_at_once_more_and_what_runs_has_no_cause() -> None:
    found = world(item("a"), item("b", "Unknown", "Progressing", "Running health checks"))
    ready = follow(found, found.syncs["shop", "a"])
    assert (ready.cause, ready.passing, ready.look) == (None, False, found.syncs["shop", "a"])
    running = follow(found, found.syncs["shop", "b"])
    assert (running.cause, running.passing) == (None, True)


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=3)))
def test_every_walk_ends_whatever_depends_on_what(graph: dict[str, list[str]]) -> None:
    syncs = [waiting(name, *others) if others else item(name) for name, others in graph.items()]
    found = world(*syncs)
    for node in found.syncs.values():
        chain = follow(found, node)
        assert chain.links
        assert len(chain.links) <= len(graph) + 2
        if chain.cause is not None:
            assert chain.cause.code in {"E306", "E317", "E719"}
        waiting_for(found, chain.culprit)
