"""One object in the API server → every state it goes through, with the moment at which the API server told it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.kube.watch import EventType

T = TypeVar("T")
PATIENCE = 15.0


class NotObserved(Exception):
    """The API server did not show what a step waits for; `str()` says what it showed instead."""


@dataclass(frozen=True, slots=True)
class Target(Generic[T]):
    """The object to follow, and what to read of it."""

    resource: Resource
    namespace: str
    name: str
    item_type: type[T]
    describe: Callable[[T], str] = str

    def __str__(self) -> str:
        return f"{self.resource.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Sight(Generic[T]):
    """A state of the object (None: it is not there) and when it was told, on the monotonic clock."""

    at: float
    item: T | None


class Lookout(Generic[T]):
    """Follows one object by watch. States are kept in order, so that a short one is not missed."""

    def __init__(self, target: Target[T]) -> None:
        self.target = target
        self._sights: list[Sight[T]] = []
        self._next = 0
        self._news = asyncio.Event()
        self._synced = False

    @property
    def now(self) -> T | None:
        """The object as it was last told."""
        return self._sights[-1].item if self._sights else None

    async def until(self, wanted: Callable[[T | None], bool], what: str, seconds: float) -> Sight[T]:
        """Return the first state, from where the last call stopped, that is `wanted`.

        Raises NotObserved after `seconds`: `what` completes "waited … for".
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    while self._next < len(self._sights):
                        sight = self._sights[self._next]
                        if wanted(sight.item):
                            return sight
                        self._next += 1
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            instead = f"there is no {self.target}" if self.now is None else self.target.describe(self.now)
            raise NotObserved(f"waited {seconds:g} s for {what}; instead: {instead}") from None

    async def follow(self, client: KubeClient) -> None:
        """Take in what the watch tells, for ever."""
        target = self.target
        fields = f"metadata.name={target.name}"
        watch = client.watch(target.resource, target.namespace, fields=fields, item_type=target.item_type)
        async with aclosing(watch) as events:
            async for event in events:
                if event.type is EventType.SYNCED:
                    self._synced = True
                    if not self._sights:
                        self._tell(None)
                elif event.type is EventType.DELETED:
                    self._tell(None)
                elif event.item is not None:
                    self._tell(event.item)
                self._news.set()

    def _tell(self, item: T | None) -> None:
        self._sights.append(Sight(time.monotonic(), item))

    async def begin(self, seconds: float) -> None:
        """Return once the present state is known. Raises NotObserved."""
        try:
            async with asyncio.timeout(seconds):
                while not self._synced:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise NotObserved(f"the API server did not answer for {seconds:g} s") from None


@asynccontextmanager
async def following(client: KubeClient, tasks: asyncio.TaskGroup, target: Target[T]) -> AsyncIterator[Lookout[T]]:
    """Follow the object from before the block begins until it ends."""
    lookout = Lookout(target)
    task = tasks.create_task(lookout.follow(client))
    try:
        await lookout.begin(PATIENCE)
        yield lookout
    finally:
        task.cancel()
