"""A controller serves on whatever becomes of one turn."""

from __future__ import annotations

import asyncio

import pytest

from sluice.core.ids import NamespacedName
from sluice.runtime import controller
from sluice.runtime.controller import Controller
from sluice.runtime.queue import Turn


async def test_a_turn_that_meets_a_bug_is_tried_again_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "BUG_RETRY", 0.01)
    turns: list[str] = []
    done = asyncio.Event()

    async def reconcile(turn: Turn[NamespacedName]) -> float | None:
        turns.append(turn.key.name)
        if turns.count("bad") == 1 and turn.key.name == "bad":
            raise RuntimeError("a bug")
        if turns.count("bad") == 2 and "good" in turns:
            done.set()
        return None

    served = Controller("Thing", reconcile)
    for name in ("bad", "good"):
        served.queue.add(NamespacedName("shop", name))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        running = group.create_task(served.run())
        await done.wait()
        running.cancel()
    assert sorted(turns) == ["bad", "bad", "good"]
