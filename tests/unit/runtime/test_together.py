"""Work done together: bounded, in order, and nothing of it left behind by a failure."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Iterator

import pytest

from sluice.runtime.together import together


async def test_results_come_in_the_order_of_the_work_whatever_ends_first() -> None:
    async def answer(number: int) -> int:
        for _ in range(10 - number):
            await asyncio.sleep(0)
        return number

    assert await together(answer(number) for number in range(10)) == list(range(10))


async def test_no_more_than_the_bound_is_ever_made_and_not_done() -> None:
    made = done = most = 0

    async def work() -> None:
        nonlocal done
        await asyncio.sleep(0)
        done += 1

    def supply() -> Iterator[Coroutine[None, None, None]]:
        nonlocal made, most
        for _ in range(50):
            made += 1
            most = max(most, made - done)
            yield work()

    await together(supply(), at_once=4)
    assert (made, done, most) == (50, 50, 4)


async def test_the_first_failure_is_raised_as_it_is_and_what_waits_is_closed() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise LookupError("gone")
        await asyncio.sleep(60)

    waiting = [work(number) for number in range(6)]
    with pytest.raises(LookupError, match="gone"):
        await together(waiting, at_once=2)
    assert begun == [0, 1]
    assert {inspect.getcoroutinestate(one) for one in waiting} == {inspect.CORO_CLOSED}


async def test_cancelling_the_caller_cancels_what_runs_and_closes_what_waits() -> None:
    began = asyncio.Event()

    async def work() -> None:
        began.set()
        await asyncio.sleep(60)

    waiting = [work() for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        task = group.create_task(together(waiting, at_once=1))
        await began.wait()
        task.cancel()
    assert {inspect.getcoroutinestate(one) for one in waiting} == {inspect.CORO_CLOSED}


async def test_what_is_cancelled_before_it_has_begun_is_closed_too() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)

    waiting = [work(number) for number in range(3)]
    async with asyncio.TaskGroup() as group:
        group.create_task(together(waiting, at_once=2))
        await asyncio.sleep(0)  # its tasks are made, and none has had its turn
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    assert begun == []
    assert {inspect.getcoroutinestate(one) for one in waiting} == {inspect.CORO_CLOSED}
