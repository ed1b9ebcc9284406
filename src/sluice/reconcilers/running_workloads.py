"""The workloads that run, from watches of their kinds; of each object only what is named in `RunningWorkload` is kept.

HelmReleases are watched where somebody has installed their kinds: looked for at the start, and whenever automation
takes a turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import structlog

from sluice.core.errors import ClusterError
from sluice.core.image import ImageRef
from sluice.core.image_update.workload import WorkloadId
from sluice.core.running_workload import RunningWorkload, running_workload
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource, Selection
from sluice.kube.watch import STANDING, EventType
from sluice.kube.watch_cache import WatchCache
from sluice.kube.well_known import WORKLOADS

RETRY = 2.0
REFUSED_RETRY = 300.0
log = structlog.get_logger()
Listener = Callable[[EventType, RunningWorkload, RunningWorkload | None], None]


class RunningWorkloads:
    """Those of all namespaces. Nothing is watched until `ensure` is called; its tasks are in the given group."""

    def __init__(self, client: KubeClient, discovery: Discovery, group: asyncio.TaskGroup) -> None:
        self._client = client
        self._discovery = discovery
        self._group = group
        self._caches: dict[Resource, WatchCache[RunningWorkload]] = {}
        self._listeners: list[Listener] = []

    async def ensure(self) -> None:
        """Watch every kind that is served by now, if it is not watched yet; returns once all is known."""
        served = [kind for kind in WORKLOADS if self._discovery.known(kind.api_version, kind.kind) is not None]
        caches = {kind: self._cache(kind) for kind in served if kind not in self._caches}
        self._caches |= caches
        for kind, cache in caches.items():
            for listener in self._listeners:
                cache.subscribe(listener)
            self._group.create_task(_follow(cache, kind))
        for cache in tuple(self._caches.values()):
            await cache.synced.wait()

    def _cache(self, kind: Resource) -> WatchCache[RunningWorkload]:
        def project(item: Any) -> RunningWorkload | None:
            return running_workload({**item, "apiVersion": kind.api_version, "kind": kind.kind})

        return WatchCache(self._client, Selection(kind), dict[str, Any], policy=STANDING, project=project)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` for every workload, first for those that are there."""
        self._listeners.append(listener)
        for cache in self._caches.values():
            cache.subscribe(listener)

    def items(self, namespace: str = "") -> list[RunningWorkload]:
        """The workloads of a namespace (empty: all), in the order of their names."""
        return sorted((each for each in self._all() if namespace in {"", each.id.namespace}), key=lambda each: each.id)

    def get(self, identity: WorkloadId) -> RunningWorkload | None:
        """The workload of this name; None when it does not run."""
        named = (cache.get(identity.namespace, identity.name) for cache in self._caches.values())
        return next((each for each in named if each is not None and each.id == identity), None)

    def using(self, name: str, namespace: str = "") -> list[RunningWorkload]:
        """The workloads with an image of the repository `name` (canonical)."""
        return [each for each in self.items(namespace) if name in {image.canonical_name for image in each.images()}]

    def image(self, name: str) -> ImageRef | None:
        """Any image of the repository `name` that runs."""
        images = (image for each in self._all() for image in each.images())
        return next((image for image in images if image.canonical_name == name), None)

    def _all(self) -> Iterator[RunningWorkload]:
        for cache in self._caches.values():
            yield from cache.items()


async def _follow(cache: WatchCache[RunningWorkload], kind: Resource) -> None:
    """Keep the cache true. What may not be watched is told once, and counts as not running."""
    told = False
    while True:
        pause = RETRY
        try:
            await cache.run()
        except ClusterError as error:
            if error.status not in {403, 404}:
                raise
            if error.status == 403:
                pause = REFUSED_RETRY
                if not told:
                    log.warning("images of this kind are not known", kind=kind.kind, error=str(error))
                told = True
            cache.synced.set()
        await asyncio.sleep(pause)
