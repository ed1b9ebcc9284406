"""What a long turn is doing, told to people after a moment: short turns write no progress at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog

from sluice.core.errors import SluiceError

QUIET_SECONDS = 1.0
log = structlog.get_logger()


class Progress:
    """Writes the latest message once a turn has lasted QUIET_SECONDS, and then each new one, that far apart."""

    def __init__(self, write: Callable[[str], Awaitable[None]]) -> None:
        self._write = write
        self._message = ""
        self._new = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._writer: asyncio.Task[None] | None = None

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
        if self._writer is not None:
            self._writer.cancel()
        await self._group.__aexit__(None, None, None)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(QUIET_SECONDS)
            await self._new.wait()
            self._new.clear()
            try:
                await self._write(self._message)
            except SluiceError as error:
                log.warning("progress not written", error=str(error))
