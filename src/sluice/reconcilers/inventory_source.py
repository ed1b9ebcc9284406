"""Where a sync's inventory comes from: our record; where there is none, what status and the last revision prove."""

from __future__ import annotations

import msgspec
import structlog

from sluice.api.kustomization import InventoryStatus, Kustomization
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core.errors import SluiceError
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.live import LiveManagers
from sluice.core.plan import Owner
from sluice.core.record import Record
from sluice.core.revision import Revision
from sluice.kube.resource import Resource
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.live_state import find_live, kinds_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.our_kinds import KUSTOMIZATIONS
from sluice.reconcilers.rendering import render_sync
from sluice.reconcilers.sync_facts import source_of
from sluice.runtime.applier import made_by_us
from sluice.runtime.live_lookup import look_up

log = structlog.get_logger()


class _Status(msgspec.Struct, frozen=True):
    inventory: InventoryStatus | None = None


class _WithInventory(msgspec.Struct, frozen=True):
    status: _Status = _Status()


async def inventory_of(operator: Operator, owner: Owner, sync: Kustomization) -> Inventory:
    """The record's inventory; where there is none, as far as it can be proved what it was.

    That is when a cluster is taken over from Flux, or somebody deleted the record: then it is the inventory in status,
    and what carries our owner labels of the revision that status says was applied last. Such entries have no UID: an
    object is pruned by them only while it carries those labels. Raises StateError when the record can't be read.
    """
    await operator.records.look_again(str(owner))
    record = operator.records.get(str(owner))
    if record is not None:
        return await confirmed(operator, record)
    if not sync.status.lastAppliedRevision or not sync.metadata.uid:
        return Inventory()
    told = await _of_status(operator, owner)
    return told.union(
        await _labelled(operator, owner, (await _of_last_good(operator, owner, sync)).without(told.ids()))
    )


async def _of_status(operator: Operator, owner: Owner) -> Inventory:
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


async def _of_last_good(operator: Operator, owner: Owner, sync: Kustomization) -> Inventory:
    """What the last good revision is made of by the present spec; empty when that can't be made any more."""
    source = operator.git_repositories.get(source_of(sync).namespace, source_of(sync).name)
    if source is None or validate_kustomization(sync, operator.rules):
        return Inventory()
    artifact = operator.artifacts.get(source_of(sync))
    try:
        revision = Revision.parse(sync.status.lastAppliedRevision)
        if artifact is None or artifact.revision != revision:
            artifact = await GitRepositoryReconciler(operator).earlier(source, revision)
        rendered = await render_sync(operator, sync, owner, artifact)
    except (SluiceError, ValueError) as error:
        log.warning("the last good revision can't be made again", name=str(owner), error=str(error))
        return Inventory()
    return Inventory(Entry(m.id, m.api_version) for m in rendered.manifests)


async def _labelled(operator: Operator, owner: Owner, inventory: Inventory) -> Inventory:
    """Those of its objects that carry the owner's labels."""
    live = await find_live(operator, owner, inventory.ids(), await kinds_of(operator, inventory))
    return inventory.without(key for key, found in live.items() if found is None or found.owner != owner)


async def confirmed(operator: Operator, record: Record) -> Inventory:
    """The record's inventory after a transaction was cut short: what it may have created is ours only if it did.

    An apply was under way and its answer never noted: the object that is there now may be another's, made meanwhile.
    """
    if record.target is None:
        return record.inventory.union(operator.records.moved(record.owner))
    known = record.target.inventory.ids() | record.target.images.keys()
    unsure = [entry for entry in record.inventory if not entry.uid and entry.id not in known]
    places: dict[tuple[Resource, str], set[ResourceId]] = {}
    for entry in unsure:
        resource = await operator.discovery.find_any(entry.api_version, entry.id.kind)
        if resource is not None:
            places.setdefault((resource, entry.id.namespace), set()).add(entry.id)
    found = await look_up(operator.client, places, LiveManagers)
    return record.inventory.without(k for k, live in found.items() if live is not None and not made_by_us(live))
