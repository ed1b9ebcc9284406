"""One bare repository in the cache per URL and credentials: what a ref stands at, what is new, what it holds.

A poll is one ls-remote. A fetch asks for one commit, without its history, and brings only the objects that the mirror
lacks. Submodules are fetched into the same repository: objects are named by content, so one reader serves all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sluice.api.git_repository import GitRef
from sluice.core.artifact import BlobReader, FileTree
from sluice.core.commit_text import CommitRead
from sluice.core.errors import StateError
from sluice.core.ignore import sparse_tree
from sluice.git.blobs import MirrorBlobs
from sluice.git.errors import disk_refuses
from sluice.git.fetch import TIP_ONLY, Fetch
from sluice.git.head import Head
from sluice.git.history import History
from sluice.git.limits import GitLimits
from sluice.git.refs import ResolvedRef, Wanted, missing_ref, pick, semver_candidates, wanted_of
from sluice.git.remote import Remote
from sluice.git.repository import BareRepository, CommitInfo, hold_name
from sluice.git.submodules import Submodules
from sluice.git.tree import check_tree, sorted_tree


class Mirror:
    """The mirror in `folder` of one remote. Safe to share between tasks; `close` ends its reader process."""

    def __init__(self, remote: Remote, folder: Path) -> None:
        self.remote = remote
        self.limits: GitLimits = remote.limits
        self._lock = asyncio.Lock()
        self._repo = BareRepository(folder, self.limits)
        self._fetch = Fetch(self._repo)
        self._history = History(self._repo, self._fetch)
        self._blobs = MirrorBlobs(
            self._repo.path, self._repo.env, max_bytes=self.limits.read_bytes, timeout=self.limits.timeout
        )

    @property
    def blobs(self) -> BlobReader:
        """Where the contents of `tree`'s files are read."""
        return self._blobs

    @property
    def repository(self) -> BareRepository:
        """The repository itself, for adding objects to it: what changes its refs goes through the mirror."""
        return self._repo

    def head(self, commit: str) -> Head:
        """A fetched commit as an edit is planned on it."""
        return Head(self._repo, self._blobs, commit)

    async def close(self) -> None:
        """End what runs for this mirror; its files stay."""
        await self._blobs.close()

    async def resolve(self, ref: GitRef | None, *, seconds: float | None = None) -> ResolvedRef:
        """Ask the remote, once, what `spec.ref` stands at. A commit without a branch needs no asking.

        Raises UserError (RefMissing with the nearest names, RepoEmpty, RefSyntax, Semver, BadCommit) when the spec or
        the repository must change; AuthenticationFailed or RemoteError when the host refused or did not answer.
        """
        wanted = wanted_of(ref)
        limit = seconds or self.limits.timeout
        if wanted.kind == "semver":
            return await self._resolve_semver(wanted, limit)
        if not wanted.ref:
            return ResolvedRef.of_commit(wanted.text)
        options = {"name": (), "tag": ("--tags",)}.get(wanted.kind, ("--heads",))
        refs = await self.remote.list_refs(options, seconds=limit)
        found = pick(wanted, refs)
        if found is None:
            raise missing_ref(wanted, refs or await self.remote.list_refs(seconds=limit))
        return found

    async def _resolve_semver(self, wanted: Wanted, seconds: float) -> ResolvedRef:
        """The highest version; of tags with the same version, the one whose commit is youngest."""
        refs = await self.remote.list_refs(("--tags",), seconds=seconds)
        candidates = semver_candidates(wanted, refs)
        if len({candidate.commit for candidate in candidates}) == 1:
            return candidates[-1]
        dates = []
        for candidate in candidates:
            await self.fetch(candidate, seconds=seconds)
            dates.append(await self._repo.committed_at(candidate.commit))
        return candidates[max(range(len(dates)), key=dates.__getitem__)]

    async def fetch(self, resolved: ResolvedRef, *, seconds: float | None = None) -> None:
        """Bring the commit's tree into the mirror; costs nothing when it is there, so call it before every use.

        A mirror that lacked an object when it was read is thrown away first.

        Raises AuthenticationFailed, RemoteError (also when the ref moved meanwhile: resolve again), or UserError
        (BadCommit when a commit is not on its branch, RepoTooBig, TreeEntry).
        """
        await self._fetch_held(hold_name((resolved.revision.name, resolved.ref), resolved.commit), resolved, seconds)

    async def fetch_earlier(self, resolved: ResolvedRef, *, seconds: float | None = None) -> None:
        """The same for a commit that must be in the history of `resolved.head`, which is proved once for each head.

        Costs that whole history the first time: a mirror has none.
        """
        hold = hold_name((resolved.ref, "earlier"), f"{resolved.commit}-{resolved.head}")
        await self._fetch_held(hold, resolved, seconds)

    async def fetch_again(self, resolved: ResolvedRef, *, seconds: float | None = None) -> None:
        """The same for a commit that `resolved.ref` stood at once, wherever it stands now.

        Asks nobody while the mirror has it; after the disk was lost, the remote must still have it.
        """
        hold = hold_name((resolved.revision.name, resolved.ref), resolved.commit)
        await self._fetch_held(hold, replace(resolved, ref=""), seconds)

    async def _fetch_held(self, hold: str, resolved: ResolvedRef, seconds: float | None) -> None:
        with disk_refuses():
            async with self._lock:
                await self._fetch_unless_held(hold, resolved, seconds)

    async def _fetch_unless_held(self, hold: str, resolved: ResolvedRef, seconds: float | None) -> None:
        if not self._blobs.is_intact:
            await self._blobs.close()
            self._repo.discard()
            self._blobs.is_intact = True
        if not self._repo.holds(hold):
            await self._fetch.into(hold, resolved, self.remote, seconds or self.limits.timeout)

    async def recent(self, head: ResolvedRef, count: int, *, seconds: float | None = None) -> tuple[CommitRead, ...]:
        """The newest `count` commits of a fetched head; one costs nothing, more a fetch. Raises as `fetch` does."""
        async with self._lock:
            return await self._history.recent(head, count, self.remote, seconds or self.limits.timeout)

    async def ahead(
        self, tip: str, ref: str, base: ResolvedRef, *, seconds: float | None = None
    ) -> tuple[CommitRead, ...]:
        """The commits of branch `ref`, at `tip`, that a fetched `base` lacks, newest first, with their files.

        Raises UserError (BranchNotOurs) when they are too many to be ours, and as `fetch` does.
        """
        async with self._lock:
            return await self._history.ahead(tip, ref, base, self.remote, seconds or self.limits.timeout)

    async def touching(self, path: str, commit: str, *, seconds: float | None = None) -> tuple[CommitRead, ...]:
        """The newest few commits up to a fetched one that changed a file, newest first. Raises as `fetch` does."""
        async with self._lock:
            return await self._history.touching(path, commit, self.remote, seconds or self.limits.timeout)

    async def line(
        self, head: ResolvedRef, since: str, *, first_parent: bool = False, seconds: float | None = None
    ) -> tuple[str, ...]:
        """The commits up to a fetched head that `since` (empty: none) does not lead to, oldest first.

        Costs the whole history the first time. Raises UserError (RepoTooBig), and as `fetch` does.
        """
        async with self._lock:
            limit = seconds or self.limits.timeout
            return await self._history.line(head, since, self.remote, limit, first_parent=first_parent)

    async def pending(
        self, base: str, tip: str, head: ResolvedRef, path: str, *, seconds: float | None = None
    ) -> tuple[str, ...] | None:
        """The commits after `base` up to `tip` (may be the start of a hash) that changed `path`, newest first.

        None where `tip` is not there. One that is not behind the fetched `head` counts as newer. Costs one fetch for
        each head. Raises as `fetch` does.
        """
        async with self._lock:
            return await self._history.pending(base, tip, head, path, self.remote, seconds or self.limits.timeout)

    async def fetch_tip(self, ref: str, commit: str, *, seconds: float | None = None) -> None:
        """Bring a commit that `ref` (not a branch that is followed) stands at. Raises as `fetch` does."""
        hold = hold_name((ref, "tip"), commit)
        async with self._lock:
            if not self._repo.holds(hold):
                limit = seconds or self.limits.timeout
                await self._fetch.some(hold, [f"+{commit}:{hold}"], (TIP_ONLY,), self.remote, limit)

    async def keep(self, followed: ResolvedRef, commit: str) -> None:
        """Hold a commit that was made here and is now where `followed` points, so that its next fetch costs nothing."""
        async with self._lock:
            await self._repo.hold(hold_name((followed.revision.name, followed.ref), commit), commit)

    async def tree(self, commit: str, *, submodules: bool = False, sparse: Sequence[str] = ()) -> FileTree:
        """The files of a fetched commit, every path checked; with `submodules`, theirs too, fetched when needed.

        Raises UserError (TreeEntry, PathNotAllowed, RepoTooBig, SubmoduleInvalid), StateError when the mirror has no
        such commit, and what `fetch` raises.
        """
        try:
            listing = await self._repo.listing(commit)
        except StateError:
            self._blobs.is_intact = False
            raise
        entries = listing.entries
        if submodules and listing.gitlinks:
            async with self._lock:
                entries = await Submodules(self._repo, self._fetch).entries(self.remote, commit, listing)
        tree = check_tree(
            sorted_tree(entries), commit, max_files=self.limits.tree_files, max_bytes=self.limits.tree_bytes
        )
        return sparse_tree(tree, sparse)

    async def commit_info(self, commit: str) -> CommitInfo:
        """Author, time and subject of a fetched commit: its writer chose them, made printable; not to be trusted."""
        return await self._repo.commit_info(commit)

    async def changed(self, old: str, new: str) -> tuple[str, ...] | None:
        """The paths that differ between two fetched commits, or None when `old` is no longer in the mirror."""
        return await self._repo.changed(old, new)
