"""What became of files that were read before, so that an unchanged one is never read again. Bounded by bytes.

Neighbours of one folder are kept together, as a page: they are much alike, and so take little room.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from sluice.core.artifact import FileEntry
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.manifest import Manifest
from sluice.core.problem import Problem

Scope = Callable[[GroupKind], bool | None]
OVERHEAD_BYTES = 600
# How many files a page has on average.
PAGE_FILES = 64


@dataclass(frozen=True, slots=True)
class FileResult:
    """The manifests of one file (or one build). `scopes` are the answers about kinds that they depend on."""

    manifests: tuple[Manifest, ...]
    warnings: tuple[Problem, ...] = ()
    owners: tuple[tuple[ResourceId, tuple[ResourceId, ...]], ...] = ()
    scopes: tuple[tuple[GroupKind, bool | None], ...] = ()


class _Plain(msgspec.Struct, frozen=True, array_like=True):
    """A result without warnings."""

    manifests: tuple[Manifest, ...]
    owners: tuple[tuple[ResourceId, tuple[ResourceId, ...]], ...]
    scopes: tuple[tuple[GroupKind, bool | None], ...]


class ResultCache:
    """Pages of results; the least recently used go first when `limit` bytes are reached."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._pages: OrderedDict[Hashable, bytes] = OrderedDict()
        self._decoder = msgspec.msgpack.Decoder(dict[str, _Plain])
        self._warnings: dict[Hashable, dict[str, tuple[Problem, ...]]] = {}

    def get(self, key: Hashable, scope: Scope) -> dict[str, FileResult]:
        """The results of the page `key` by their names: those whose kinds still have the scope they had."""
        page = self._pages.get(key)
        if page is None:
            return {}
        self._pages.move_to_end(key)
        found, warnings = self._decoder.decode(zlib.decompress(page)), self._warnings.get(key, {})
        return {
            name: FileResult(each.manifests, warnings.get(name, ()), each.owners, each.scopes)
            for name, each in found.items()
            if all(scope(kind) == answer for kind, answer in each.scopes)
        }

    def put(self, key: Hashable, results: Mapping[str, FileResult]) -> None:
        """Keep a page in place of the one before; one that alone is over the limit is not kept."""
        old = self._pages.pop(key, None)
        self._size -= _size(old) if old is not None else 0
        plain = {name: _Plain(each.manifests, each.owners, each.scopes) for name, each in results.items()}
        page = self._pages[key] = zlib.compress(msgspec.msgpack.encode(plain), 1)
        self._warnings.pop(key, None)
        if warnings := {name: each.warnings for name, each in results.items() if each.warnings}:
            self._warnings[key] = warnings  # few have any
        self._size += _size(page)
        while self._size > self._limit:
            forgotten, dropped = self._pages.popitem(last=False)
            self._warnings.pop(forgotten, None)
            self._size -= _size(dropped)


def pages(entries: Iterable[FileEntry]) -> Iterator[list[FileEntry]]:
    """The files in pages. Where one ends is said by the path of its last file: a new file moves no other page."""
    page: list[FileEntry] = []
    for entry in entries:
        page.append(entry)
        if zlib.crc32(entry.path.encode()) % PAGE_FILES == 0:
            yield page
            page = []
    if page:
        yield page


def _size(page: bytes) -> int:
    return OVERHEAD_BYTES + len(page)
