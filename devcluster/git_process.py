"""The gits that serve a server's clients: whatever ends the serving ends them too, with all that they have started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

CHUNK = 64 * 1024


class Servings:
    """What one server serves at the moment. `end` it before the server's loop goes: it waits until all is closed."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def process(
        self, command: Sequence[str], env: Mapping[str, str], *, stderr: int, limit: int = CHUNK
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """Start `command` with pipes to its stdin and from its stdout. On leaving, its group is killed and reaped."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        self._tasks.add(task)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=dict(env),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
                limit=limit,
            )
            try:
                yield process
            finally:
                # With all that it started: a hook that is still running would keep the pipes open.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await drain(process)
        finally:
            self._tasks.discard(task)

    async def end(self) -> None:
        """End all. It cancels each once and waits: a second cancellation would leave a killed git's pipes open."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


async def drain(process: asyncio.subprocess.Process) -> None:
    """Read what nobody wants any more, to the ends of the pipes (which closes them), and wait for the end of it."""
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(CHUNK):
            pass
    await process.wait()
