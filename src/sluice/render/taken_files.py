"""Which kustomizations of a repository take a file in: whoever changes the file changes what all of them build."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sluice.core.artifact import BlobReader, FileEntry, FileTree, Version
from sluice.core.yaml_read import MAX_FILE_BYTES
from sluice.render.kustomization_file import NAMES, KustomizationFile, read_kustomization, references
from sluice.render.links import Escape, Links, normal

MAX_KUSTOMIZATIONS = 20_000
MAX_BYTES = 50_000_000
BATCH = 64
TAKEN = frozenset({"resource", "component", "patch"})


class TakenFiles:
    """The kustomizations of one version, read when they are first asked for, all of them once.

    One that can't be read takes nothing in, for nothing is built of it.
    """

    def __init__(self, version: Version) -> None:
        self.version = version
        self._graph: _Graph | None = None

    async def is_of(self, path: str, folder: str) -> bool:
        """True when `folder` holds the file, or every kustomization that takes it in leads there.

        Of a tree with too many kustomizations, or too large ones, nobody knows, and it is False. Raises StateError.
        """
        if _is_below(path, folder):
            return True
        takers = (await self._read()).takers
        waiting, seen, leads_there = [path], {path}, False
        while waiting:
            each = waiting.pop()
            if _is_below(each, folder):
                leads_there = True
                continue
            above = takers.get(each, frozenset())
            if not above:
                return False
            waiting += above - seen
            seen |= above
        return leads_there

    async def sharers(self, path: str) -> tuple[str, ...]:
        """The kustomizations that share a file: of those that take it in, through others or not, the first that are
        several. One alone, where there are no several. Raises StateError.
        """
        takers = (await self._read()).takers
        seen: set[str] = set()
        while len(above := takers.get(path, frozenset())) == 1 and path not in seen:
            seen.add(path)
            [path] = above
        return tuple(sorted(above)) or ((path,) if seen else ())

    async def roots(self, folder: str) -> tuple[str, ...]:
        """The folders below `folder` (or itself) whose kustomization no other takes in, components apart. StateError.

        A kustomization in `folder` itself counts alone: it says what of the others is built.
        """
        graph = await self._read()
        if any(file.folder == folder for file in graph.files):
            return (folder,)
        below = [file for file in graph.files if _is_below(file.folder, folder) and file.path not in graph.takers]
        return tuple(sorted(file.folder for file in below if file.value.get("kind") != "Component"))

    async def _read(self) -> _Graph:
        if self._graph is None:
            self._graph = await _graph(await self.version.tree(), self.version.blobs)
        return self._graph


@dataclass(frozen=True, slots=True)
class _Graph:
    """The kustomizations of a tree, and by path of a file or a kustomization those that name it."""

    files: tuple[KustomizationFile, ...] = ()
    takers: Mapping[str, frozenset[str]] = field(default_factory=dict)


def _is_below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


async def _graph(tree: FileTree, blobs: BlobReader) -> _Graph:
    links = await Links.of(tree, blobs)
    named = [each for each in tree.entries if each.path.rpartition("/")[2] in NAMES]
    entries = [real for each in named if (real := _followed(tree, links, each)) is not None]
    if len(entries) > MAX_KUSTOMIZATIONS or sum(each.size for each in entries) > MAX_BYTES:
        return _Graph()
    files = [file for start in range(0, len(entries), BATCH) for file in await _files(blobs, entries[start:][:BATCH])]
    homes = {file.folder: file.path for file in files}
    found: dict[str, set[str]] = {}
    for file in files:
        for reference in references(file):
            target = _target(tree, links, homes, file, reference.text) if reference.kind in TAKEN else None
            if target is not None:
                found.setdefault(target, set()).add(file.path)
    return _Graph(tuple(files), {path: frozenset(takers) for path, takers in found.items()})


def _followed(tree: FileTree, links: Links, entry: FileEntry) -> FileEntry | None:
    """A kustomization, or what it is a link to; None for one that is not read."""
    target: FileEntry | None = entry
    if entry.mode == "symlink":
        try:
            target = tree.by_path.get(links.resolve(entry.path))
        except Escape:
            return None
    return replace(target, path=entry.path) if target is not None and target.size <= MAX_FILE_BYTES else None


async def _files(blobs: BlobReader, entries: list[FileEntry]) -> list[KustomizationFile]:
    return await asyncio.to_thread(_parsed, entries, await blobs.read(entries))


def _parsed(entries: list[FileEntry], contents: list[bytes]) -> list[KustomizationFile]:
    read = (
        read_kustomization(data, entry.path, entry.path.rpartition("/")[0], "")[0]
        for entry, data in zip(entries, contents, strict=True)
    )
    return [file for file in read if file is not None]


def _target(tree: FileTree, links: Links, homes: Mapping[str, str], file: KustomizationFile, text: str) -> str | None:
    try:
        path = links.resolve(normal(f"{file.folder}/{text}"))
    except Escape:
        return None
    return path if path in tree.by_path else homes.get(path)
