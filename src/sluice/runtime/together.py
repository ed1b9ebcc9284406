"""Concurrent awaits, a bounded number at a time, whose failure is one exception without a group around it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

# Below what a client has in flight: ten thousand objects of one sync must not stand in line before everybody else's.
AT_ONCE = 16


async def together(work: Iterable[Coroutine[Any, Any, T]], at_once: int = AT_ONCE) -> list[T]:
    """Run all of `work`, `at_once` at a time, and return the results in order.

    `work` is drawn from only when there is room, so a generator's coroutines are never all in memory. The first failure
    cancels what runs and is raised as it is, not wrapped in a group; what has not begun never does.
    """
    results: dict[int, T] = {}
    waiting = enumerate(work)
    firsts = list(islice(waiting, at_once))

    async def draw(drawn: tuple[int, Coroutine[Any, Any, T]] | None) -> None:
        while drawn is not None:
            number, one = drawn
            results[number] = await one
            drawn = next(waiting, None)

    try:
        with one_failure():
            async with asyncio.TaskGroup() as group:
                for first in firsts:
                    group.create_task(draw(first))
    finally:
        # Also of the first, which whoever is cancelled in this very moment has not begun; one that has ended stays so.
        for _, one in (*firsts, *waiting):
            one.close()
    return [results[number] for number in sorted(results)]


@contextmanager
def one_failure() -> Iterator[None]:
    """Turn the group that a TaskGroup raises into the first of its errors."""
    try:
        yield
    except BaseExceptionGroup as failures:
        raise _first(failures) from None


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
