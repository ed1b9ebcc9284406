"""What a person should know of a plan before it is executed, though nothing speaks against it.

Two things: what an undo could not take back, and what a new object needs that one still holds which is pruned last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from sluice.core import codes, irreversible
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.plan import Change, Plan
from sluice.core.problem import Problem

SERVICE = GroupKind("", "Service")
INGRESS = GroupKind("networking.k8s.io", "Ingress")
Object = Mapping[str, Any]


def wanted_live(plan: Plan) -> tuple[Change, ...]:
    """The changes whose live objects `plan_warnings` has to see whole: mostly none."""
    exclusive = {c.id.group_kind for c in _applied(plan) if c.id.group_kind in {SERVICE, INGRESS} and _holds(_body(c))}
    pruned = [c for batch in plan.prunes for c in batch.changes if c.id.group_kind in exclusive]
    return (*irreversible.wanted_live(plan), *pruned)


def plan_warnings(plan: Plan, live: Mapping[ResourceId, Object]) -> tuple[Problem, ...]:
    """The warnings. `live` has the objects of `wanted_live` that could be read."""
    return (*irreversible.runs(plan), *irreversible.irreversible(plan, live), *_collisions(plan, live))


def _collisions(plan: Plan, live: Mapping[ResourceId, Object]) -> Iterable[Problem]:
    held = {
        (change.id.group_kind, what): change.id
        for batch in plan.prunes
        for change in batch.changes
        for what in _holds(live.get(change.id, {}))
    }
    if not held:
        return
    for change in _applied(plan):
        for what in _holds(_body(change)):
            holder = held.get((change.id.group_kind, what))
            if holder is not None:
                yield _warning(
                    change,
                    f"{what} still belongs to {holder}, which this revision prunes",
                    "pruning comes last, when the rest is known to be well",
                    f"remove {holder} in a commit of its own first, or choose another",
                )


def _holds(body: Object) -> tuple[str, ...]:
    """What only one Service or Ingress can have: node ports, or hosts with their paths."""
    spec = _part(body, "spec")
    ports = [port for port in _items(spec, "ports") if port.get("nodePort")]
    found = [f"nodePort {port['nodePort']}/{port.get('protocol', 'TCP')}" for port in ports]
    found += [
        f"host {rule.get('host') or '*'} path {path.get('path') or '/'}"
        for rule in _items(spec, "rules")
        for path in _items(_part(rule, "http"), "paths")
    ]
    return tuple(found)


def _warning(change: Change, title: str, cause: str, fix: str) -> Problem:
    origin = change.manifest.origin if change.manifest is not None else None
    return Problem(codes.COLLISION, title, change.id, origin, cause=cause, fix=fix)


def _applied(plan: Plan) -> Iterable[Change]:
    return (change for batch in plan.applies for change in batch.changes)


def _body(change: Change) -> Object:
    if change.manifest is None or change.id.group_kind not in {SERVICE, INGRESS}:
        return {}
    body: Object = msgspec.json.decode(change.manifest.body)
    return body


def _part(value: Object, name: str) -> Object:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _items(value: Object, name: str) -> list[Object]:
    found = value.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
