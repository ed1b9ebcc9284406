"""How fast one registry host is asked: a rate that falls when the host says so, and a few requests at once.

fluxd's rule: a host that answers 429 gets half the rate (once per scan, down to 0.1 requests per second), a scan
without one raises it by half again up to the limit, but not within 20 minutes of a cut. Other hosts are not affected.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sluice.registry.errors import limited
from sluice.registry.limits import RegistryLimits

FLOOR = 0.1
GROWTH = 1.5
CALM_SECONDS = 20 * 60.0


class HostLimiter:
    """The requests to one host. `clock` is monotonic seconds."""

    def __init__(self, host: str, limits: RegistryLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.host = host
        self.rate = limits.rate
        self._limits = limits
        self._clock = clock
        self._slots = asyncio.Semaphore(limits.parallel)
        # When the next request would be due if they came evenly; the burst may run ahead of it.
        self._due = 0.0
        self._closed_until = 0.0
        self._cut_at = -CALM_SECONDS

    @asynccontextmanager
    async def turn(self, what: str) -> AsyncIterator[None]:
        """Wait for this request's turn, and hold one of the host's slots.

        Raises RegistryError (RegistryLimited) at once when the host has asked to be left alone for longer than the
        limits' `patience`.
        """
        async with self._slots:
            wait = self._closed_until - self._clock()
            if wait > self._limits.patience:
                raise limited(what, wait)
            await self._pace(max(wait, 0.0))
            yield

    async def _pace(self, wait: float) -> None:
        now = self._clock()
        self._due = max(self._due, now) + 1 / self.rate
        pause = max(wait, self._due - self._limits.burst / self.rate - now)
        if pause > 0:
            await asyncio.sleep(pause)

    def limited(self, wait: float | None) -> None:
        """The host answered 429 and asked to wait so many seconds, if it said."""
        if wait is not None:
            self._closed_until = max(self._closed_until, self._clock() + wait)

    def cut(self) -> None:
        """Halve the rate: a scan met a 429."""
        self.rate = max(self.rate / 2, FLOOR)
        self._cut_at = self._clock()

    def grow(self) -> None:
        """Raise the rate: a whole scan went well."""
        if self.rate < self._limits.rate and self._clock() - self._cut_at >= CALM_SECONDS:
            self.rate = min(self.rate * GROWTH, self._limits.rate)
