"""What is known of objects that syncs own, while their writes are under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

from sluice.core.ids import ResourceId
from sluice.core.live import LiveMeta
from sluice.core.plan import OWNER_NAME, OWNER_NAMESPACE, Owner
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess
from sluice.kube.resource import Resource
from sluice.kube.watch import EventType, WatchEvent
from sluice.runtime.owned import OwnedObjects

SHARED = ResourceId("", "ConfigMap", "shop", "shared")


async def test_two_syncs_that_send_one_object_at_the_same_time_end_in_any_order() -> None:
    async with asyncio.TaskGroup() as group:
        owned = OwnedObjects(KubeClient(ClusterAccess("http://127.0.0.1:1")), group, lambda owner, resource: None)
        first, second = owned.sending(SHARED), owned.sending(SHARED)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        with owned.sending(SHARED):
            assert owned.get(SHARED) is None


async def test_who_had_an_object_is_told_when_another_sync_has_taken_it() -> None:
    told: list[tuple[Owner, ResourceId]] = []
    before, after = Owner("shop", "old"), Owner("shop", "new")
    async with asyncio.TaskGroup() as group:
        suspect = lambda owner, resource: told.append((owner, resource))  # noqa: E731
        owned = OwnedObjects(KubeClient(ClusterAccess("http://127.0.0.1:1")), group, suspect)
        for owner, version in ((before, "1"), (before, "2"), (after, "3"), (after, "4")):
            meta = LiveMeta(name="shared", namespace="shop", uid="u", resource_version=version, labels=owner.labels())
            owned.applied(SHARED, meta, frozenset())
    assert told == [(before, SHARED)]


def meta(name: str, version: str) -> LiveMeta:
    labels = {OWNER_NAME: "web", OWNER_NAMESPACE: "op"}
    return LiveMeta(name=name, namespace="shop", uid=name, resource_version=version, labels=labels)


def told(name: str, version: str) -> WatchEvent[LiveMeta]:
    return WatchEvent(EventType.ADDED, meta(name, version), "shop", name, version)


class Script:
    """A watch that tells what it is given: that an answer comes between two events can't be had of a server."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[WatchEvent[LiveMeta]] = asyncio.Queue()

    async def watch(self, *_: Any, **__: Any) -> AsyncGenerator[WatchEvent[LiveMeta], None]:
        while True:
            yield await self.events.get()
            self.events.task_done()


async def test_what_we_applied_while_the_full_state_was_told_again_is_not_taken_for_gone() -> None:
    script, suspects = Script(), list[str]()
    async with asyncio.TaskGroup() as group:
        owned = OwnedObjects(cast("KubeClient", script), group, lambda owner, resource: suspects.append(resource.name))
        owned.ensure(Resource("", "v1", "ConfigMap", "configmaps", namespaced=True))
        for event in (told("stays", "5"), told("goes", "6"), WatchEvent(EventType.SYNCED, resource_version="6")):
            script.events.put_nowait(event)
        script.events.put_nowait(WatchEvent(EventType.RESTARTED))
        script.events.put_nowait(told("stays", "5"))
        await script.events.join()
        new = ResourceId("", "ConfigMap", "shop", "new")
        owned.applied(new, meta("new", "8"), frozenset())
        script.events.put_nowait(WatchEvent(EventType.SYNCED, resource_version="7"))
        script.events.put_nowait(told("new", "8"))
        await script.events.join()
        assert suspects == ["goes"]
        assert owned.get(new) is not None
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
