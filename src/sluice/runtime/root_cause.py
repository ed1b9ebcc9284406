"""Objects that are not healthy → what is wrong with their pods, read once, when a wait for them has failed.

A revision that is undone takes its pods with it: what they say must be read before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from sluice.core.errors import SluiceError
from sluice.core.health import assess
from sluice.core.ids import ResourceId
from sluice.core.pod_fault import PodFault, container_field, pod_selector, workload_fault
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.kube.well_known import PODS
from sluice.runtime.together import together

# More objects than this that fail at once have a common cause, which the first ones tell.
MAX_OBJECTS = 5
MAX_PODS = 50


async def root_causes(
    wanted: Iterable[tuple[KubeClient, ResourceId, Resource]],
) -> dict[ResourceId, tuple[PodFault, str]]:
    """The fault of each object that has one, and the path of the field that it is about.

    Each is looked at by the client beside it. Never raises for what the cluster answers: who may not
    read pods, or reads too late, learns nothing more.
    """
    chosen = list(wanted)[:MAX_OBJECTS]
    found = await together(_look(client, key, resource) for client, key, resource in chosen)
    return {key: fault for (_, key, _), fault in zip(chosen, found, strict=True) if fault is not None}


async def _look(client: KubeClient, key: ResourceId, resource: Resource) -> tuple[PodFault, str] | None:
    try:
        raw = await client.get(resource, key.namespace, key.name)
        if raw is None:
            return None
        obj: dict[str, Any] = msgspec.json.decode(raw)
        fault = await fault_of(client, obj)
    except SluiceError as error:
        import structlog  # the command line looks at pods, too, and writes no log

        structlog.get_logger().debug("no root cause", subject=str(key), error=str(error))
        return None
    return None if fault is None else (fault, container_field(obj, fault))


async def fault_of(client: KubeClient, obj: dict[str, Any]) -> PodFault | None:
    """The fault of a decoded object: its own, or the worst of its pods. Raises ClusterError."""
    return workload_fault(obj, await pods_of(client, obj))


async def pods_of(client: KubeClient, obj: dict[str, Any]) -> list[dict[str, Any]]:
    """The pods of a workload (a pod is its own), those that are not well first. Raises ClusterError."""
    if obj.get("kind") == "Pod":
        return [obj]
    selector = pod_selector(obj)
    if not selector:
        return []
    namespace = obj.get("metadata", {}).get("namespace", "")
    listed = await client.list(PODS, namespace, labels=selector, item_type=dict[str, Any])
    pods = [{"apiVersion": "v1", "kind": "Pod", **pod} for pod in listed.items]
    now = datetime.now(UTC)
    return sorted(pods, key=lambda pod: assess(pod, now).is_current)[:MAX_PODS]
