"""The branch that an automation writes to, and who else writes there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from sluice.api.git_repository import GitRepository
from sluice.core.commit_text import REQUEST_OWNER, CommitRead
from sluice.core.errors import SluiceError, UserError
from sluice.core.git_url import parse_url
from sluice.core.ids import NamespacedName
from sluice.core.image_update.flip import flip_problem
from sluice.core.image_update.result import ImageChange
from sluice.core.problem import Problem
from sluice.git.mirror import Mirror
from sluice.git.push_queue import repository_key
from sluice.reconcilers.operator import Operator


@dataclass(frozen=True, slots=True)
class WrittenBranch:
    """What is written to: `where` names it, and `owner` is the automation that writes."""

    mirror: Mirror
    where: str
    owner: str

    async def is_by_a_person(self, path: str, commit: str) -> bool:
        """True when the last commit that changed a file is no automation's: those are held by their flips."""
        newest = (await self.mirror.touching(path, commit))[:1]
        return any(each.mark is None or each.mark.owner.startswith(REQUEST_OWNER) for each in newest)

    async def last_update(self, path: str, head: str, failed: str) -> str:
        """The newest commit that changed a file, if it is this automation's and `failed` has what it wrote; or empty.

        A revision that is older than it by the branch's own order does not count: it has failed with another value.
        """
        touching = await self.mirror.touching(path, head)
        if not touching or touching[0].mark is None or touching[0].mark.owner != self.owner:
            return ""
        older = {commit.commit for commit in touching[1:]}
        return "" if failed in older else touching[0].commit

    async def last_written(self, path: str, commit: str) -> str:
        """The newest commit of this automation that changed a file, among the last few that did; or empty."""
        touching = await self.mirror.touching(path, commit)
        return next((c.commit for c in touching if c.mark is not None and c.mark.owner == self.owner), "")

    async def flip(self, change: ImageChange, writer: str, commit: str) -> Problem:
        """Why a change is held. Who wrote what is there is asked of git when it was nobody of this process."""
        other = writer
        if not other:
            with contextlib.suppress(SluiceError):  # then the name alone is missing
                other = next((_writer(c, self.owner) for c in await self.mirror.touching(change.path, commit)), "")
        return flip_problem(change, self.owner, other, commit)


def wake_readers(operator: Operator, wake: Callable[[NamespacedName], None], source: GitRepository) -> None:
    """Every source of the repository sees our commit now, and not at its next poll."""
    moved = repository_key(parse_url(source.spec.url))
    for each in operator.git_repositories.items():
        with contextlib.suppress(UserError):  # a URL that can't be read is its own source's trouble
            if not each.spec.suspend and repository_key(parse_url(each.spec.url)) == moved:
                wake(each.metadata.key)


def _writer(commit: CommitRead, owner: str) -> str:
    """Whom people know as the writer of a commit."""
    if commit.mark is None:
        return f"{commit.author.name} <{commit.author.email}>"
    return f"{owner} of another cluster" if commit.mark.owner == owner else commit.mark.owner
