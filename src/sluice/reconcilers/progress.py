"""What a long turn is doing, told to people after a moment: short turns write no progress at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog

from sluice.core.errors import SluiceError

QUIET_SECONDS = 1.0
# All syncs together tell no more often than this: when a thousand are busy, telling must not slow the work.
SPACING_SECONDS = 0.2
log = structlog.get_logger()


class Pace:
    """Lets callers pass one at a time, SPACING_SECONDS apart, in the order they came."""

    def __init__(self) -> None:
        self._line = asyncio.Lock()
        self._next = 0.0

    async def wait(self) -> None:
        """Return when it is the caller's turn."""
        async with self._line:
            now = asyncio.get_running_loop().time()
            await asyncio.sleep(self._next - now)
            self._next = max(now, self._next) + SPACING_SECONDS


class Progress:
    """Writes the latest message once a turn has lasted QUIET_SECONDS, and then each new one, that far apart."""

    def __init__(self, write: Callable[[str], Awaitable[None]], pace: Pace) -> None:
        self._write = write
        self._pace = pace
        self._message = ""
        self._new = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._writer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    async def say(self, message: str) -> None:
        """Note what is being done now."""
        self._message = message
        self._new.set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._writer = self._group.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                # A write given up here could reach the server after the report of the turn, and stay. A turn that is
                # cancelled reports nothing, and has to end at once: its lease may be lost.
                await self._writing.acquire()
        finally:
            if self._writer is not None:
                self._writer.cancel()
            await self._group.__aexit__(None, None, None)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            await self._new.wait()
            await self._pace.wait()
            async with self._writing:
                self._new.clear()
                try:
                    await self._write(self._message)
                except SluiceError as error:
                    log.warning("progress not written", error=str(error))
