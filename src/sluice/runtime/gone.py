"""Waits, by watch, until an object is gone."""

from __future__ import annotations

import contextlib

from sluice.core.ids import ResourceId
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.kube.watch import EventType


async def await_gone(client: KubeClient, resource: Resource, key: ResourceId, uid: str) -> None:
    """Return when no object with that UID is there any more. Bound it with `asyncio.timeout`."""
    there = False
    fields = f"metadata.name={key.name}"
    async with contextlib.aclosing(client.watch(resource, key.namespace, fields=fields)) as events:
        async for event in events:
            match event.type:
                case EventType.RESTARTED:
                    there = False
                case EventType.SYNCED if not there:
                    return
                case EventType.DELETED:
                    return
                case _ if event.item is not None:
                    if event.item.uid != uid:
                        return
                    there = True
