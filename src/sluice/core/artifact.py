"""An immutable tree fetched from a source: which files it has, and where their content can be read."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sluice.core.ids import ResourceId
from sluice.core.revision import Revision

FileMode = Literal["file", "executable", "symlink"]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a tree. `blob` names its content (equal content, equal name); a symlink's content is its target."""

    path: str
    blob: str
    size: int
    mode: FileMode = "file"


@dataclass(frozen=True, slots=True)
class FileTree:
    """The files of an artifact, ordered by path. Paths are relative, with `/`, and never hold `.` or `..`."""

    entries: tuple[FileEntry, ...]
    by_path: dict[str, FileEntry] = field(init=False, repr=False, compare=False)
    symlinks: tuple[FileEntry, ...] = field(init=False, repr=False, compare=False)
    _paths: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        entries = tuple(sorted(self.entries, key=lambda e: e.path))
        object.__setattr__(self, "entries", entries)
        object.__setattr__(self, "by_path", {entry.path: entry for entry in entries})
        object.__setattr__(self, "symlinks", tuple(entry for entry in entries if entry.mode == "symlink"))
        object.__setattr__(self, "_paths", [entry.path for entry in entries])

    def under(self, folder: str) -> tuple[FileEntry, ...]:
        """The files below `folder`; the empty folder is the root. Costs a binary search, not a walk of the tree."""
        if not folder:
            return self.entries
        start = bisect_left(self._paths, folder + "/")
        return self.entries[start : bisect_left(self._paths, folder + "0", lo=start)]  # "0" follows "/"

    def has_folder(self, folder: str) -> bool:
        """True when `folder` holds at least one file (git knows no empty folders)."""
        return not folder or bool(self.under(folder))


def digest_of(entries: Sequence[FileEntry]) -> str:
    """The sha256 of exactly these paths, modes and contents: equal inputs of a render give equal digests."""
    sha = hashlib.sha256()
    for entry in entries:
        sha.update(f"{entry.mode} {entry.blob} {entry.path}\0".encode("utf-8", "surrogateescape"))
    return sha.hexdigest()


class BlobReader(Protocol):
    """Where the content of an artifact's files is read, many at a time."""

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        """The contents, in the order asked. Raises StateError when one can't be had."""
        ...


class Version(Protocol):
    """One version of a repository's files, a commit or a checkout, in which something is looked for.

    What it is asked raises UserError for a tree that no repository may hold, and StateError when it can't be read.
    """

    @property
    def commit(self) -> str:
        """The commit; empty for a checkout."""
        ...

    @property
    def blobs(self) -> BlobReader:
        """Where the contents of `tree`'s files are read."""
        ...

    async def tree(self) -> FileTree:
        """The files."""
        ...

    async def files_with(self, needle: str) -> tuple[str, ...]:
        """The plain files whose bytes hold `needle`, in order."""
        ...

    async def read(self, paths: Collection[str]) -> dict[str, bytes]:
        """The contents of those of `paths` that are plain files."""
        ...


@dataclass(frozen=True, slots=True)
class Artifact:
    """A fetched tree. `digest` (`sha256:…`) and `size` are of the stored tarball, `path` is relative to the store.

    `author`, `subject` and `committed_at` (RFC 3339) are the commit's, made printable: text to show, not to trust.
    `updated_by` is the automation whose mark the commit carries, or empty. Anybody can write a mark: it may make Sluice
    more careful, never less.
    """

    source: ResourceId
    revision: Revision
    digest: str
    size: int
    path: str
    fetched_at: str
    tree: FileTree
    blobs: BlobReader
    author: str = ""
    subject: str = ""
    updated_by: str = ""
    committed_at: str = ""
