"""Keys become turns: each key runs at most once at a time, and a change during its turn gives it another.

N idle keys cost N timers and nothing else. A slot bounds how many turns work at once; a turn that only waits
(for health, for a rollout) gives its slot back meanwhile, so slow syncs never block the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Turn(Generic[K]):
    """One run of one key. `superseded` is set when the key is added again meanwhile, for a change that matters now.

    `due` and `began` are monotonic seconds: since when it could run, and since when it has run (None: not yet).
    """

    def __init__(self, key: K, slots: asyncio.Semaphore) -> None:
        self.key = key
        self.superseded = asyncio.Event()
        self.due = time.monotonic()
        self.began: float | None = None
        self.pausing = False
        self._slots = slots

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Give the slot back while inside."""
        self._slots.release()
        self.pausing = True
        try:
            yield
        finally:
            await self._slots.acquire()
            self.pausing = False


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a queue is: turns that are due and have no slot, those that work, and for how many seconds.

    `under_way` is the sum of what every turn has taken so far, with what it has waited for health; `longest` the most.
    """

    waiting: int
    working: int
    oldest_wait: float
    under_way: float
    longest: float


class KeyedQueue(Generic[K]):
    """A queue of keys with delays. `run` must be running for turns to start."""

    def __init__(self, slots: int = 64) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._turns: dict[K, Turn[K]] = {}
        self._again: dict[K, float] = {}
        self._group: asyncio.TaskGroup | None = None
        self._work: Callable[[Turn[K]], Awaitable[float | None]] | None = None

    def __len__(self) -> int:
        return len(self._timers) + len(self._turns)

    def load(self) -> Load:
        """How busy it is now. Costs a look at each turn that is due or under way, none at the idle keys."""
        now = time.monotonic()
        waits = [now - turn.due for turn in self._turns.values() if turn.began is None]
        runs = [now - turn.began for turn in self._turns.values() if turn.began is not None]
        working = sum(turn.began is not None and not turn.pausing for turn in self._turns.values())
        return Load(len(waits), working, max(waits, default=0.0), sum(runs), max(runs, default=0.0))

    def add(self, key: K, delay: float = 0.0) -> None:
        """Run `key` in `delay` seconds at the latest. An earlier time already set stays; a running turn is told."""
        when = asyncio.get_running_loop().time() + delay
        if (turn := self._turns.get(key)) is not None:
            self._again[key] = min(when, self._again.get(key, when))
            if delay == 0:
                turn.superseded.set()
            return
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= when:
            return
        self._schedule(key, when)

    def forget(self, key: K) -> None:
        """Drop what is scheduled for `key`; a running turn goes on."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        self._again.pop(key, None)

    async def run(self, work: Callable[[Turn[K]], Awaitable[float | None]]) -> None:
        """Serve turns until cancelled. `work` returns the seconds until the key's next turn, None for never."""
        async with asyncio.TaskGroup() as group:
            self._group, self._work = group, work
            loop = asyncio.get_running_loop()
            for key, timer in list(self._timers.items()):
                if timer.when() <= loop.time():
                    self._begin(key)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None
                for timer in self._timers.values():
                    timer.cancel()

    def _schedule(self, key: K, when: float) -> None:
        if (old := self._timers.pop(key, None)) is not None:
            old.cancel()
        self._timers[key] = asyncio.get_running_loop().call_at(when, self._begin, key)

    def _begin(self, key: K) -> None:
        if self._group is None:
            return  # `run` begins what is due by then
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()  # it may be `run` that begins the turn, before the timer has fired
        turn = Turn(key, self._slots)
        self._turns[key] = turn
        self._group.create_task(self._serve(turn), name=f"turn {key}")

    async def _serve(self, turn: Turn[K]) -> None:
        key = turn.key
        later: float | None = None
        try:
            async with self._slots:
                turn.began = time.monotonic()
                if self._work is not None:
                    later = await self._work(turn)
        finally:
            del self._turns[key]
        loop = asyncio.get_running_loop()
        when = self._again.pop(key, None)
        if later is not None:
            planned = loop.time() + later
            when = planned if when is None else min(when, planned)
        if when is not None and self._group is not None:
            self._schedule(key, when)
