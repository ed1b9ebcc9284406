"""The sample repository's working copy: small edits, each a commit of that file alone, pushed at once.

People commit here too, so an edit takes the file as it is, and says so when it finds nothing to edit.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devcluster.git_repository import WorkingRepo

FLEET = Path(__file__).parent / "fleet"


class NotPossible(Exception):
    """A step can't be done as things stand; `str()` says why, and what to do first."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """A commit on its way: its hash, and the moment at which `git push` began (monotonic clock)."""

    commit: str
    at: float

    @property
    def short(self) -> str:
        """The hash as people read it."""
        return self.commit[:7]


class Checkout:
    """The working copy at `path`. Every method that changes it commits and pushes.

    `commits` are those made here, to tell them from people's.
    """

    def __init__(self, repo: WorkingRepo) -> None:
        self._repo = repo
        self.path = repo.path
        self.commits: set[str] = set()

    async def fill(self) -> Pushed:
        """Make the first commit: the sample repository."""
        files = {str(file.relative_to(FLEET)): file.read_bytes() for file in FLEET.rglob("*") if file.is_file()}
        await asyncio.to_thread(self._repo.commit, files, "Three apps", push=False)
        # So that a plain `git push` works for people, whatever proxy their environment names.
        for key, value in (("remote", "origin"), ("merge", "refs/heads/main")):
            await self._git("config", f"branch.main.{key}", value)
        await self._git("config", "http.proxy", "")
        return await self._push()

    def read(self, path: str) -> str:
        """The file's text; empty when it is not there."""
        file = self.path / path
        return file.read_text() if file.is_file() else ""

    async def edit(self, changes: dict[str, tuple[str, str]], message: str) -> Pushed:
        """In each file put the second text in place of the first, once, and commit these files alone.

        Raises NotPossible when a file does not hold the first text.
        """
        for path, (old, _) in changes.items():
            if old not in self.read(path):
                raise NotPossible(f"{path} has no `{old.strip()}` any more; put it back first")
        for path, (old, new) in changes.items():
            (self.path / path).write_text(self.read(path).replace(old, new, 1))
        return await self._commit(message, *changes)

    async def write(self, path: str, text: str, message: str) -> Pushed:
        """Write a whole file and commit that."""
        (self.path / path).write_text(text)
        return await self._commit(message, path)

    async def pull(self) -> str:
        """Take over what others, the operator among them, have pushed; returns the head."""
        try:
            await self._git("pull", "-q", "--ff-only")
        except subprocess.CalledProcessError as error:
            raise NotPossible(f"git pull failed: {error.stderr.decode(errors='replace').strip()}") from None
        head = await self.head()
        self.commits.add(head)
        return head

    async def remove(self, path: str, message: str) -> Pushed:
        """Delete the file and commit that."""
        (self.path / path).unlink()
        return await self._commit(message, path)

    async def revert(self, commit: str) -> Pushed:
        """Undo a commit with another. Raises NotPossible when later commits touch the same lines."""
        try:
            await self._git("revert", "--no-edit", commit)
        except subprocess.CalledProcessError:
            await self._git("revert", "--abort")
            raise NotPossible(f"{commit[:7]} can't be reverted: later commits touch the same lines") from None
        return await self._push()

    async def head(self) -> str:
        """The newest commit's hash."""
        return await asyncio.to_thread(self._repo.head)

    def line_of(self, path: str, text: str) -> int:
        """The number of the first line that holds `text`; 0 when none does."""
        lines = self.read(path).splitlines()
        return next((number for number, line in enumerate(lines, 1) if text in line), 0)

    async def _commit(self, message: str, *paths: str) -> Pushed:
        await self._git("add", "--all", "--", *paths)
        await self._git("commit", "-q", "-m", message, "--", *paths)
        return await self._push()

    async def _push(self) -> Pushed:
        commit, began = await self.head(), time.monotonic()
        self.commits.add(commit)
        try:
            await asyncio.to_thread(self._repo.push)
        except subprocess.CalledProcessError as error:
            raise NotPossible(f"git push failed: {error.stderr.decode(errors='replace').strip()}") from None
        return Pushed(commit, began)

    async def _git(self, *arguments: str) -> str:
        return await asyncio.to_thread(self._repo.git, *arguments)
