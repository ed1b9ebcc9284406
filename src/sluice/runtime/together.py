"""Concurrent awaits whose failure is one exception: a TaskGroup without the group in its errors."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run all of `work` at once and return the results in order.

    The first failure cancels the rest and is raised as it is, not wrapped in a group.
    """
    with one_failure():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]


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
