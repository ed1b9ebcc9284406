"""One writer at a time for each repository, however many automations share it, and no storm of commits from any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from sluice.core.git_url import GitUrl
from sluice.core.push_schedule import PushSchedule
from sluice.git.mirror import Mirror
from sluice.git.write_back import Gates, PlanEdit, WriteBack, Written, write_back


class PushQueue:
    """The queue of every repository. `clock` gives seconds and never goes back; schedules are lost with the process."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._schedules: dict[tuple[str, str], PushSchedule] = {}

    def delay(self, url: GitUrl, owner: str) -> float:
        """Seconds for which `owner` must not commit to this repository; 0 is now. Wait without holding a worker.

        What is decided meanwhile is planned together then: the newest wins.
        """
        return self._schedules.get((repository_key(url), owner), PushSchedule()).delay(self._clock())

    async def write(
        self, mirror: Mirror, wanted: WriteBack, plan: PlanEdit, *, owner: str, gates: Gates | None = None
    ) -> Written:
        """`write_back` in turn: nobody else of this process plans, commits or pushes there meanwhile."""
        key = repository_key(mirror.remote.url)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            written = await write_back(mirror, wanted, plan, gates)
        if written.outcome == "pushed":
            self._count(key, owner)
        return written

    def _count(self, key: str, owner: str) -> None:
        now = self._clock()
        self._schedules = {k: schedule for k, schedule in self._schedules.items() if schedule.full_at > now}
        self._schedules[key, owner] = self._schedules.get((key, owner), PushSchedule()).committed(now)


def repository_key(url: GitUrl) -> str:
    """One name for the spellings of a repository's URL, whatever the credentials: `.git`, the user, the port's default.

    >>> from sluice.core.git_url import parse_url
    >>> repository_key(parse_url("ssh://git@Host/me/fleet.git")) == repository_key(parse_url("ssh://host:22/me/fleet/"))
    True
    """
    return f"{url.scheme}://{url.host}:{url.effective_port}{url.path.rstrip('/').removesuffix('.git')}"
