"""Outlasting an API server that restarts or is overloaded in the middle of a transaction.

Half-way, giving up means undoing, and the same server would have to take the undo: waiting a while is better for both.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.schedule import backoff

T = TypeVar("T")
OUTAGE_SECONDS = 120.0
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


def is_outage(error: ClusterError) -> bool:
    """True when the API server itself did not answer or asked to wait; a webhook of somebody's is another matter."""
    return error.is_temporary and all(p.code is codes.API_UNAVAILABLE for p in error.problems)


async def outlast(send: Callable[[], Awaitable[T]], seconds: float = OUTAGE_SECONDS) -> T:
    """Call `send` until the API server takes it or refuses it; `send` must be such that doing it twice does no harm.

    Raises the ClusterError of the last try once `seconds` have passed.
    """
    deadline, failures = time.monotonic() + seconds, 0
    while True:
        try:
            return await send()
        except ClusterError as error:
            failures += 1
            pause = max(error.retry_after or 0.0, backoff(failures, FIRST_PAUSE, LONGEST_PAUSE))
            if not is_outage(error) or time.monotonic() + pause > deadline:
                raise
        await asyncio.sleep(pause)
