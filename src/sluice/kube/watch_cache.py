"""The latest state of one selection of objects, kept by a watch: what reconcilers read instead of asking the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.resource import Selection
from sluice.kube.watch import DEFAULT_POLICY, EventType, WatchEvent, WatchPolicy

T = TypeVar("T")

Callback = Callable[[EventType, T, T | None], None]


class WatchCache(Generic[T]):
    """Holds one `T` per object. `run` it in a TaskGroup; read it once `synced` is set.

    Callbacks get (`ADDED` | `MODIFIED` | `DELETED`, item, the item before it), in order, on the loop, and must return
    quickly. What a broken watch missed is told as if it had been seen, so a callback never misses a deletion. An
    object whose JSON is not an `item_type` is in `problems` and in nothing else. Without `project` that is a `T`; with
    it, a `T` is what it makes of one (None: nothing is kept), and the object itself is not kept.
    """

    def __init__(
        self,
        client: KubeClient,
        selection: Selection,
        item_type: type[Any],
        *,
        policy: WatchPolicy = DEFAULT_POLICY,
        project: Callable[[Any], T | None] | None = None,
    ) -> None:
        self.synced = asyncio.Event()
        self.problems: dict[NamespacedName, Problem] = {}
        self._client = client
        self._selection = selection
        self._item_type = item_type
        self._policy = policy
        self._project = project
        self._items: dict[NamespacedName, T] = {}
        self._versions: dict[NamespacedName, str] = {}
        self._callbacks: list[Callback[T]] = []
        self._seen: set[NamespacedName] | None = set()

    def get(self, namespace: str, name: str) -> T | None:
        """The object as last seen; None when there is none, or it is not a `T`."""
        return self._items.get(NamespacedName(namespace, name))

    def items(self) -> list[T]:
        """All objects as last seen, in no order."""
        return list(self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def subscribe(self, callback: Callback[T]) -> Callable[[], None]:
        """Call `callback` from now on, first with what is there (`ADDED`); the answer ends the subscription."""
        self._callbacks.append(callback)
        for item in self.items():
            callback(EventType.ADDED, item, None)
        return lambda: self._callbacks.remove(callback)

    async def run(self) -> None:
        """Keep the cache true, for ever. Raises what a watch raises; it can then be run again."""
        chosen = self._selection
        self._seen = set()
        events = self._client.watch(
            chosen.resource,
            chosen.namespace,
            labels=chosen.labels,
            fields=chosen.fields,
            item_type=self._item_type,
            policy=self._policy,
        )
        async with contextlib.aclosing(events):
            async for event in events:
                self._take(event)
                del event  # the next may be hours away, and what is kept of this one may be a small part

    def _take(self, event: WatchEvent[Any]) -> None:
        if event.type is EventType.RESTARTED:
            self._seen = set()
        elif event.type is EventType.SYNCED:
            self._forget_unseen()
            self.synced.set()
        else:
            self._change(event)

    def _change(self, event: WatchEvent[Any]) -> None:
        if self._project is not None and event.item is not None:
            event = replace(event, item=self._project(event.item))
        key = NamespacedName(event.namespace, event.name)
        if self._seen is not None:
            self._seen.add(key)
        if event.type is EventType.DELETED:
            self._drop(key, event.item)
        elif event.item is None:
            if event.problem is not None:
                self.problems[key] = event.problem
            self._drop(key, None, keep_problem=True)
        else:
            self._put(key, event.item, event.resource_version)

    def _put(self, key: NamespacedName, item: T, version: str) -> None:
        self.problems.pop(key, None)
        if self._versions.get(key) == version:
            return  # told again after a reconnection
        before = self._items.get(key)
        self._items[key] = item
        self._versions[key] = version
        self._tell(EventType.ADDED if before is None else EventType.MODIFIED, item, before)

    def _drop(self, key: NamespacedName, last: T | None, *, keep_problem: bool = False) -> None:
        if not keep_problem:
            self.problems.pop(key, None)
        self._versions.pop(key, None)
        before = self._items.pop(key, None)
        if before is not None:
            self._tell(EventType.DELETED, before if last is None else last, before)

    def _forget_unseen(self) -> None:
        """A full state has been told: what was not in it is gone. Never done with a part of one."""
        if self._seen is None:
            return
        for key in (self._items.keys() | self.problems.keys()) - self._seen:
            self._drop(key, None)
        self._seen = None

    def _tell(self, kind: EventType, item: T, before: T | None) -> None:
        for callback in tuple(self._callbacks):
            callback(kind, item, before)
