"""A thread that asks the event loop once a second whether it still answers, and says what it does when it does not.

Everything runs on one loop: what blocks it stops every sync, probe and renewal at once, and nothing that runs on it
can tell. Stacks hold names of functions and lines of source, no values.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from sluice.runtime.metrics import LOOP_LAG

ASKED_EVERY = 1.0
BLOCKED_SECONDS = 5.0
MAX_FRAMES = 50
log = structlog.get_logger()


@contextmanager
def watched_loop(limit: float = BLOCKED_SECONDS, every: float = ASKED_EVERY) -> Iterator[None]:
    """Watch the running loop while inside: its lag is measured, and the stacks of all threads are logged once for each
    time that it does not answer for `limit` seconds.
    """
    dog = _Watchdog(asyncio.get_running_loop(), limit, every)
    thread = threading.Thread(target=dog.run, name="watchdog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        dog.stop.set()


class _Watchdog:
    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float, every: float) -> None:
        self.stop = threading.Event()
        self._loop = loop
        self._loop_thread = threading.get_ident()
        self._limit = limit
        self._every = every

    def run(self) -> None:
        while not self.stop.wait(self._every):
            answered, asked = threading.Event(), time.monotonic()
            try:
                self._loop.call_soon_threadsafe(answered.set)
            except RuntimeError:
                return  # the loop is closed
            if not answered.wait(self._limit):
                self._tell(answered, asked)
            if answered.is_set():
                LOOP_LAG.observe(time.monotonic() - asked)

    def _tell(self, answered: threading.Event, asked: float) -> None:
        log.error("the event loop is blocked", seconds=round(self._limit, 1), stacks=self._stacks())
        while not answered.wait(self._every) and not self.stop.is_set():
            pass
        if answered.is_set():
            log.info("the event loop goes on", seconds=round(time.monotonic() - asked, 1))

    def _stacks(self) -> dict[str, list[str]]:
        """Where each thread stands, the loop's own first."""
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        frames = sys._current_frames()
        frames.pop(threading.get_ident(), None)
        own = frames.pop(self._loop_thread, None)
        shown = {"event loop": own} if own is not None else {}
        shown |= {f"{names.get(ident, 'thread')} {ident}": frame for ident, frame in frames.items()}
        return {
            name: [
                f"{line.filename}:{line.lineno} {line.name}"
                for line in traceback.extract_stack(frame, limit=MAX_FRAMES)
            ]
            for name, frame in shown.items()
        }
