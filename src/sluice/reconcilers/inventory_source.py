"""Where a sync's inventory comes from: our record; where there is none, the status that Flux left."""

from __future__ import annotations

from collections.abc import Collection

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
from sluice.runtime.live_lookup import LIST_FROM
from sluice.runtime.together import together


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
    others = await together(_of_others(operator, *place, ids) for place, ids in places.items())
    return record.inventory.without(set[ResourceId]().union(*others))


async def _of_others(
    operator: Operator, resource: Resource, namespace: str, ids: Collection[ResourceId]
) -> set[ResourceId]:
    """Those of `ids` that somebody else has made, by one list where they are many."""
    if len(ids) >= LIST_FROM:
        listed = await operator.client.list(resource, namespace, item_type=LiveManagers)
        found = [each for each in listed.items if resource.id_of(namespace, each.metadata.name) in ids]
    else:
        raws = await together(operator.client.get(resource, namespace, key.name) for key in ids)
        found = [msgspec.json.decode(raw, type=LiveManagers) for raw in raws if raw is not None]
    return {resource.id_of(namespace, each.metadata.name) for each in found if not made_by_us(each)}
