"""Where a sync's inventory comes from: our record; where there is none, the status that Flux left."""

from __future__ import annotations

import msgspec

from sluice.api.kustomization import InventoryStatus, Kustomization
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.plan import Owner
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.our_kinds import KUSTOMIZATIONS


class _Status(msgspec.Struct, frozen=True):
    inventory: InventoryStatus | None = None


class _WithInventory(msgspec.Struct, frozen=True):
    status: _Status = _Status()


async def inventory_of(operator: Operator, owner: Owner, sync: Kustomization) -> Inventory:
    """The record's inventory, or the one in status when this cluster is being taken over.

    Entries read from status carry no UID: such an object is pruned only while it carries our owner labels.
    Raises StateError when the record can't be read.
    """
    await operator.records.look_again(str(owner))
    record = operator.records.get(str(owner))
    if record is not None:
        return record.inventory
    if not sync.status.lastAppliedRevision or not sync.metadata.uid:
        return Inventory()
    raw = await operator.client.get(KUSTOMIZATIONS, owner.namespace, owner.name)
    status = msgspec.json.decode(raw, type=_WithInventory).status if raw is not None else _Status()
    entries = []
    for entry in status.inventory.entries if status.inventory else ():
        try:
            resource = ResourceId.from_inventory_id(entry.id)
        except ValueError:
            continue  # not Flux's form: nothing can be proved about it, so it is never pruned
        entries.append(Entry(resource, f"{resource.group}/{entry.v}" if resource.group else entry.v))
    return Inventory(entries)
