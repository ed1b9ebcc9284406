"""A tree with some files changed, as it will be once they are committed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.core.artifact import BlobReader, FileEntry, FileTree


@dataclass(frozen=True, slots=True)
class Overlay:
    """Reads the changed files from memory, and all others where they are."""

    blobs: BlobReader
    contents: Mapping[str, bytes]  # by blob

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        """The contents, in the order asked."""
        others = [entry for entry in entries if entry.blob not in self.contents]
        read = iter(await self.blobs.read(others) if others else ())
        return [self.contents[entry.blob] if entry.blob in self.contents else next(read) for entry in entries]


def overlaid(tree: FileTree, blobs: BlobReader, files: Mapping[str, bytes]) -> tuple[FileTree, BlobReader]:
    """The tree with these files changed or added; their modes stay."""
    entries = {entry.path: entry for entry in tree.entries}
    contents: dict[str, bytes] = {}
    for path, data in files.items():
        blob = f"changed:{hashlib.sha256(data).hexdigest()}"
        contents[blob] = data
        entries[path] = FileEntry(path, blob, len(data), entries[path].mode if path in entries else "file")
    return FileTree(tuple(entries.values())), Overlay(blobs, contents)
