"""A tree without a repository behind it, to look for something in it: a checkout as it stands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sluice.core.artifact import BlobReader, FileTree


@dataclass(slots=True)
class TreeVersion:
    """A tree as a version, searched by reading it: once, whatever is looked for."""

    files: FileTree
    blobs: BlobReader
    commit: str = ""
    _contents: dict[str, bytes] | None = None

    async def tree(self) -> FileTree:
        """The files."""
        return self.files

    async def files_with(self, needle: str) -> tuple[str, ...]:
        """The plain files whose bytes hold `needle`, in order."""
        if self._contents is None:
            self._contents = await self.read(self.files.by_path)
        return tuple(path for path, data in self._contents.items() if needle.encode() in data)

    async def read(self, paths: Collection[str]) -> dict[str, bytes]:
        """The contents of those of `paths` that are plain files."""
        found = (self.files.by_path.get(path) for path in paths)
        entries = [entry for entry in found if entry is not None and entry.mode != "symlink"]
        return dict(zip((entry.path for entry in entries), await self.blobs.read(entries), strict=True))
