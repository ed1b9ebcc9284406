"""Why a sync is not at its commit, as far as the status of our own objects tells: link by link to the first cause.

Pure: the objects of ours in a cluster → the chain from a sync through its source and what it depends on to the object
that fails by itself. What only waits for another is an echo, and never the cause.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sluice.api.kinds import ROLLBACK_BY, ROLLBACK_FROM
from sluice.cli.kinds import SYNCS
from sluice.cli.view import SUSPEND_REASON, SUSPENDED_AT, SUSPENDED_BY, View, short_revision, view_of
from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.problem import Code, Problem
from sluice.core.problem_text import ToldProblem, read_problems, root_of

Key = tuple[str, str]
# What an object's own status tells of its pods may be old, or be missing: these are looked at again.
_HEALTH = frozenset({codes.HEALTH_FAILED.number, codes.HEALTH_TIMEOUT.number})
_ECHOES = frozenset({codes.DEPENDENCY_NOT_READY.number, codes.SOURCE_MISSING.number})


@dataclass(frozen=True, slots=True)
class Node:
    """One Kustomization or source, and what a chain reads of it beyond its view."""

    view: View
    depends_on: tuple[Key, ...] = ()
    deleted_at: str = ""
    finalizers: tuple[str, ...] = ()
    inventory: tuple[tuple[ResourceId, str], ...] = ()

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return self.view.namespace, self.view.name

    @property
    def id(self) -> ResourceId:
        """Its identity in the cluster."""
        return self.view.kind.resource.id_of(*self.key)


@dataclass(frozen=True, slots=True)
class World:
    """Every sync and source that may be read."""

    syncs: Mapping[Key, Node]
    sources: Mapping[Key, Node]


@dataclass(frozen=True, slots=True)
class Link:
    """One line of a chain: something that `sluice get` or kubectl can show, and how it is."""

    reference: str
    namespace: str
    state: str
    text: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """The links from the target down; the cause, if status tells one, of `culprit`, the last object of ours in it.

    `look` is a sync whose objects must be looked at themselves, because its status does not say (all) of them.
    """

    links: tuple[Link, ...]
    culprit: Node
    cause: ToldProblem | None = None
    others: tuple[ToldProblem, ...] = ()
    look: Node | None = None
    since: str = ""
    passing: bool = field(default=False)


def node_of(kind: Any, item: dict[str, Any]) -> Node:
    """Read one object as the API server sends it."""
    view = view_of(kind, item)
    meta, spec, status = (item.get(part) or {} for part in ("metadata", "spec", "status"))
    depends = tuple((d.get("namespace") or view.namespace, d.get("name", "")) for d in spec.get("dependsOn") or ())
    entries = []
    for entry in (status.get("inventory") or {}).get("entries") or ():
        try:
            entries.append((ResourceId.from_inventory_id(entry.get("id", "")), str(entry.get("v", ""))))
        except ValueError:
            continue
    finalizers = tuple(meta.get("finalizers") or ())
    return Node(view, depends, meta.get("deletionTimestamp") or "", finalizers, tuple(entries))


def told(problem: Problem) -> ToldProblem:
    """A problem found here, in the form in which a status tells one."""
    return read_problems(str(problem))[0]


def follow(world: World, node: Node) -> Chain:
    """The chain from `node` to its cause. What is no sync waits for nothing that a chain could follow."""
    return _follow_sync(world, node, (node.key,)) if node.view.kind is SYNCS else _follow_source(node)


def waiting_for(world: World, culprit: Node) -> tuple[View, ...]:
    """The syncs that wait for `culprit`, directly or through others, and are not ready."""
    blocked: dict[Key, View] = {}
    todo = [culprit]
    while todo:
        holder = todo.pop()
        for node in world.syncs.values():
            waits = holder.key in node.depends_on if holder.view.kind is SYNCS else _source_key(node) == holder.key
            if waits and node.key not in blocked and node.id != culprit.id and node.view.ready != "True":
                blocked[node.key] = node.view
                todo.append(node)
    return tuple(blocked[key] for key in sorted(blocked))


# --- one sync ---------------------------------------------------------------------------------------------------------


def _follow_sync(world: World, node: Node, seen: tuple[Key, ...]) -> Chain:
    view = node.view
    if (held := _held(node)) is not None:
        return held
    source = world.sources.get(_source_key(node)) if view.source.startswith("GitRepository/") else None
    if view.ready == "False":
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
        cause = f"it waits for {', '.join(node.finalizers)}" if node.finalizers else "it is going"
        fix = f"see what holds it: sluice events --for {view.reference} -n {view.namespace}"
        problem = Problem(codes.BEING_DELETED, f"{view.reference} is being deleted", node.id, cause=cause, fix=fix)
        return Chain((_link(view, "is being deleted", "Failing"),), node, told(problem), since=node.deleted_at)
    if view.suspended:
        return Chain(
            (_link(view, "is suspended"),), node, suspension(node), since=view.annotations.get(SUSPENDED_AT, "")
        )
    return None


def suspension(node: Node) -> ToldProblem:
    """That it is suspended, by whom and why, as a problem."""
    view = node.view
    by, reason = view.annotations.get(SUSPENDED_BY, ""), view.annotations.get(SUSPEND_REASON, "")
    cause = f"by {by}" if by else "nobody said by whom"
    return told(
        Problem(
            codes.SUSPENDED,
            f"{view.reference} is suspended",
            node.id,
            cause=f"{cause}: {reason}" if reason else cause,
            fix=f"sluice resume {view.kind.short} {view.name} -n {view.namespace}",
        )
    )


def _first_unmet(world: World, node: Node, source: Node | None, seen: tuple[Key, ...]) -> Chain | None:
    """The chain through the first dependency that is not as the sync needs it."""
    for key in node.depends_on:
        other = world.syncs.get(key)
        waits = _link(node.view, f"waits for ks/{key[1]} (dependsOn)", "Waiting")
        if other is None:
            return Chain((waits,), node, _absent(world, node, key), since=node.view.since)
        if key in seen:
            problem = Problem(
                codes.DEPENDENCY_CYCLE,
                "Kustomizations depend on each other in a circle",
                node.id,
                cause=" → ".join("/".join(each) for each in (*seen[seen.index(key) :], key)),
                fix="remove one of these dependencies",
            )
            return Chain((waits,), node, told(problem), since=node.view.since)
        behind = _same_source(node, other) and source is not None and _head(other.view) != source.view.revision
        if other.view.ready != "True" or other.view.observed != other.view.generation or behind:
            inner = _follow_sync(world, other, (*seen, key))
            return replace(inner, links=(waits, *inner.links))
    return None


def _absent(world: World, node: Node, key: Key) -> ToldProblem:
    here = [name for namespace, name in world.syncs if namespace == key[0]]
    near = difflib.get_close_matches(key[1], here, n=3, cutoff=0.5)
    fix = f"did you mean {' or '.join(near)}?" if near else "create it, or correct spec.dependsOn"
    title = f"Kustomization {key[0]}/{key[1]} does not exist"
    return told(Problem(codes.DEPENDENCY_NOT_READY, title, node.id, cause="spec.dependsOn names it", fix=fix))


def _without_artifact(world: World, node: Node, source: Node | None) -> Chain:
    link = _link(node.view, f"has nothing to apply: its source is {node.view.source}", "Waiting")
    if source is not None:
        inner = _follow_source(source)
        return replace(inner, links=(link, *inner.links))
    namespace, wanted = _source_key(node)
    here = [name for place, name in world.sources if place == namespace]
    near = difflib.get_close_matches(wanted, here, n=3, cutoff=0.5)
    fix = f"did you mean {' or '.join(near)}?" if near else "create it, or correct spec.sourceRef"
    title = f"{node.view.source.replace('/', f' {namespace}/')} does not exist"
    problem = Problem(codes.SOURCE_MISSING, title, node.id, cause="spec.sourceRef names it", fix=fix)
    return Chain((link,), node, told(problem), since=node.view.since)


def _failing(node: Node) -> Chain:
    roots = [root_of(problem) for problem in node.view.problems]
    first, rest = roots[0], tuple(roots[1:])
    text = f"{node.view.reason}: {node.view.problems[0].title}"
    undone = node.view.reason == "Undone"
    look = node if first.code in _HEALTH and not undone else None
    return Chain((_link(node.view, text),), node, first, rest, look, node.view.since)


def _ready(node: Node, source: Node | None) -> Chain:
    """A sync that has nothing to complain of itself: its source, its drift and its objects may have."""
    view = node.view
    chain = Chain((_link(view, f"applied {short_revision(view.revision)}"),), node, look=node, since=view.since)
    if view.rolled_back:
        return replace(chain, cause=_rollback(node), since=view.since)
    if view.observed != view.generation:
        return replace(chain, cause=_untried(node, "its spec was edited"), passing=True)
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
        cause = _untried(node, f"{source.view.reference} is at {short_revision(source.view.revision)}")
        return replace(chain, cause=cause, passing=True)
    return chain


def _rollback(node: Node) -> ToldProblem:
    view, notes = node.view, node.view.annotations
    git = notes.get(ROLLBACK_FROM, "")
    return told(
        Problem(
            codes.ROLLED_BACK,
            f"{view.reference} was rolled back to {short_revision(view.revision)}",
            node.id,
            cause=f"by {notes.get(ROLLBACK_BY) or 'somebody'}; git is at {short_revision(git)}",
            fix=f"sluice resume ks {view.name} -n {view.namespace}",
        )
    )


def _untried(node: Node, cause: str) -> ToldProblem:
    view = node.view
    at = short_revision(view.revision)
    return told(
        Problem(
            codes.NOT_TRIED_YET,
            f"{view.reference} has not been tried since",
            node.id,
            cause=f"{cause}; it is at {at}" if at else cause,
            fix=f"look again in a moment, or ask for it: sluice sync {view.name} -n {view.namespace}",
        )
    )


# --- a source ---------------------------------------------------------------------------------------------------------


def _follow_source(node: Node) -> Chain:
    view = node.view
    if (held := _held(node)) is not None:
        return held
    if view.ready == "False" and view.problems:
        roots = [root_of(problem) for problem in view.problems]
        link = _link(view, f"{view.reason}: {view.problems[0].title}")
        return Chain((link,), node, roots[0], tuple(roots[1:]), since=view.since)
    if view.ready != "True":
        text = view.message if view.reason else "it has not fetched anything yet"
        return Chain((_link(view, text),), node, since=view.since, passing=True)
    return Chain((_link(view, f"fetched {short_revision(view.revision)}"),), node, since=view.since)


# --- small facts ------------------------------------------------------------------------------------------------------


def _source_key(node: Node) -> Key:
    return node.view.source_namespace, node.view.source.rpartition("/")[2]


def _same_source(one: Node, other: Node) -> bool:
    return one.view.source == other.view.source and _source_key(one) == _source_key(other)


def _head(view: View) -> str:
    """The revision of git that it has settled; one that was rolled back has settled the one it left."""
    return view.annotations.get(ROLLBACK_FROM, "") if view.rolled_back else view.revision


def _link(view: View, text: str, state: str = "") -> Link:
    return Link(view.reference, view.namespace, state or view.state, text)


def code_of(problem: ToldProblem) -> Code | None:
    """The registered code that a told problem names."""
    return next((code for code in codes.CODES if code.number == problem.code), None)


def is_echo(problem: ToldProblem) -> bool:
    """True for what only says that something else has to be ready first."""
    return problem.code in _ECHOES
