"""The commits near a branch's head, read without the history behind them: what is new on it, and who made that."""

from __future__ import annotations

from sluice.core.codes import BRANCH_NOT_OURS, REPO_TOO_BIG
from sluice.core.commit_text import CommitRead, read_commit
from sluice.core.errors import UserError
from sluice.core.problem import Problem
from sluice.git.fetch import Fetch
from sluice.git.head import LITERAL_PATHS
from sluice.git.refs import ResolvedRef
from sluice.git.remote import Remote
from sluice.git.repository import BareRepository, hold_name

MAX_AHEAD = 200
MAX_PENDING = 500
SEARCHED, MAX_TOUCHING = 50, 5
COMMIT_BYTES = 256 * 1024
MAX_LINE = 100_000


class History:
    """Reads commits of `repo`, fetching what it lacks. The caller sees to it that only one runs at a time."""

    def __init__(self, repo: BareRepository, fetch: Fetch) -> None:
        self._repo = repo
        self._fetch = fetch

    async def recent(self, head: ResolvedRef, count: int, remote: Remote, seconds: float) -> tuple[CommitRead, ...]:
        """The newest `count` commits of a fetched head, itself first. More than one costs a fetch of those."""
        if count > 1:
            hold = hold_name((head.ref, "recent"), head.commit)
            await self._fetch.some(hold, [f"+{head.commit}:{hold}"], (f"--depth={count}",), remote, seconds)
        return await self._read(head.commit, count)

    async def touching(self, path: str, commit: str, remote: Remote, seconds: float) -> tuple[CommitRead, ...]:
        """The newest of the last SEARCHED commits up to a fetched one that changed `path`; costs a fetch of those."""
        hold = hold_name((path, "touching"), commit)
        await self._fetch.some(hold, [f"+{commit}:{hold}"], (f"--depth={SEARCHED}",), remote, seconds)
        return await self._read(commit, MAX_TOUCHING, "--", path)

    async def ahead(
        self, tip: str, ref: str, base: ResolvedRef, remote: Remote, seconds: float
    ) -> tuple[CommitRead, ...]:
        """The commits of the branch `ref`, which stands at `tip`, that `base` lacks, newest first; fetched whole.

        Costs those commits alone, or, where there are none or the host can't tell, both histories.
        Raises UserError (BranchNotOurs) for more than MAX_AHEAD.
        """
        hold = hold_name((ref, "ahead"), tip)
        exclude = f"--shallow-exclude={base.ref}"
        if base.ref and await self._fetch.tried(hold, [f"+{tip}:{hold}"], (exclude,), remote, seconds):
            commits = await self._read(tip, MAX_AHEAD + 1)
        else:
            beside = hold_name((ref, "base"), base.commit)
            await self._fetch.histories(hold, [f"+{tip}:{hold}", f"+{base.commit}:{beside}"], remote, seconds)
            commits = await self._read(tip, MAX_AHEAD + 1, "--not", base.commit)
        if len(commits) > MAX_AHEAD:
            name = ref.removeprefix("refs/heads/")
            title = f"branch {name!r} is more than {MAX_AHEAD} commits ahead of {base.revision.short}"
            fix = "merge or delete the branch, or name another in spec.git.push.branch"
            raise UserError(Problem(BRANCH_NOT_OURS, title, field="spec.git.push.branch", fix=fix))
        return commits

    async def line(
        self, head: ResolvedRef, since: str, remote: Remote, seconds: float, *, first_parent: bool
    ) -> tuple[str, ...]:
        """The commits up to a head that `since` (none: nothing) does not lead to, oldest first.

        Costs the whole history the first time. Raises UserError (RepoTooBig) for more than MAX_LINE.
        """
        hold = hold_name((head.ref, "line"), head.commit)
        if not self._repo.holds(hold):
            await self._fetch.histories(hold, [f"+{head.commit}:{hold}"], remote, seconds)
        if since == head.commit:
            return ()
        known = bool(since) and (await self._repo.run("cat-file", "-e", f"{since}^{{commit}}")).ok
        options = ["--first-parent"] if first_parent else []
        args = ["rev-list", "--topo-order", "--reverse", *options, head.commit, *(["--not", since] if known else [])]
        listed = await self._repo.run(*args, cap=MAX_LINE * 65)
        if listed.too_big:
            title = f"more than {MAX_LINE} commits would have to be verified"
            raise UserError(Problem(REPO_TOO_BIG, title, field="--git-verify-signatures-mode", fix="use first-parent"))
        return tuple(self._repo.checked(listed, head.commit).decode("ascii").split())

    async def pending(
        self, base: str, tip: str, head: ResolvedRef, path: str, remote: Remote, seconds: float
    ) -> tuple[str, ...] | None:
        """The commits after `base` up to `tip` that changed `path`, newest first; None where `tip` is not there.

        `tip` is (the start of) a hash. Of the fetched `head` the last MAX_PENDING commits are fetched once; one that is
        in the mirror and not behind it is newer, and pending by itself. Without a base all of these count.
        """
        hold = hold_name((head.revision.name, head.ref, "pending"), head.commit)
        if not self._repo.holds(hold):
            refspec = f"+{head.commit}:{hold}"
            await self._fetch.some(hold, [refspec], (f"--depth={MAX_PENDING}",), remote, seconds)
        found = await self._repo.run("rev-parse", "--verify", "--quiet", f"{tip}^{{commit}}")
        commit = found.stdout.decode("ascii", "replace").strip()
        if not found.ok:
            return None
        if not await self._repo.is_ancestor(commit, head.commit):
            return (commit,)  # made, or fetched, a moment ago: the source has not had its turn yet
        exclude = ("--not", base) if base and await self._has(base) else ()
        below = ("--", path) if path else ()
        listed = await self._repo.run(
            "rev-list", f"--max-count={MAX_PENDING}", commit, *exclude, *below, env=LITERAL_PATHS
        )
        return tuple(self._repo.checked(listed, commit).decode("ascii").split())

    async def _has(self, commit: str) -> bool:
        return (await self._repo.run("cat-file", "-e", f"{commit}^{{commit}}")).ok

    async def _read(self, tip: str, count: int, *exclude: str) -> tuple[CommitRead, ...]:
        listed = await self._repo.run("rev-list", f"--max-count={count}", tip, *exclude, env=LITERAL_PATHS)
        names = self._repo.checked(listed, tip).decode("ascii").split()
        if not names:
            return ()
        asked = "".join(f"{name}\n" for name in names).encode()
        output = await self._repo.run("cat-file", "--batch", stdin=asked, cap=COMMIT_BYTES * len(names))
        return _commits(self._repo.checked(output, tip), names)


def _commits(answer: bytes, names: list[str]) -> tuple[CommitRead, ...]:
    """Take the answers of `cat-file --batch` apart: a line of name, kind and size, and so many bytes."""
    commits, at = [], 0
    for name in names:
        line, _, _ = answer[at : at + 200].partition(b"\n")
        size = int(line.split()[2])
        start = at + len(line) + 1
        commits.append(read_commit(name, answer[start : start + size]))
        at = start + size + 1
    return tuple(commits)
