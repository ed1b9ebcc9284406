"""All mirrors of one cache folder: the same URL with the same credentials shares one, different ones never do."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

from sluice.core.git_url import GitUrl
from sluice.git.auth import NO_AUTH, GitAuth
from sluice.git.limits import DEFAULT_LIMITS, DEFAULT_POLICY, GitLimits, GitPolicy
from sluice.git.mirror import Mirror
from sluice.git.remote import Remote


class Mirrors:
    """Opens mirrors below `root`, which belongs to this process alone. Use it as an async context manager."""

    def __init__(self, root: Path, *, policy: GitPolicy = DEFAULT_POLICY, limits: GitLimits = DEFAULT_LIMITS) -> None:
        self.root = root
        self.policy = policy
        self.limits = limits
        self._mirrors: dict[str, Mirror] = {}

    def open(self, url: GitUrl, auth: GitAuth = NO_AUTH) -> Mirror:
        """The mirror of this URL under these credentials; made on first use."""
        key = hashlib.sha256(f"{url}\n{auth.digest()}".encode()).hexdigest()[:32]
        found = self._mirrors.get(key)
        if found is None:
            scratch = self.root / "scratch"
            remote = Remote(url, auth, policy=self.policy, limits=self.limits, scratch=scratch)
            found = self._mirrors[key] = Mirror(remote, self.root / key)
        return found

    async def __aenter__(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.root / "scratch").mkdir(exist_ok=True, mode=0o700)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        for mirror in self._mirrors.values():
            await mirror.close()
        self._mirrors.clear()
