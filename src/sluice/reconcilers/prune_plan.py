"""The plan of deleting what is a sync's own: each object has to be proved its, and another sync gets what it wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Live, Owner, Plan, PlanOptions, build_plan
from sluice.kube.resource import Resource
from sluice.reconcilers.moves import HandOver, plan_leaving
from sluice.reconcilers.operator import Operator


async def plan_prune(
    operator: Operator, owner: Owner, leaving: Inventory, resources: Mapping[ResourceId, Resource | None]
) -> Plan:
    """Delete all of `leaving` that nobody else wants; `resources` says how each kind is served.

    Raises NotReady, ClusterError, StateError.
    """

    def build(live: Callable[[ResourceId], Live | None], handed: HandOver) -> Plan:
        return build_plan(owner, (), leaving, live, handed.within(PlanOptions()))

    return await plan_leaving(operator, owner, leaving.ids(), leaving.ids(), resources, build)
