"""What is known of objects that syncs own, while their writes are under way."""

from __future__ import annotations

import asyncio

from sluice.core.ids import ResourceId
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
