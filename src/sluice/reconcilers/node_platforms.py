"""What the cluster's nodes run: of an image for several platforms, those are looked at besides linux/amd64.

Nodes change every few seconds, so those of known platforms are not watched: each watch selects by label what is *not*
known yet. It tells nothing until a node of another kind joins, whatever the number of nodes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

import structlog

from sluice.core.errors import SluiceError
from sluice.core.live import LiveMeta
from sluice.kube.client import KubeClient
from sluice.kube.watch import EventType
from sluice.kube.well_known import NODES
from sluice.registry.manifest import LINUX_AMD64, Platform

# A kubelet may label its own node as it likes, and each platform more means that every tag is looked at anew.
MOST = 8
OS, ARCHITECTURE = "kubernetes.io/os", "kubernetes.io/arch"
log = structlog.get_logger()


class NodePlatforms:
    """Tells `learned` of the platforms to look for, each time that there is one more.

    linux/amd64 comes first, as for fluxd, then what the kubelets' labels say. One that no node has any more stays until
    the process ends: another list of platforms means that every tag is looked at anew.
    """

    def __init__(self, client: KubeClient, learned: Callable[[tuple[Platform, ...]], None]) -> None:
        self._client = client
        self._learned = learned
        self._platforms = frozenset(LINUX_AMD64)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Returns once the nodes of today are known, by one list of metadata; without the right linux/amd64 alone is.

        Up to MOST platforms are. A new operating system or architecture is noticed, not a node that pairs known ones.
        """
        try:
            nodes = (await self._client.list_metadata(NODES)).items
        except SluiceError as error:
            log.warning("only images for linux/amd64 are looked for", error=str(error))
            return
        self._learn(platform for node in nodes if (platform := _platform(node)) is not None)
        group.create_task(self._follow(ARCHITECTURE, lambda platform: platform.architecture))
        group.create_task(self._follow(OS, lambda platform: platform.os))

    async def _follow(self, label: str, value: Callable[[Platform], str]) -> None:
        """Learn the platform of each node whose label has another value than all known platforms."""
        try:
            while len(self._platforms) < MOST:
                platform = await self._another(unlike(label, {value(known) for known in self._platforms}))
                log.info("a node of another platform has joined", platform=str(platform))
                self._learn([platform])
        except SluiceError as error:
            log.warning("nodes of other platforms are known after the next start only", error=str(error))

    async def _another(self, selector: str) -> Platform:
        events = self._client.watch(NODES, labels=selector)
        async with contextlib.aclosing(events):
            async for event in events:
                platform = _platform(event.item) if event.item is not None else None
                if platform is not None and event.type is not EventType.DELETED:
                    return platform
        raise AssertionError("a watch ends by raising")

    def _learn(self, found: Iterable[Platform]) -> None:
        others = sorted(set(found) - self._platforms, key=str)
        self._platforms = self._platforms.union(others[: MOST - len(self._platforms)])
        self._learned((*LINUX_AMD64, *sorted(self._platforms - set(LINUX_AMD64), key=str)))


def unlike(label: str, values: Iterable[str]) -> str:
    """Select what has the label, with another value than these."""
    return f"{label},{label} notin ({','.join(sorted(values))})"


def _platform(node: LiveMeta) -> Platform | None:
    system, architecture = node.labels.get(OS), node.labels.get(ARCHITECTURE)
    return Platform(system, architecture) if system and architecture else None
