"""What is known of objects that syncs own, while their writes are under way."""

from __future__ import annotations

import asyncio

from sluice.core.ids import ResourceId
from sluice.core.live import LiveMeta
from sluice.core.plan import Owner
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess
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
