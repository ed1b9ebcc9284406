"""All mirrors of one cache folder: the same URL with the same credentials shares one, different ones never do."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from sluice.core.git_url import GitUrl
from sluice.git.auth import NO_AUTH, GitAuth
from sluice.git.errors import disk_refuses
from sluice.git.limits import DEFAULT_LIMITS, DEFAULT_POLICY, GitLimits, GitPolicy
from sluice.git.mirror import Mirror
from sluice.git.process import check_git
from sluice.git.remote import Remote

SCRATCH = "scratch"


class Mirrors:
    """Opens mirrors below `root`, which belongs to this process alone. Use it as an async context manager."""

    def __init__(self, root: Path, *, policy: GitPolicy = DEFAULT_POLICY, limits: GitLimits = DEFAULT_LIMITS) -> None:
        self.root = root
        self.policy = policy
        self.limits = limits
        self._mirrors: dict[str, Mirror] = {}

    def open(self, url: GitUrl, auth: GitAuth = NO_AUTH) -> Mirror:
        """The mirror of this URL under these credentials; made on first use, and given them when they are renewed.

        Raises StateError when the disk refuses.
        """
        key = _key(url, auth)
        found = self._mirrors.get(key)
        if found is None:
            with disk_refuses():
                found = self._mirrors[key] = Mirror(self._remote(url, auth), self.root / key)
        elif found.remote.auth != auth:
            found.remote = self._remote(url, auth)
        return found

    def _remote(self, url: GitUrl, auth: GitAuth) -> Remote:
        return Remote(url, auth, policy=self.policy, limits=self.limits, scratch=self.root / SCRATCH)

    async def remove_unused(self, used: Iterable[tuple[GitUrl, GitAuth]]) -> int:
        """Delete all mirrors but those of `used` (a changed Secret makes a new one), and return how many went.

        Call it only with everything that is in use: what an artifact's reader still needs must be among it.
        """
        keep = {_key(url, auth) for url, auth in used}
        for key in [key for key in self._mirrors if key not in keep]:
            await self._mirrors.pop(key).close()
        return await asyncio.to_thread(self._delete_others, keep | set(self._mirrors) | {SCRATCH})

    def _delete_others(self, keep: set[str]) -> int:
        gone = [folder for folder in self.root.iterdir() if folder.name not in keep]
        for folder in gone:
            shutil.rmtree(folder, ignore_errors=True)
        return len(gone)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._lay_out)
        await check_git(self.root)
        return self

    def _lay_out(self) -> None:
        """Make the folders. What a killed process left in scratch may hold credentials: it goes."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.rmtree(self.root / SCRATCH, ignore_errors=True)
        (self.root / SCRATCH).mkdir(mode=0o700)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        # All at once: whoever is cancelled here leaves the process of none behind.
        async with asyncio.TaskGroup() as group:
            for mirror in self._mirrors.values():
                group.create_task(mirror.close())
        self._mirrors.clear()


def _key(url: GitUrl, auth: GitAuth) -> str:
    return hashlib.sha256(f"{url}\n{auth.digest()}".encode()).hexdigest()[:32]
