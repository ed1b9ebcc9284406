"""Bringing one commit from a remote into a bare repository, with as little of its history as its ref asks for."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.core.codes import BAD_COMMIT, REMOTE_UNREACHABLE
from sluice.core.errors import RemoteError, UserError
from sluice.core.problem import Problem
from sluice.git.errors import is_damaged, is_unadvertised, lacks_shallow
from sluice.git.process import GitOutput
from sluice.git.refs import ResolvedRef
from sluice.git.remote import Remote
from sluice.git.repository import BareRepository

FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")
TIP_ONLY = "--depth=1"
WHOLE_HISTORY = "--depth=2147483647"  # git's own number for "undo shallowness"; harmless where there is none


class Fetch:
    """Fetches into `repo`. The caller sees to it that only one runs at a time."""

    def __init__(self, repo: BareRepository) -> None:
        self._repo = repo

    async def into(self, hold: str, resolved: ResolvedRef, remote: Remote, seconds: float) -> None:
        """Fetch and set the ref `hold`. A damaged repository is thrown away and fetched anew, once."""
        for attempt in (1, 2):
            await self._repo.ensure(resolved.revision.algorithm)
            output = await self._commit(hold, resolved, remote, seconds)
            if output.ok:
                await self._repo.let_go(hold)
                return
            self._repo.remove_leftovers()
            if attempt == 2 or not is_damaged(output.stderr):
                raise remote.error(output, seconds)
            self._repo.discard()

    async def some(
        self, hold: str, refspecs: Sequence[str], options: Sequence[str], remote: Remote, seconds: float
    ) -> None:
        """Fetch into `hold` and the other refs of `refspecs`, of a repository that exists. Raises as `into` does."""
        output = await self._with(remote, refspecs, options, seconds)
        if not output.ok:
            self._repo.remove_leftovers()
            raise remote.error(output, seconds)
        await self._repo.let_go(hold)

    async def tried(
        self, hold: str, refspecs: Sequence[str], options: Sequence[str], remote: Remote, seconds: float
    ) -> bool:
        """The same, answering False when the host did not send it that way."""
        output = await self._with(remote, refspecs, options, seconds)
        self._repo.remove_leftovers()
        if output.ok:
            await self._repo.let_go(hold)
        return output.ok

    async def histories(self, hold: str, refspecs: Sequence[str], remote: Remote, seconds: float) -> None:
        """The same with all that is behind the commits."""
        output = await self._run(remote, refspecs, WHOLE_HISTORY, seconds)
        if not output.ok:
            self._repo.remove_leftovers()
            raise remote.error(output, seconds)
        await self._repo.let_go(hold)

    async def _with(self, remote: Remote, refspecs: Sequence[str], options: Sequence[str], seconds: float) -> GitOutput:
        args = [f"--git-dir={self._repo.path}", *FETCH, *options]
        return await remote.run(args, refspecs, cwd=self._repo.path, seconds=seconds)

    async def _commit(self, hold: str, resolved: ResolvedRef, remote: Remote, seconds: float) -> GitOutput:
        """By hash first, so that what was resolved is what comes; by name where the server sends only named refs."""
        if resolved.head not in {"", resolved.commit}:
            return await self._on_branch(hold, resolved, remote, seconds)
        output = await self._run(remote, f"+{resolved.commit}:{hold}", TIP_ONLY, seconds)
        if output.ok or not is_unadvertised(output.stderr):
            return output
        if not resolved.ref:
            return await self._anywhere(hold, resolved, remote, seconds)
        output = await self._run(remote, f"+{resolved.ref}:{hold}", TIP_ONLY, seconds)
        return await self._checked_tip(hold, resolved, output)

    async def _checked_tip(self, hold: str, resolved: ResolvedRef, output: GitOutput) -> GitOutput:
        if not output.ok:
            return output
        found = await self._repo.run("rev-parse", "--verify", "--quiet", f"{hold}^{{commit}}")
        if found.stdout.decode("ascii", "replace").strip() == resolved.commit:
            return output
        await self._repo.run("update-ref", "-d", hold)
        title = f"{resolved.ref} moved while it was fetched"
        raise RemoteError(Problem(REMOTE_UNREACHABLE, title, field="spec.ref", fix="nothing: it is tried again"))

    async def _on_branch(self, hold: str, resolved: ResolvedRef, remote: Remote, seconds: float) -> GitOutput:
        """A commit behind its branch's head: only the branch's whole history can prove that it is there."""
        name = hold.rpartition("/")[0] + "-branch/head"
        output = await self._run(remote, f"+{resolved.head}:{name}", WHOLE_HISTORY, seconds)
        if not output.ok and is_unadvertised(output.stderr):
            output = await self._run(remote, f"+{resolved.ref}:{name}", WHOLE_HISTORY, seconds)
        if not output.ok:
            return output
        if not await self._repo.is_ancestor(resolved.commit, name):
            branch = resolved.ref.removeprefix("refs/heads/")
            title = f"commit {resolved.commit[:12]} is not on branch {branch!r}"
            fix = "name the branch that has it, or leave spec.ref.branch out"
            raise UserError(Problem(BAD_COMMIT, title, field="spec.ref.commit", fix=fix))
        await self._repo.hold(hold, resolved.commit)
        return output

    async def _anywhere(self, hold: str, resolved: ResolvedRef, remote: Remote, seconds: float) -> GitOutput:
        """A commit that the server does not send by hash: it must be in the history of a branch or a tag."""
        name = hold.rpartition("/")[0] + "-all"
        specs = (f"+refs/heads/*:{name}/heads/*", f"+refs/tags/*:{name}/tags/*")
        output = await self._run(remote, specs, WHOLE_HISTORY, seconds)
        if not output.ok:
            return output
        if not (await self._repo.run("cat-file", "-e", f"{resolved.commit}^{{commit}}")).ok:
            title = f"commit {resolved.commit[:12]} is not in the repository"
            cause = "it is in the history of no branch and no tag"
            raise UserError(Problem(BAD_COMMIT, title, field="spec.ref.commit", cause=cause))
        await self._repo.hold(hold, resolved.commit)
        return output

    async def _run(self, remote: Remote, refspecs: str | Sequence[str], depth: str, seconds: float) -> GitOutput:
        specs = [refspecs] if isinstance(refspecs, str) else list(refspecs)
        options = [f"--git-dir={self._repo.path}", *FETCH]
        output = await remote.run([*options, depth], specs, cwd=self._repo.path, seconds=seconds)
        if not output.ok and lacks_shallow(output.stderr):
            output = await remote.run(options, specs, cwd=self._repo.path, seconds=seconds)
        return output
