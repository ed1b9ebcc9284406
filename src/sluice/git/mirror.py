"""One bare repository in the cache per URL and credentials: what a ref stands at, what is new, what it holds.

A poll is one ls-remote. A fetch asks for one commit, without its history, and brings only the objects that the mirror
lacks; each commit in use is held by a ref of ours until newer ones push it out.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.api.git_repository import GitRef
from sluice.core.artifact import BlobReader, FileTree
from sluice.core.codes import REMOTE_UNREACHABLE, SOURCE_MISSING
from sluice.core.errors import RemoteError, StateError
from sluice.core.problem import Problem, clip
from sluice.git.blobs import MirrorBlobs
from sluice.git.errors import is_damaged, is_unadvertised, lacks_shallow
from sluice.git.limits import GitLimits
from sluice.git.process import GitOutput, RunLimits, base_env, run_git
from sluice.git.refs import ResolvedRef, Wanted, missing_ref, pick, wanted_of
from sluice.git.remote import Remote
from sluice.git.session import write_config
from sluice.git.tree import Listing, check_tree, parse_listing, sorted_tree, too_many_files

KEEP_COMMITS = 4
FETCHES_BETWEEN_GC = 64
FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance")
LISTING_BYTES_PER_FILE = 400


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """Who wrote a commit, when (RFC 3339), and its first line."""

    author: str
    email: str
    time: str
    subject: str


class Mirror:
    """The mirror in `folder` of one remote. Safe to share between tasks; `close` ends its reader process."""

    def __init__(self, remote: Remote, folder: Path) -> None:
        self.remote = remote
        self.folder = folder
        self._repo = folder / "repo.git"
        self._lock = asyncio.Lock()
        self._fetches = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._env = base_env(folder, write_config(folder / "config"))
        limits = remote.limits
        self._blobs = MirrorBlobs(self._repo, self._env, max_bytes=limits.read_bytes, timeout=limits.timeout)

    @property
    def limits(self) -> GitLimits:
        """The limits of the remote, which are the mirror's too."""
        return self.remote.limits

    @property
    def blobs(self) -> BlobReader:
        """Where the contents of `tree`'s files are read."""
        return self._blobs

    async def close(self) -> None:
        """End what runs for this mirror; its files stay."""
        await self._blobs.close()

    async def resolve(self, ref: GitRef | None, *, seconds: float | None = None) -> ResolvedRef:
        """Ask the remote, once, what `spec.ref` stands at. A commit without a branch is not asked for.

        Raises UserError (RefMissing with the nearest names, RepoEmpty, RefSyntax, Semver, BadCommit) when the spec or
        the repository must change; AuthenticationFailed or RemoteError when the host refused or did not answer.
        """
        wanted = wanted_of(ref)
        limit = seconds or self.limits.timeout
        if wanted.kind == "branch" or (wanted.kind == "commit" and wanted.ref):
            return await self._resolve_named(wanted, ("--heads",), limit)
        return await self._resolve_named(wanted, ("--tags",) if wanted.kind == "tag" else (), limit)

    async def _resolve_named(self, wanted: Wanted, options: Sequence[str], seconds: float) -> ResolvedRef:
        refs = await self.remote.list_refs(options, seconds=seconds)
        found = pick(wanted, refs)
        if found is not None:
            return found
        if not refs and options:
            refs = await self.remote.list_refs(seconds=seconds)
        raise missing_ref(wanted, refs)

    async def fetch(self, resolved: ResolvedRef, *, seconds: float | None = None) -> None:
        """Bring the commit's tree into the mirror; costs nothing when it is there.

        Raises AuthenticationFailed, RemoteError (also when the ref moved meanwhile: resolve again) or UserError.
        """
        limit = seconds or self.limits.timeout
        async with self._lock:
            hold = self._hold_name(resolved)
            if (self._repo / hold).exists():
                return
            await self._ensure_repo(resolved.revision.algorithm)
            output = await self._fetch_commit(resolved, hold, limit)
            if not output.ok and is_damaged(output.stderr):
                await self._discard()
                await self._ensure_repo(resolved.revision.algorithm)
                output = await self._fetch_commit(resolved, hold, limit)
            if not output.ok:
                self._remove_locks()
                raise self.remote.error(output, limit)
            await self._let_go(hold)

    async def _fetch_commit(self, resolved: ResolvedRef, hold: str, seconds: float) -> GitOutput:
        """By hash first, so that what was resolved is what comes; by name where the server sends only named refs."""
        output = await self._fetch_refspec(f"+{resolved.commit}:{hold}", seconds)
        if output.ok or not is_unadvertised(output.stderr) or not resolved.ref:
            return output
        output = await self._fetch_refspec(f"+{resolved.ref}:{hold}", seconds)
        if not output.ok:
            return output
        found = await self._local("rev-parse", "--verify", "--quiet", f"{hold}^{{commit}}")
        if found.stdout.decode().strip() != resolved.commit:
            await self._local("update-ref", "-d", hold)
            title = f"{resolved.ref} moved while it was fetched"
            raise RemoteError(Problem(REMOTE_UNREACHABLE, title, field="spec.ref", fix="nothing: it is tried again"))
        return output

    async def _fetch_refspec(self, refspec: str, seconds: float) -> GitOutput:
        url = str(self.remote.url)
        git_dir = f"--git-dir={self._repo}"
        args = [git_dir, *FETCH, "--depth=1", "--end-of-options", url, refspec]
        output = await self.remote.run(args, cwd=self._repo, seconds=seconds)
        if not output.ok and lacks_shallow(output.stderr):
            return await self.remote.run(
                [git_dir, *FETCH, "--end-of-options", url, refspec], cwd=self._repo, seconds=seconds
            )
        return output

    async def tree(self, commit: str) -> FileTree:
        """The files of a fetched commit, every path checked.

        Raises UserError (TreeEntry, PathNotAllowed, RepoTooBig), or StateError when the mirror has no such commit.
        """
        listing = await self._listing(commit)
        tree = sorted_tree(listing.entries)
        return check_tree(tree, commit, max_files=self.limits.tree_files, max_bytes=self.limits.tree_bytes)

    async def _listing(self, commit: str) -> Listing:
        cap = max(self.limits.tree_files * LISTING_BYTES_PER_FILE, 1 << 20)
        output = await self._local("ls-tree", "-r", "-z", "-l", "--full-tree", commit, cap=cap)
        if output.too_big:
            raise too_many_files(commit, self.limits.tree_files)
        return parse_listing(self._checked(output, commit), commit)

    async def commit_info(self, commit: str) -> CommitInfo:
        """Author, time and subject of a fetched commit, as its writer chose them: text to show, not to trust."""
        output = await self._local("show", "-s", "--no-mailmap", "--format=%an%x00%ae%x00%aI%x00%s", commit)
        fields = self._checked(output, commit).decode("utf-8", "replace").rstrip("\n").split("\0")
        author, email, time, subject = (clip(field, 200) for field in (*fields, "", "", "", "")[:4])
        return CommitInfo(author, email, time, subject)

    async def changed(self, old: str, new: str) -> tuple[str, ...] | None:
        """The paths that differ between two fetched commits, or None when `old` is no longer in the mirror."""
        output = await self._local("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
        if not output.ok:
            return None
        return tuple(path for path in output.stdout.decode("utf-8", "surrogateescape").split("\0") if path)

    async def _local(self, *args: str, cap: int = 1 << 24) -> GitOutput:
        limits = RunLimits(timeout=self.limits.timeout, output=cap)
        return await run_git([f"--git-dir={self._repo}", *args], env=self._env, cwd=self.folder, limits=limits)

    def _checked(self, output: GitOutput, commit: str) -> bytes:
        if output.ok:
            return output.stdout
        cause = "git took too long" if output.timed_out else clip(output.stderr.strip(), 300)
        title = f"commit {commit[:12]} can't be read from the git mirror"
        raise StateError(Problem(SOURCE_MISSING, title, cause=cause, fix="fetch it again"))

    async def _ensure_repo(self, algorithm: str) -> None:
        if (self._repo / "HEAD").exists():
            self._remove_locks()
            return
        args = ["init", "--quiet", "--bare", f"--object-format={algorithm}", str(self._repo)]
        output = await run_git(args, env=self._env, cwd=self.folder, limits=RunLimits(timeout=self.limits.timeout))
        if not output.ok:
            shutil.rmtree(self._repo, ignore_errors=True)
            title = "the git mirror can't be made"
            raise StateError(
                Problem(SOURCE_MISSING, title, cause=clip(output.stderr.strip(), 300), fix="check the disk")
            )

    def _remove_locks(self) -> None:
        """Remove what a killed git left: only this process writes here, and only under our own lock."""
        for lock in (*self._repo.glob("*.lock"), *(self._repo / "refs").rglob("*.lock")):
            lock.unlink(missing_ok=True)

    async def _discard(self) -> None:
        await self._blobs.close()
        shutil.rmtree(self._repo, ignore_errors=True)

    def _hold_name(self, resolved: ResolvedRef) -> str:
        followed = hashlib.sha256(f"{resolved.revision.name} {resolved.ref}".encode()).hexdigest()[:16]
        return f"refs/sluice/{followed}/{resolved.commit}"

    async def _let_go(self, hold: str) -> None:
        """Drop the oldest commits of the ref that was fetched, and clear out objects from time to time."""
        held = sorted((self._repo / hold).parent.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in held[KEEP_COMMITS:]:
            path.unlink(missing_ok=True)
        self._fetches += 1
        if self._fetches % FETCHES_BETWEEN_GC == 0:
            await self._local("gc", "--quiet", "--prune=1.hour.ago")
