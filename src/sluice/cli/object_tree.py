"""What a sync owns: the objects of its inventory with their health, and below them what their controllers made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sluice.cli.any_object import Object
from sluice.cli.chain_node import Node
from sluice.cli.cluster import Cluster
from sluice.core.errors import ClusterError
from sluice.core.health import Health, HealthStatus, assess, needs_watch, not_found
from sluice.core.ids import ResourceId
from sluice.core.plan import Owner
from sluice.core.pod_fault import pod_fault
from sluice.kube.resource import Resource
from sluice.kube.well_known import PODS
from sluice.runtime.together import together

REPLICA_SETS = Resource("apps", "v1", "ReplicaSet", "replicasets", namespaced=True)
_MAKERS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})


@dataclass(frozen=True, slots=True)
class Branch:
    """One object with its health, and the objects that it made."""

    id: ResourceId
    uid: str
    health: Health
    children: tuple[Branch, ...] = ()

    @property
    def well(self) -> bool:
        """True when it and all below it are as wanted."""
        return self.health.is_current and all(child.well for child in self.children)

    def flat(self) -> Iterable[Branch]:
        """It and all below it."""
        yield self
        for child in self.children:
            yield from child.flat()


async def object_tree(cluster: Cluster, node: Node) -> tuple[Branch, ...]:
    """The inventory in its order. An object that is not there is NotFound; what may not be read is Unknown."""
    kinds: dict[tuple[str, str, str], list[ResourceId]] = defaultdict(list)
    for key, version in node.inventory:
        kinds[f"{key.group}/{version}" if key.group else version, key.kind, key.namespace].append(key)
    owner = Owner(*node.key)
    found: dict[ResourceId, Branch] = {}
    for several in await together(_branches(cluster, *where, keys, owner) for where, keys in kinds.items()):
        found |= several
    makers = {key.namespace for key in found if key.kind in _MAKERS}
    made = await _made(cluster, makers)
    return tuple(_with_children(found[key], made) for key, _ in node.inventory)


async def _branches(
    cluster: Cluster, api_version: str, kind: str, namespace: str, keys: list[ResourceId], owner: Owner
) -> dict[ResourceId, Branch]:
    resource = await cluster.discovery.find(api_version, kind)
    if resource is None:
        gone = Health(HealthStatus.NOT_FOUND, f"kind {kind} is not served")
        return {key: Branch(key, "", gone) for key in keys}
    labels = ",".join(f"{name}={value}" for name, value in owner.labels().items())
    try:
        live = await _live(cluster, resource, namespace, labels)
    except ClusterError as error:
        if error.status != 403:
            raise
        unseen = Health(HealthStatus.UNKNOWN, "may not be read")
        return {key: Branch(key, "", unseen) for key in keys}
    return {key: live.get(key.name, Branch(key, "", not_found())) for key in keys}


async def _live(cluster: Cluster, resource: Resource, namespace: str, labels: str) -> dict[str, Branch]:
    now = datetime.now(UTC)
    if not needs_watch(resource.id_of("", "").group_kind):  # well as soon as it is there: its content is not asked for
        metas = (await cluster.client.list_metadata(resource, namespace, labels=labels)).items
        return {
            m.name: Branch(resource.id_of(m.namespace, m.name), m.uid, _there(m.deletion_timestamp, m.finalizers))
            for m in metas
        }
    listed = await cluster.client.list(resource, namespace, labels=labels, item_type=dict[str, Any])
    branches = (_branch(resource, item, now) for item in listed.items)
    return {branch.id.name: branch for branch in branches}


def _branch(resource: Resource, item: Object, now: datetime) -> Branch:
    obj = {"apiVersion": resource.api_version, "kind": resource.kind, **item}
    meta, health = obj.get("metadata", {}), assess(obj, now)
    if meta.get("deletionTimestamp"):
        health = _there(meta["deletionTimestamp"], meta.get("finalizers") or ())
    fault = pod_fault(obj) if resource.kind == "Pod" else None
    if fault is not None:
        health = Health(HealthStatus.FAILED, fault.problem.title)
    return Branch(resource.id_of(meta.get("namespace", ""), meta.get("name", "")), meta.get("uid", ""), health)


def _there(deleted: str | None, finalizers: Iterable[str]) -> Health:
    """That an object is there, or is being deleted and by what it is held."""
    if not deleted:
        return Health(HealthStatus.CURRENT, "")
    held = ", ".join(finalizers)
    return Health(HealthStatus.TERMINATING, f"is being deleted; held by {held}" if held else "is being deleted")


async def _made(cluster: Cluster, namespaces: Iterable[str]) -> dict[str, list[Branch]]:
    """ReplicaSets and pods by the UID of the object that controls them. ReplicaSets without replicas are history."""
    made: dict[str, list[Branch]] = defaultdict(list)
    now = datetime.now(UTC)
    for namespace in sorted(namespaces):
        for resource in (REPLICA_SETS, PODS):
            try:
                listed = await cluster.client.list(resource, namespace, item_type=dict[str, Any])
            except ClusterError as error:
                if error.status != 403:
                    raise
                continue
            for item in listed.items:
                if resource is REPLICA_SETS and not (item.get("spec") or {}).get("replicas"):
                    continue
                for reference in (item.get("metadata") or {}).get("ownerReferences") or ():
                    if reference.get("controller"):
                        made[reference.get("uid", "")].append(_branch(resource, item, now))
    return made


def _with_children(branch: Branch, made: dict[str, list[Branch]]) -> Branch:
    if not branch.uid:
        return branch
    children = tuple(_with_children(child, made) for child in sorted(made.get(branch.uid, ()), key=lambda b: b.id))
    return Branch(branch.id, branch.uid, branch.health, children)
