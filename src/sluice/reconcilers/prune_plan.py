"""The plan of deleting what is a sync's own: each object has to be proved its, and another sync gets what it wants."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Owner, Plan, PlanOptions, build_plan
from sluice.kube.resource import Resource
from sluice.reconcilers.live_state import find_live
from sluice.reconcilers.moves import came_back, note_offers, takers_of
from sluice.reconcilers.operator import Operator


async def plan_prune(
    operator: Operator, owner: Owner, leaving: Inventory, resources: Mapping[ResourceId, Resource | None]
) -> Plan:
    """Delete all of `leaving` that nobody else wants; `resources` says how each kind is served.

    Raises NotReady, ClusterError, StateError.
    """
    live = await find_live(operator, owner, leaving.ids(), resources)
    handed = await takers_of(operator, owner, leaving.ids(), live.get)
    plan = build_plan(owner, (), leaving, live.__getitem__, handed.within(PlanOptions()))
    note_offers(operator, plan, handed)
    if await came_back(operator, plan, live, resources):
        return await plan_prune(operator, owner, leaving, resources)
    return plan
