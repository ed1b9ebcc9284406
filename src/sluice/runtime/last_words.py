"""What a process says as it ends of itself: where each thread stood, in a file that the next process reads.

A fatal signal (a stack that overflowed in C, a library that aborts) leaves no other word. So does an event loop that
does not run any more: then nothing renews leases, and no probe is answered. That is watched from a thread of C, which
needs no turn of Python's, so that also a call which never gives its lock back is seen. Stacks name files, lines and
functions, no values.
"""

from __future__ import annotations

import asyncio
import faulthandler
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog

# As long as a renewal of the leases may take: who wakes later gives them up, and ends, anyway.
STUCK_SECONDS = 30.0
MAX_BYTES = 64 << 10
LAST_WORDS = "last-words"  # in the folder of the storage
_STUCK = "Timeout ("
_FATAL = "Fatal Python error: "
log = structlog.get_logger()


@contextmanager
def last_words(path: Path) -> Iterator[None]:
    """While inside, a fatal signal leaves the stacks in `path`; a loop that does not run for STUCK_SECONDS does, too,
    and ends the process with status 1.
    """
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("a", encoding="utf-8"))
        except OSError as error:
            log.warning("what ends this process will not be known", error=error.strerror)
            yield
            return

        def wind() -> None:
            nonlocal timer
            faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True, file=file)
            timer = loop.call_later(STUCK_SECONDS / 6, wind)

        faulthandler.enable(file)
        wind()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            faulthandler.cancel_dump_traceback_later()
            faulthandler.disable()


def read_last_words(path: Path) -> tuple[str, list[str]]:
    """Why the process before this one ended of itself, and the lines that it left; ("", []) when it did not."""
    try:
        with path.open("rb") as file:
            lines = file.read(MAX_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return "", []
    for line in lines:
        if line.startswith(_STUCK):
            return "its event loop stood still", lines
        if line.startswith(_FATAL):
            return line.removeprefix(_FATAL), lines
    return "", lines


def forget_last_words(path: Path) -> None:
    """They have been read. The file stays: this process has it open for its own."""
    try:
        with path.open("r+b") as file:
            file.truncate()
    except OSError:
        return
