"""Putting one artifact's files into another's tree: `spec.include` of a GitRepository. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sluice.core.artifact import BlobReader, FileEntry, FileTree
from sluice.core.codes import INCLUDE_UNAVAILABLE, SPEC_INVALID
from sluice.core.errors import UserError
from sluice.core.ignore import clean_path
from sluice.core.problem import Problem, printable


def merge_include(tree: FileTree, other: FileTree, from_path: str, to_path: str) -> FileTree:
    """The files of `tree` with those of `other` below `from_path` put at `to_path`, where they replace what is there.

    Merge before ignore rules are applied: they hold for included files too. Raises UserError when a path leads out of
    its repository, `from_path` is not there, or a file stands where a folder is needed.
    """
    source = clean_path(from_path, "spec.include[].fromPath")
    target = clean_path(to_path, "spec.include[].toPath")
    single = other.by_path.get(source)
    if single is not None and target:
        added = [replace(single, path=target)]
    else:
        added = [replace(entry, path=_moved(entry.path, source, target)) for entry in other.under(source)]
    if not added:
        title = f"the included repository has no folder {printable(source)!r}"
        raise UserError(Problem(INCLUDE_UNAVAILABLE, title, field="spec.include[].fromPath"))
    merged = tree.by_path | {entry.path: entry for entry in added}
    _check_folders(merged, added)
    return FileTree(tuple(merged[path] for path in sorted(merged)))


def _moved(path: str, source: str, target: str) -> str:
    rest = path[len(source) + 1 :] if source else path
    return f"{target}/{rest}" if target else rest


def _check_folders(merged: dict[str, FileEntry], added: Sequence[FileEntry]) -> None:
    folders = {folder for path in merged for folder in _folders_above(path)}
    for path in {path for entry in added for path in (entry.path, *_folders_above(entry.path))}:
        if path in folders and path in merged:
            title = f"{printable(path)!r} is a file in one repository and a folder in the other"
            fix = "choose another toPath"
            raise UserError(Problem(SPEC_INVALID, title, field="spec.include[].toPath", fix=fix))


def _folders_above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


class CombinedBlobs:
    """Reads a merged tree's contents, each from the artifact that it came from."""

    def __init__(self, first: BlobReader, others: Sequence[tuple[FileTree, BlobReader]]) -> None:
        self._first = first
        self._readers = {entry.blob: reader for tree, reader in others for entry in tree.entries}

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        """The contents, in the order asked."""
        groups: dict[int, tuple[BlobReader, list[int]]] = {}
        for index, entry in enumerate(entries):
            reader = self._readers.get(entry.blob, self._first)
            groups.setdefault(id(reader), (reader, []))[1].append(index)
        contents: list[bytes] = [b""] * len(entries)
        for reader, indexes in groups.values():
            for index, content in zip(indexes, await reader.read([entries[i] for i in indexes]), strict=True):
                contents[index] = content
        return contents
