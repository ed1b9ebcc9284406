"""A blocked event loop is seen from outside, and what blocks it is named."""

from __future__ import annotations

import asyncio
import threading
import time

from structlog.testing import capture_logs

from sluice.runtime.metrics import LOOP_LAG
from sluice.runtime.watchdog import watched_loop


def block_the_loop(until: threading.Event) -> None:
    until.wait(60)


def answers() -> float:
    (family,) = LOOP_LAG.collect()
    return next(sample.value for sample in family.samples if sample.name.endswith("_count"))


async def test_the_stack_of_what_blocks_the_loop_is_logged_once() -> None:
    told = threading.Event()

    def wait_until_told(lines: list[dict[str, object]]) -> None:
        deadline = time.monotonic() + 60
        while not lines and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # room for a second report, which must not come
        told.set()

    with capture_logs() as lines, watched_loop(limit=0.5, every=0.01):
        await asyncio.sleep(0.05)
        other = threading.Thread(target=wait_until_told, args=(lines,))
        other.start()
        block_the_loop(told)
        other.join()
        while len(lines) < 2:  # noqa: ASYNC110 - another thread writes it
            await asyncio.sleep(0.01)
    blocked, freed = lines
    assert blocked["event"] == "the event loop is blocked"
    assert any("block_the_loop" in frame for frame in blocked["stacks"]["event loop"])
    assert freed["event"] == "the event loop goes on"


async def test_the_lag_of_a_loop_that_answers_is_measured_and_nothing_is_logged() -> None:
    before = answers()
    with capture_logs() as lines, watched_loop(limit=10, every=0.01):
        async with asyncio.timeout(60):
            while answers() == before:  # noqa: ASYNC110 - another thread counts
                await asyncio.sleep(0.01)
    assert not lines
