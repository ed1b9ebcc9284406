"""What is live of the objects that a plan is about, also when a kind went away since discovery was last read."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Live, Owner
from sluice.kube.resource import Resource
from sluice.reconcilers.operator import Operator


async def kinds_of(operator: Operator, inventory: Inventory) -> dict[ResourceId, Resource | None]:
    """How the API server serves the kind of each entry; None where it does not."""
    return {e.id: await operator.discovery.find(e.api_version, e.id.kind) for e in inventory}


async def find_live(
    operator: Operator,
    owner: Owner,
    wanted: Collection[ResourceId],
    resources: Mapping[ResourceId, Resource | None],
) -> dict[ResourceId, Live | None]:
    """The live metadata of every id of `wanted`, as the account of `owner` sees it; None where it is not there.

    A kind that the server has stopped serving (its CRD was deleted) has no objects. Raises ClusterError when a look-up
    fails: that is never taken for an absence.
    """
    client = operator.identities.client(owner)
    try:
        return await operator.lookup.find(wanted, resources, client)
    except ClusterError as error:
        if not any(problem.code is codes.UNKNOWN_KIND for problem in error.problems):
            raise
    await operator.discovery.invalidate()
    served = {
        key: await operator.discovery.find(resource.api_version, resource.kind) if resource is not None else None
        for key, resource in resources.items()
    }
    return await operator.lookup.find(wanted, served, client)
