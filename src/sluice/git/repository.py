"""The bare repository of a mirror: what can be done with it without talking to anyone.

It is a cache: when it is damaged it is thrown away. Commits in use are held by refs of ours,
`refs/sluice/<what is followed>/<commit>`; a ref's file is also the proof that its commit was fetched whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.core.codes import SOURCE_MISSING
from sluice.core.commit_text import UpdateMark, mark_of
from sluice.core.errors import StateError
from sluice.core.problem import Problem, clip, printable
from sluice.git.limits import GitLimits
from sluice.git.process import GitOutput, RunLimits, base_env, run_git
from sluice.git.session import write_config
from sluice.git.tree import Listing, parse_listing, too_many_files

KEEP_COMMITS = 4
FETCHES_BETWEEN_GC = 64
LISTING_BYTES_PER_FILE = 400


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """Who wrote a commit, when (RFC 3339), its first line, when it was committed (RFC 3339), and its mark.

    The mark is there on an update of images.
    """

    author: str
    email: str
    time: str
    subject: str
    committed: str
    mark: UpdateMark | None = None


class BareRepository:
    """The repository in `folder`. One process and one caller at a time may change it; reading is always safe."""

    def __init__(self, folder: Path, limits: GitLimits) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.limits = limits
        self.path = folder / "repo.git"
        self.env = base_env(folder, write_config(folder / "config"))
        self._fetches = 0

    async def ensure(self, algorithm: str) -> None:
        """Make the repository, or clear what a killed git left in it. Raises StateError when the disk refuses."""
        if (self.path / "HEAD").exists():
            self.remove_leftovers()
            return
        args = ["init", "--quiet", "--bare", f"--object-format={algorithm}", str(self.path)]
        output = await run_git(args, env=self.env, cwd=self.folder, limits=RunLimits(timeout=self.limits.timeout))
        if not output.ok:
            self.discard()
            title, cause = "the git mirror can't be made", clip(output.stderr.strip(), 300)
            raise StateError(Problem(SOURCE_MISSING, title, cause=cause, fix="check the disk of the cache folder"))

    def remove_leftovers(self) -> None:
        """Remove lock files, and packs that were not received to their end: only this process writes here, not now.

        Git leaves a pack that breaks off; each further try would take its room on the disk once more.
        """
        packs = (self.path / "objects" / "pack").glob("tmp_*")
        for left in (*self.path.glob("*.lock"), *(self.path / "refs").rglob("*.lock"), *packs):
            left.unlink(missing_ok=True)

    def discard(self) -> None:
        """Throw the repository away."""
        shutil.rmtree(self.path, ignore_errors=True)

    def holds(self, hold: str) -> bool:
        """True when the ref is there, and so its commit with all its files."""
        return (self.path / hold).exists()

    async def hold(self, hold: str, commit: str) -> None:
        """Set the ref `hold`, for a commit whose files are here."""
        self.checked(await self.run("update-ref", hold, commit), commit)

    async def let_go(self, hold: str) -> None:
        """After a fetch into `hold`: drop the oldest commits beside it, and clear out objects from time to time."""
        held = sorted((self.path / hold).parent.iterdir(), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in held[KEEP_COMMITS:]:
            path.unlink(missing_ok=True)
        self._fetches += 1
        if self._fetches % FETCHES_BETWEEN_GC == 0:
            await self.run("gc", "--quiet", "--prune=1.hour.ago")

    async def listing(self, commit: str) -> Listing:
        """Files and submodules of a commit, every path checked."""
        cap = max(self.limits.tree_files * LISTING_BYTES_PER_FILE, 1 << 20)
        output = await self.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, cap=cap)
        if output.too_big:
            raise too_many_files(commit, self.limits.tree_files)
        # In a thread: a hundred thousand paths take half a second.
        return await asyncio.to_thread(parse_listing, self.checked(output, commit), commit)

    async def commit_info(self, commit: str) -> CommitInfo:
        """Author, time, subject, commit date and mark of a commit."""
        output = await self.run("show", "-s", "--no-mailmap", "--format=%an%x00%ae%x00%aI%x00%s%x00%cI%x00%B", commit)
        fields = self.checked(output, commit).decode("utf-8", "replace").rstrip("\n").split("\0")
        told = (clip(printable(field), 200) for field in (*fields, "", "", "", "", "")[:5])
        author, email, time, subject, committed = told
        return CommitInfo(author, email, time, subject, committed, mark_of(fields[5]) if len(fields) > 5 else None)

    async def committed_at(self, commit: str) -> int:
        """The commit's date as its committer set it, in seconds since 1970."""
        output = await self.run("show", "-s", "--no-mailmap", "--format=%ct", commit)
        return int(self.checked(output, commit))

    async def is_ancestor(self, commit: str, head: str) -> bool:
        """True when `commit` is here and `head`'s history leads to it."""
        return (await self.run("merge-base", "--is-ancestor", commit, head)).ok

    async def changed(self, old: str, new: str) -> tuple[str, ...] | None:
        """The paths that differ between two commits, or None when one of them is not here."""
        output = await self.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new)
        if not output.ok:
            return None
        return tuple(path for path in output.stdout.decode("utf-8", "surrogateescape").split("\0") if path)

    async def run(
        self, *args: str, cap: int = 1 << 24, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> GitOutput:
        """Run git in the repository, within `cap` bytes of output; `env` is added to its environment."""
        limits = RunLimits(timeout=self.limits.timeout, output=cap)
        whole = {**self.env, **(env or {})}
        return await run_git([f"--git-dir={self.path}", *args], env=whole, cwd=self.folder, limits=limits, stdin=stdin)

    def checked(self, output: GitOutput, commit: str) -> bytes:
        """The output of a run that must have worked. Raises StateError."""
        if output.ok:
            return output.stdout
        cause = "git took too long" if output.timed_out else clip(output.stderr.strip(), 300)
        title = f"commit {commit[:12]} can't be read from the git mirror"
        raise StateError(Problem(SOURCE_MISSING, title, cause=cause, fix="nothing: the next sync fetches it again"))


def hold_name(followed: Sequence[str], commit: str) -> str:
    """The ref that holds a commit fetched for `followed` (a ref of a remote, or a submodule)."""
    digest = hashlib.sha256("\0".join(followed).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"refs/sluice/{digest}/{commit}"
