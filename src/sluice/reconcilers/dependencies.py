"""Whether what a Kustomization depends on is ready. Pure: reads only what the watch has brought."""

from __future__ import annotations

from typing import Any

import msgspec

from sluice.api.kustomization import GROUP, KIND, VERSION, Kustomization
from sluice.core import codes, condition
from sluice.core.cel import CelError, parse_cel
from sluice.core.depends_on import find_cycle
from sluice.core.errors import NotReady, UserError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.problem import Problem
from sluice.core.problem_text import in_brief
from sluice.core.revision import Revision
from sluice.reconcilers.operator import Objects
from sluice.reconcilers.sync_facts import rollback_of, source_of, sync_id


def dependencies_of(sync: Kustomization) -> tuple[NamespacedName, ...]:
    """The keys of what it depends on."""
    home = sync.metadata.namespace
    return tuple(NamespacedName(d.namespace or home, d.name) for d in sync.spec.dependsOn)


def check_dependencies(sync: Kustomization, all_syncs: Objects[Kustomization], revision: Revision) -> None:
    """Return when every dependency is ready; at the same revision where both read the same source.

    Raises NotReady (woken when one becomes ready), or UserError for a circle.
    """
    wanted = tuple(zip(dependencies_of(sync), (d.readyExpr for d in sync.spec.dependsOn), strict=True))
    if not wanted:
        return
    this = sync_id(sync)
    cycle = find_cycle(reachable(sync, all_syncs))
    if sync.metadata.key in cycle:
        raise UserError(
            Problem(
                codes.DEPENDENCY_CYCLE,
                "Kustomizations depend on each other in a circle",
                subject=this,
                field="spec.dependsOn",
                cause=" → ".join(map(str, (*cycle, cycle[0]) if cycle[0] != cycle[-1] else cycle)),
                fix="remove one of these dependencies",
            )
        )
    unmet = (
        _untrue(sync, this, key, all_syncs, text) if text else _unmet(sync, this, key, all_syncs, revision)
        for key, text in wanted
    )
    problems = tuple(problem for problem in unmet if problem is not None)
    if problems:
        raise NotReady(*problems)


def reachable(
    sync: Kustomization, all_syncs: Objects[Kustomization]
) -> dict[NamespacedName, tuple[NamespacedName, ...]]:
    """The dependencies of everything that `sync` depends on, directly or not."""
    graph = {sync.metadata.key: dependencies_of(sync)}
    todo = list(dependencies_of(sync))
    while todo:
        key = todo.pop()
        other = all_syncs.get(key.namespace, key.name)
        if other is not None and key not in graph:
            graph[key] = dependencies_of(other)
            todo.extend(graph[key])
    return graph


def waiters_of(key: NamespacedName, all_syncs: Objects[Kustomization]) -> tuple[str, ...]:
    """The syncs that wait for this one while it fails, directly or through others, as namespace/name, in order."""
    graph: dict[NamespacedName, list[NamespacedName]] = {}
    for sync in all_syncs.items():
        if sync.spec.dependsOn:
            for needed in dependencies_of(sync):
                graph.setdefault(needed, []).append(sync.metadata.key)
    found: set[NamespacedName] = set()
    todo = [key]
    while todo:
        new = [waiter for waiter in graph.get(todo.pop(), ()) if waiter not in found and waiter != key]
        found.update(new)
        todo += new
    return tuple(map(str, sorted(found)))


def readers_of(source: ResourceId, all_syncs: Objects[Kustomization]) -> tuple[str, ...]:
    """The syncs that read a source, as namespace/name, in order: none of them gets further while it fails."""
    return tuple(map(str, sorted(sync.metadata.key for sync in all_syncs.items() if source_of(sync) == source)))


def _unmet(
    sync: Kustomization, this: ResourceId, key: NamespacedName, all_syncs: Objects[Kustomization], revision: Revision
) -> Problem | None:
    other = all_syncs.get(key.namespace, key.name)
    if other is None:
        names = ", ".join(sorted(s.metadata.name for s in all_syncs.items() if s.metadata.namespace == key.namespace))
        return _problem(this, key, f"it does not exist; in {key.namespace} there are: {names or 'none'}")
    ready = condition.find_condition(other.status.conditions, condition.READY)
    if ready is None or ready.status != "True" or other.status.observedGeneration != other.metadata.generation:
        said = in_brief(ready.message).partition("\n")[0] if ready is not None else "it has not run yet"
        return _problem(this, key, said)
    if source_of(other) == source_of(sync) and _reached(other) != str(revision):
        return _problem(this, key, f"it is still at {other.status.lastAppliedRevision}, not at {revision}")
    return None


def _untrue(
    sync: Kustomization, this: ResourceId, key: NamespacedName, all_syncs: Objects[Kustomization], text: str
) -> Problem | None:
    """Why a dependency is not ready by the expression that says when it is, in place of its Ready and revision."""
    other = all_syncs.get(key.namespace, key.name)
    if other is None:
        return _problem(this, key, "it does not exist")
    try:
        if parse_cel(text, "self", "dep").holds({"self": _fields(sync), "dep": _fields(other)}):
            return None
    except CelError as error:
        return _problem(this, key, f"readyExpr {text} has no answer: {error}")
    return _problem(this, key, f"readyExpr {text} is not true")


def _fields(sync: Kustomization) -> dict[str, Any]:
    """The object as an expression sees it, with the parts that it may be without."""
    found: dict[str, Any] = msgspec.to_builtins(sync)
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND, "status": {}, **found}


def _reached(sync: Kustomization) -> str:
    """The revision of git that it has settled; one that was rolled back has settled the one it was rolled back from."""
    rollback, applied = rollback_of(sync), sync.status.lastAppliedRevision
    return rollback.head if rollback is not None and rollback.to == applied else applied


def _problem(this: ResourceId, key: NamespacedName, cause: str) -> Problem:
    return Problem(
        codes.DEPENDENCY_NOT_READY,
        f"dependency '{key}' is not ready",
        subject=this,
        field="spec.dependsOn",
        cause=cause,
        fix=f"look at Kustomization {key}",
    )
