"""Why a sync is not at its commit, as far as the status of our own objects tells: link by link to the first cause.

Pure: the objects of ours in a cluster → the chain from a sync through its source and what it depends on to the object
that fails by itself. What only waits for another is an echo, and never the cause.
"""

from __future__ import annotations

from dataclasses import replace

from sluice.api.kinds import ROLLBACK_FROM
from sluice.cli.chain_node import Chain, Key, Link, Node, World, source_key
from sluice.cli.chain_problem import (
    being_deleted,
    dependency_missing,
    in_a_circle,
    rolled_back,
    source_missing,
    suspension,
    untried,
)
from sluice.cli.group_members import group_name
from sluice.cli.kinds import SYNCS
from sluice.cli.view import SUSPENDED_AT, View, short_revision
from sluice.core import codes
from sluice.core.problem_text import root_of

# What an object's own status tells of its pods may be old, or be missing: these are looked at again.
_HEALTH = frozenset({codes.HEALTH_FAILED.number, codes.HEALTH_TIMEOUT.number})
# What a member of a group says when another one is the reason.
_ECHOES = frozenset({codes.GROUP_FAILED.number, codes.GROUP_SUSPENDED.number})


def follow(world: World, node: Node) -> Chain:
    """The chain from `node` to its cause. What is no sync waits for nothing that a chain could follow."""
    return _follow_sync(world, node, (node.key,)) if node.view.kind is SYNCS else _follow_source(node)


def waiting_for(world: World, culprit: Node) -> tuple[View, ...]:
    """The syncs that wait for `culprit`, directly or through others, and are not ready."""
    blocked: dict[Key, View] = {}
    todo = [culprit]
    while todo:
        holder = todo.pop()
        beside = _members(world, holder) if holder.view.kind is SYNCS else set()
        for node in world.syncs.values():
            waits = holder.key in node.depends_on if holder.view.kind is SYNCS else source_key(node) == holder.key
            waits = waits or node.key in beside
            if waits and node.key not in blocked and node.id != culprit.id and node.view.ready != "True":
                blocked[node.key] = node.view
                todo.append(node)
    return tuple(blocked[key] for key in sorted(blocked))


# --- one sync ---------------------------------------------------------------------------------------------------------


def _follow_sync(world: World, node: Node, seen: tuple[Key, ...]) -> Chain:
    view = node.view
    if (held := _held(node)) is not None:
        return held
    source = world.sources.get(source_key(node)) if view.source.startswith("GitRepository/") else None
    if view.ready == "False":
        if (found := _through_group(world, node, seen)) is not None:
            return found
        if view.reason == "DependencyNotReady" and (found := _first_unmet(world, node, source, seen)) is not None:
            return found
        if any(problem.code == codes.SOURCE_MISSING.number for problem in view.problems):
            return _without_artifact(world, node, source)
        return _failing(node)
    if view.ready != "True":
        text = view.message if view.reason else "it has not run yet"
        chain = Chain((_link(view, text),), node, look=node, since=view.since, passing=True)
        return _behind_source(chain, node, source) if not view.reason else chain
    return _ready(node, source)


def _held(node: Node) -> Chain | None:
    view = node.view
    if node.deleted_at:
        return Chain((_link(view, "is being deleted", "Failing"),), node, being_deleted(node), since=node.deleted_at)
    if view.suspended:
        return Chain(
            (_link(view, "is suspended"),), node, suspension(node), since=view.annotations.get(SUSPENDED_AT, "")
        )
    return None


def _through_group(world: World, node: Node, seen: tuple[Key, ...]) -> Chain | None:
    """The chain through the member that a group stands still for; None when this one says more than that it does."""
    group, told = group_name(node.view.annotations), {problem.code for problem in node.view.problems}
    if not group or not told or not told <= _ECHOES:
        return None
    link = _link(node.view, f"stands and falls with group '{group}'")
    is_reason = _is_suspended if codes.GROUP_SUSPENDED.number in told else _fails_by_itself
    for key in sorted(_members(world, node) - set(seen)):
        if is_reason(world.syncs[key].view):
            inner = _follow_sync(world, world.syncs[key], (*seen, key))
            return replace(inner, links=(link, *inner.links))
    return None


def _is_suspended(view: View) -> bool:
    return view.suspended


def _fails_by_itself(view: View) -> bool:
    return any(problem.code not in _ECHOES for problem in view.problems)


def _members(world: World, node: Node) -> set[Key]:
    """The others of its group."""
    group = group_name(node.view.annotations)
    if not group:
        return set()
    beside = (key for key in world.syncs if key[0] == node.key[0] and key != node.key)
    return {key for key in beside if group_name(world.syncs[key].view.annotations) == group}


def _first_unmet(world: World, node: Node, source: Node | None, seen: tuple[Key, ...]) -> Chain | None:
    """The chain through the first dependency that is not as the sync needs it."""
    for key in node.depends_on:
        other = world.syncs.get(key)
        waits = _link(node.view, f"waits for ks/{key[1]} (dependsOn)", "Waiting")
        if other is None:
            return Chain((waits,), node, dependency_missing(world, node, key), since=node.view.since)
        if key in seen:
            circle = (*seen[seen.index(key) :], key)
            return Chain((waits,), node, in_a_circle(node, circle), since=node.view.since)
        behind = _same_source(node, other) and source is not None and _head(other.view) != source.view.revision
        if other.view.ready != "True" or other.view.observed != other.view.generation or behind:
            inner = _follow_sync(world, other, (*seen, key))
            return replace(inner, links=(waits, *inner.links))
    return None


def _without_artifact(world: World, node: Node, source: Node | None) -> Chain:
    link = _link(node.view, f"has nothing to apply: its source is {node.view.source}", "Waiting")
    if source is not None:
        inner = _follow_source(source)
        return replace(inner, links=(link, *inner.links))
    return Chain((link,), node, source_missing(world, node), since=node.view.since)


def _failing(node: Node) -> Chain:
    roots = [root_of(problem) for problem in node.view.problems]
    first, rest = roots[0], tuple(roots[1:])
    text = f"{node.view.reason}: {node.view.problems[0].title}"
    undone = node.view.reason == "Undone"
    look = node if first.code in _HEALTH and not undone else None
    return Chain((_link(node.view, text),), node, first, rest, look, first.since or node.view.since)


def _ready(node: Node, source: Node | None) -> Chain:
    """A sync that has nothing to complain of itself: its source, its drift and its objects may have."""
    view = node.view
    chain = Chain((_link(view, f"applied {short_revision(view.revision)}"),), node, look=node, since=view.since)
    if view.rolled_back:
        return replace(chain, cause=rolled_back(node), since=view.since)
    if view.observed != view.generation:
        return replace(chain, cause=untried(node, "its spec was edited"), passing=True)
    if view.drift:
        return replace(chain, cause=view.drift[0], others=view.drift[1:], look=None)
    return _behind_source(chain, node, source)


def _behind_source(chain: Chain, node: Node, source: Node | None) -> Chain:
    if source is None:
        return chain
    upstream = _follow_source(source)
    if upstream.cause is not None and not upstream.passing:
        return replace(upstream, links=(*chain.links, *upstream.links))
    if source.view.revision and _head(node.view) != source.view.revision:
        cause = untried(node, f"{source.view.reference} is at {short_revision(source.view.revision)}")
        return replace(chain, cause=cause, passing=True)
    return chain


# --- a source ---------------------------------------------------------------------------------------------------------


def _follow_source(node: Node) -> Chain:
    view = node.view
    if (held := _held(node)) is not None:
        return held
    if view.ready == "False" and view.problems:
        roots = [root_of(problem) for problem in view.problems]
        link = _link(view, f"{view.reason}: {view.problems[0].title}")
        return Chain((link,), node, roots[0], tuple(roots[1:]), since=roots[0].since or view.since)
    if view.ready != "True":
        text = view.message if view.reason else "it has not fetched anything yet"
        return Chain((_link(view, text),), node, since=view.since, passing=True)
    at = _link(view, f"fetched {short_revision(view.revision)}")
    if view.left:
        return Chain((_link(view, "has left something as it was", "Failing"),), node, view.left[0], view.left[1:])
    return Chain((at,), node, since=view.since)


# --- small facts ------------------------------------------------------------------------------------------------------


def _same_source(one: Node, other: Node) -> bool:
    return one.view.source == other.view.source and source_key(one) == source_key(other)


def _head(view: View) -> str:
    """The revision of git that it has settled; one that was rolled back has settled the one it left."""
    return view.annotations.get(ROLLBACK_FROM, "") if view.rolled_back else view.revision


def _link(view: View, text: str, state: str = "") -> Link:
    return Link(view.reference, view.namespace, state or view.state, text)
