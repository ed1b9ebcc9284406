"""Whether what a Kustomization depends on is ready. Pure: reads only what the watch has brought."""

from __future__ import annotations

from sluice.api.kustomization import Kustomization
from sluice.core import codes, condition
from sluice.core.depends_on import find_cycle
from sluice.core.errors import NotReady, UserError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.problem import Problem
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
    wanted = dependencies_of(sync)
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
    problems = tuple(p for key in wanted if (p := _unmet(sync, this, key, all_syncs, revision)) is not None)
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


def _unmet(
    sync: Kustomization, this: ResourceId, key: NamespacedName, all_syncs: Objects[Kustomization], revision: Revision
) -> Problem | None:
    other = all_syncs.get(key.namespace, key.name)
    if other is None:
        names = ", ".join(sorted(s.metadata.name for s in all_syncs.items() if s.metadata.namespace == key.namespace))
        return _problem(this, key, f"it does not exist; in {key.namespace} there are: {names or 'none'}")
    ready = condition.find_condition(other.status.conditions, condition.READY)
    if ready is None or ready.status != "True" or other.status.observedGeneration != other.metadata.generation:
        return _problem(this, key, ready.message if ready is not None else "it has not run yet")
    if source_of(other) == source_of(sync) and _reached(other) != str(revision):
        return _problem(this, key, f"it is still at {other.status.lastAppliedRevision}, not at {revision}")
    return None


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
