"""One commit of a mirror, as an edit is planned on it: found by bytes, read by path, never checked out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from sluice.core.artifact import BlobReader, FileEntry, FileTree
from sluice.core.errors import StateError
from sluice.core.tree_check import path_fault
from sluice.git.blobs import MirrorBlobs
from sluice.git.repository import BareRepository
from sluice.git.tree import check_tree, parse_listing, sorted_tree

LITERAL_PATHS = {"GIT_LITERAL_PATHSPECS": "1"}
FEW_PATHS = 200


class Head:
    """A fetched commit. Its tree is listed once, when it is first needed. Submodules and symlinks are not read."""

    def __init__(self, repo: BareRepository, blobs: MirrorBlobs, commit: str) -> None:
        self.commit = commit
        self._repo = repo
        self._blobs = blobs
        self._tree: FileTree | None = None
        self._submodules: tuple[str, ...] = ()

    @property
    def blobs(self) -> BlobReader:
        """Where the contents of `tree`'s files are read."""
        return self._blobs

    async def is_there(self) -> bool:
        """True when the mirror has the commit: one that was fetched or made long ago may be gone."""
        return (await self._repo.run("cat-file", "-e", f"{self.commit}^{{commit}}")).ok

    async def tree(self) -> FileTree:
        """The files, every path checked. Raises UserError (TreeEntry, PathNotAllowed, RepoTooBig) or StateError."""
        if self._tree is None:
            with self._noticing_damage():
                listing = await self._repo.listing(self.commit)
            limits = self._repo.limits
            tree = sorted_tree(listing.entries)
            self._tree = check_tree(tree, self.commit, max_files=limits.tree_files, max_bytes=limits.tree_bytes)
            self._submodules = tuple(link.path for link in listing.gitlinks)
        return self._tree

    async def submodules(self) -> tuple[str, ...]:
        """The paths that are other repositories."""
        await self.tree()
        return self._submodules

    async def entries(self, paths: Collection[str]) -> tuple[FileEntry, ...]:
        """What files and symlinks there are at these paths. Few paths cost themselves, not a listing of the tree."""
        if self._tree is not None or len(paths) > FEW_PATHS:
            files = (await self.tree()).by_path
            return tuple(files[path] for path in paths if path in files)
        asked = [path for path in paths if path_fault(path) is None]
        if not asked:
            return ()
        args = ["ls-tree", "-z", "-l", "--full-tree", self.commit, "--", *asked]
        with self._noticing_damage():
            output = self._repo.checked(await self._repo.run(*args, env=LITERAL_PATHS), self.commit)
            blobs = b"\0".join(record for record in output.split(b"\0") if record.split(b" ", 2)[1:2] == [b"blob"])
            return parse_listing(blobs, self.commit).entries

    async def files_with(self, needle: str, paths: Sequence[str] = ()) -> tuple[str, ...]:
        """The plain files, below `paths` (folders or files; none is all), whose bytes hold `needle`, in order.

        Costs a search of the blobs, no parse and no listing. Raises StateError when the mirror can't be read, and
        ValueError for a needle that is empty or goes over a line's end.
        """
        if not needle or "\n" in needle or "\0" in needle:
            raise ValueError("the text to look for is one line")
        below = [] if "" in paths else [path for path in paths if path_fault(path) is None]
        if not below and paths and "" not in paths:
            return ()  # no path of a tree is like these
        args = ["grep", "-l", "-z", "-F", "--text", "--no-color", "--full-name", "-e", needle, self.commit, "--"]
        output = await self._repo.run(*args, *below, env=LITERAL_PATHS)
        if output.code == 1 and not output.stderr:
            return ()  # git's answer for "in no file"
        if output.stderr:
            output = replace(output, code=output.code or 1)  # it goes on past a blob that it can't read
        with self._noticing_damage():
            names = self._repo.checked(output, self.commit).decode("utf-8", "surrogateescape").split("\0")
        prefix = f"{self.commit}:"
        return tuple(sorted(name.removeprefix(prefix) for name in names if name))

    async def read(self, paths: Collection[str]) -> dict[str, bytes]:
        """The contents of those of `paths` that are plain files. Raises UserError (RepoTooBig) or StateError."""
        entries = [entry for entry in await self.entries(paths) if entry.mode != "symlink"]
        return dict(zip((entry.path for entry in entries), await self._blobs.read(entries), strict=True))

    @contextmanager
    def _noticing_damage(self) -> Iterator[None]:
        """A mirror that can't be read is thrown away by its next fetch."""
        try:
            yield
        except StateError:
            self._blobs.is_intact = False
            raise
