"""Syncs of which something has changed since they were last asked what they want.

Whoever prunes has to know what every other sync wants. Most have said so and stayed as they were: only those in doubt
are asked, by one at a time, since the next who prunes needs the same answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from sluice.core.plan import Owner


class Doubts:
    """Who is to be asked. Memory only: after a start everyone is."""

    def __init__(self) -> None:
        self._doubted: set[Owner] = set()
        self._asking = asyncio.Lock()

    def cast(self, owner: Owner) -> None:
        """Something of that sync, or its source's artifact, has changed."""
        self._doubted.add(owner)

    def about(self, owner: Owner) -> bool:
        """Whether something of that sync has changed since it was asked, or it could not say."""
        return owner in self._doubted

    async def settle(self, asker: Owner, ask: Callable[[frozenset[Owner]], Awaitable[Collection[Owner]]]) -> None:
        """Have `ask` ask everyone in doubt but `asker`, and return when nobody else is under way with that.

        `ask` returns those who could not say. A doubt that is cast while they are asked stays; when `ask` raises, all
        of them do.
        """
        async with self._asking:
            asked = frozenset(self._doubted - {asker})
            self._doubted -= asked
            unknown: Collection[Owner] = asked
            try:
                unknown = await ask(asked)
            finally:
                self._doubted.update(unknown)
