"""Objects with a sync's labels that nothing proves to be its own: told, and never pruned.

They are left over where a record was lost and neither status nor the last good revision names them; or Flux left them.
"""

from __future__ import annotations

import structlog

from sluice.core.errors import SluiceError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Action, Owner, Plan
from sluice.reconcilers.operator import Operator

log = structlog.get_logger()


def is_suspicious(told: str, plan: Plan) -> bool:
    """True when a sync without a record was at some revision before: its status says so, or its objects do."""
    labelled = (c for c in plan.changes() if c.action is Action.UPDATE and c.id not in plan.before)
    return bool(told) or any(labelled)


async def find_strays(operator: Operator, owner: Owner, inventory: Inventory) -> tuple[ResourceId, ...]:
    """Look everywhere for objects with the owner's labels that `inventory` does not hold. Where that fails, none."""
    try:
        labelled = await operator.survey.labelled(owner)
    except SluiceError as error:
        log.warning("it can't be looked for leftovers", name=str(owner), error=str(error))
        return ()
    found = tuple(sorted(each for each in labelled if each not in inventory))
    for each in found:
        resource = await operator.discovery.find_preferred(each.group, each.kind)
        if resource is not None and "watch" in resource.verbs:
            operator.owned.ensure(resource)
    return found


class Strays:
    """Those of every sync, until they are gone or in an inventory again.

    Memory only: after a restart they are not told again.
    """

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._strays: dict[NamespacedName, tuple[ResourceId, ...]] = {}

    def forget(self, key: NamespacedName) -> None:
        """The sync is gone."""
        self._strays.pop(key, None)

    async def look(self, owner: Owner, inventory: Inventory) -> tuple[ResourceId, ...]:
        """Look for them now; returns what is new."""
        found = await find_strays(self._op, owner, inventory)
        if found:
            self._strays[NamespacedName(owner.namespace, owner.name)] = found
        return found

    def standing(self, owner: Owner, inventory: Inventory) -> tuple[ResourceId, ...]:
        """Those that are still there, as far as the watches know. Costs no request."""
        key = NamespacedName(owner.namespace, owner.name)
        left = tuple(s for s in self._strays.get(key, ()) if s not in inventory and self._stands(owner, s))
        if left:
            self._strays[key] = left
        else:
            self.forget(key)
        return left

    def _stands(self, owner: Owner, stray: ResourceId) -> bool:
        if not self._op.owned.knows(stray.group_kind):
            return True
        live = self._op.owned.get(stray)
        return live is not None and live.owner == owner
