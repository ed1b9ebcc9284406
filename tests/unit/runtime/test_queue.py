"""Keys become turns: never two of one key at once, none lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sluice.runtime.queue import KeyedQueue, Turn


class Log:
    """Counts turns and overlaps."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.running: set[str] = set()
        self.changed = asyncio.Event()

    def begin(self, key: str) -> None:
        assert key not in self.running, "two turns of one key at once"
        self.running.add(key)
        self.turns.append(key)
        self.changed.set()

    def end(self, key: str) -> None:
        self.running.discard(key)

    async def reached(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.turns) < count:
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def serving(queue: KeyedQueue[str], work: object) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(queue.run(work))  # type: ignore[arg-type]
        yield
        task.cancel()


async def test_a_key_added_before_run_gets_exactly_one_turn() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    log = Log()

    async def work(turn: Turn[str]) -> None:
        log.begin(turn.key)
        await asyncio.sleep(0)
        log.end(turn.key)

    queue.add("a")
    queue.add("a")
    async with serving(queue, work):
        await log.reached(1)
        queue.add("b")
        await log.reached(2)
    assert log.turns == ["a", "b"]


async def test_a_change_during_a_turn_gives_another_turn_and_tells_the_running_one() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    log, told = Log(), []

    async def work(turn: Turn[str]) -> None:
        log.begin(turn.key)
        if len(log.turns) == 1:
            queue.add("a")
            told.append(turn.superseded.is_set())
        await asyncio.sleep(0)
        log.end(turn.key)

    queue.add("a")
    async with serving(queue, work):
        await log.reached(2)
    assert log.turns == ["a", "a"]
    assert told == [True]


async def test_the_earlier_time_wins_and_a_later_one_changes_nothing() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    log = Log()

    async def work(turn: Turn[str]) -> None:
        log.begin(turn.key)
        log.end(turn.key)

    async with serving(queue, work):
        queue.add("a", 30)
        queue.add("a", 0)
        queue.add("a", 60)
        await log.reached(1)
        assert len(queue) <= 1


async def test_the_work_decides_when_the_next_turn_is() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    log = Log()

    async def work(turn: Turn[str]) -> float | None:
        log.begin(turn.key)
        log.end(turn.key)
        return 0.01 if len(log.turns) < 3 else None

    queue.add("a")
    async with serving(queue, work):
        await log.reached(3)


async def test_a_turn_that_only_waits_gives_its_slot_to_others() -> None:
    queue: KeyedQueue[str] = KeyedQueue(slots=1)
    log, freed = Log(), asyncio.Event()

    async def work(turn: Turn[str]) -> None:
        log.begin(turn.key)
        if turn.key == "slow":
            async with turn.waiting():
                await freed.wait()
        else:
            freed.set()
        log.end(turn.key)

    queue.add("slow")
    async with serving(queue, work):
        await log.reached(1)
        queue.add("quick")
        await log.reached(2)
        await asyncio.wait_for(freed.wait(), 60)


async def test_slots_bound_how_many_turns_work_at_once() -> None:
    queue: KeyedQueue[str] = KeyedQueue(slots=2)
    log, most = Log(), 0

    async def work(turn: Turn[str]) -> None:
        nonlocal most
        log.begin(turn.key)
        most = max(most, len(log.running))
        await asyncio.sleep(0.001)
        log.end(turn.key)

    for number in range(20):
        queue.add(str(number))
    async with serving(queue, work):
        await log.reached(20)
    assert most <= 2


async def test_a_forgotten_key_gets_no_turn() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.add("a", 0.01)
    queue.forget("a")
    assert len(queue) == 0


@pytest.mark.parametrize("delay", [0.0, 0.001])
async def test_cancelling_run_ends_every_turn(delay: float) -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    log = Log()

    async def work(turn: Turn[str]) -> None:
        log.begin(turn.key)
        await asyncio.Event().wait()

    queue.add("a", delay)
    async with serving(queue, work):
        await log.reached(1)
    assert len(queue) == 0
