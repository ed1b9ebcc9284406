"""What busy turns tell people, and how often all of them together may."""

from __future__ import annotations

import asyncio

import pytest

from sluice.reconcilers import progress
from sluice.reconcilers.progress import Pace, Progress


async def test_turns_of_many_syncs_pass_one_at_a_time_in_the_order_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SPACING_SECONDS", 0.02)
    pace, passed = Pace(), list[tuple[int, float]]()

    async def turn(number: int) -> None:
        await pace.wait()
        passed.append((number, asyncio.get_running_loop().time()))

    begun = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(turn(number))
    assert [number for number, _ in passed] == list(range(10))
    # Since before the first: on a busy machine it may be told late that it passed, and the last never too early.
    assert passed[-1][1] - begun >= 9 * 0.02 - 0.01


async def test_a_turn_that_ends_while_it_waits_to_tell_tells_nothing_and_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(progress, "SPACING_SECONDS", 0.5)
    pace, told, written = Pace(), list[str](), asyncio.Event()

    async def write(message: str) -> None:
        told.append(message)
        written.set()

    await pace.wait()
    async with Progress(write, pace) as ended:
        await ended.say("ended")
        await asyncio.sleep(0.01)
    async with Progress(write, pace) as long:
        await long.say("first")
        await long.say("last")
        await written.wait()
    assert told == ["last"]


async def test_what_is_being_told_when_the_turn_ends_is_told_before_the_turn_reports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    begun, told = asyncio.Event(), list[str]()

    async def write(message: str) -> None:
        begun.set()
        await asyncio.sleep(0.01)
        told.append(message)

    async with Progress(write, Pace()) as turn:
        await turn.say("applying")
        await begun.wait()
    told.append("ready")
    assert told == ["applying", "ready"]


async def test_a_turn_that_is_cancelled_does_not_wait_for_what_is_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    begun = asyncio.Event()

    async def write(message: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def work() -> None:
        async with Progress(write, Pace()) as turn:
            await turn.say("applying")
            await asyncio.Event().wait()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        task = group.create_task(work())
        await begun.wait()
        task.cancel()
    assert task.cancelled()
