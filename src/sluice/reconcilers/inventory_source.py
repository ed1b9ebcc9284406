"""Where a sync's inventory comes from: our record; where there is none, the status that Flux left."""

from __future__ import annotations

import msgspec

from sluice.api.kustomization import InventoryStatus, Kustomization
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.live import LiveManagers
from sluice.core.plan import Owner
from sluice.core.record import Record
from sluice.kube.resource import Resource
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.our_kinds import KUSTOMIZATIONS
from sluice.runtime.applier import made_by_us
from sluice.runtime.live_lookup import look_up


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
        return await _confirmed(operator, record)
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


async def _confirmed(operator: Operator, record: Record) -> Inventory:
    """The record's inventory after a transaction was cut short: what it may have created is ours only if it did.

    An apply was under way and its answer never noted: the object that is there now may be another's, made meanwhile.
    """
    if record.target is None:
        return record.inventory
    known = record.target.inventory.ids() | record.target.images.keys()
    unsure = [entry for entry in record.inventory if not entry.uid and entry.id not in known]
    places: dict[tuple[Resource, str], set[ResourceId]] = {}
    for entry in unsure:
        resource = await operator.discovery.find(entry.api_version, entry.id.kind)
        if resource is not None:
            places.setdefault((resource, entry.id.namespace), set()).add(entry.id)
    found = await look_up(operator.client, places, LiveManagers)
    return record.inventory.without(k for k, live in found.items() if live is not None and not made_by_us(live))
