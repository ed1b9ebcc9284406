"""Turns of one kind, guarded: whatever a turn raises is logged and counted, and the key is tried again later."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import structlog

from sluice.core.errors import ClusterError, SluiceError
from sluice.core.ids import NamespacedName
from sluice.core.schedule import backoff
from sluice.runtime.metrics import RECONCILE_SECONDS
from sluice.runtime.queue import KeyedQueue, Turn

BUG_RETRY = 60.0
log = structlog.get_logger()


class Controller:
    """Runs `reconcile` for every key of its queue."""

    def __init__(
        self, kind: str, reconcile: Callable[[Turn[NamespacedName]], Awaitable[float | None]], slots: int = 64
    ) -> None:
        self.queue: KeyedQueue[NamespacedName] = KeyedQueue(slots)
        self._kind = kind
        self._reconcile = reconcile
        self._failures: dict[NamespacedName, int] = {}

    async def run(self) -> None:
        """Serve turns until cancelled."""
        await self.queue.run(self._serve)

    async def _serve(self, turn: Turn[NamespacedName]) -> float | None:
        key, began = turn.key, time.monotonic()
        try:
            later = await self._reconcile(turn)
        except SluiceError as error:
            # What a reconciler does not report itself is a failure to report: the status or the record was not written.
            return self._again(key, error)
        except Exception:
            log.exception("bug", controllerKind=self._kind, namespace=key.namespace, name=key.name)
            return BUG_RETRY
        self._failures.pop(key, None)
        RECONCILE_SECONDS.labels(self._kind, key.name, key.namespace).observe(time.monotonic() - began)
        return later

    def _again(self, key: NamespacedName, error: SluiceError) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        # A conflict means that the watch was a moment behind: the next turn sees the newer object.
        quiet = isinstance(error, ClusterError) and error.reason == "Conflict" and failures < 5
        report = log.debug if quiet else log.error
        report("turn failed", controllerKind=self._kind, namespace=key.namespace, name=key.name, error=str(error))
        return 0.1 * failures if quiet else backoff(failures)
