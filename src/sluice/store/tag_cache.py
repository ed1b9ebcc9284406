"""What is known of the tags of image repositories, in one sqlite file that may be lost at any time.

A list of tags is staged page by page and takes the place of the old one whole, or not at all. What an image is stays
with its digest, which never changes its meaning; what a tag stands for is looked at again by `core.tag_refresh`. One
thread does all the work, so that memory does not grow with the number of tags, and the event loop never waits.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sluice.core import codes
from sluice.core.errors import StateError
from sluice.core.problem import Problem, printable
from sluice.store import tag_tables as tables
from sluice.store.tag_tables import CachedTag, ListingChange

__all__ = ["CachedTag", "ListingChange", "TagCache"]

KEEP_SECONDS = 14 * 24 * 3600.0
T = TypeVar("T")


class TagCache:
    """The cache in the file `path`; without one it is in memory. Use it with `async with`.

    A file that is damaged, or of another version, is deleted and begun anew. Where no file can be written, memory is
    used instead: `problem` says so, and nothing else changes. An operation that meets the damage raises StateError
    (TagCache), after which the cache is empty and in order.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tag-cache")
        self._connection: sqlite3.Connection | None = None
        self._damaged = False
        self.problem: Problem | None = None

    async def __aenter__(self) -> Self:
        await self._run(lambda _: None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def repository(self, scope: str, name: str, now: datetime) -> int:
        """The number of a repository, by which the other operations name it; it is made if it is new."""
        return await self._run(lambda database: tables.number_of(database, scope, name, now.timestamp()))

    async def etag(self, repository: int) -> str:
        """What the registry called the list that is kept; empty when it called it nothing, or nothing is kept."""
        return await self._run(lambda database: tables.etag_of(database, repository))

    async def stage(self, repository: int, names: Sequence[str], *, first: bool) -> None:
        """Keep some names of a list that is not whole yet; `first` drops what an earlier attempt left."""
        await self._run(lambda database: tables.stage(database, repository, names, first))

    async def commit(self, repository: int, etag: str, now: datetime) -> ListingChange:
        """Put the staged names in the place of the old list."""
        change = await self._run(lambda database: tables.commit(database, repository, etag, now.timestamp()))
        self._damaged = False
        return change

    async def touch(self, repository: int, now: datetime) -> ListingChange:
        """Note that the list was found unchanged."""
        return await self._run(lambda database: tables.touch(database, repository, now.timestamp()))

    async def listed(self, repository: int) -> bool:
        """True when a whole list is kept, if only an empty one."""
        return await self._run(lambda database: tables.scanned_at(database, repository) > 0)

    async def tags(self, repository: int, after: str = "", limit: int = 500) -> list[CachedTag]:
        """The next tags of the list after the name `after`, in order."""
        return await self._run(lambda database: tables.tags_after(database, repository, after, limit))

    async def image(self, repository: int, digest: str) -> CachedTag | None:
        """What is known of an image under any of its tags, as a CachedTag without a name."""
        return await self._run(lambda database: tables.image_of(database, repository, digest))

    async def knows_images(self, repository: int) -> bool:
        """True when anything is known of any image of the repository."""
        return await self._run(lambda database: tables.image_count(database, repository) > 0)

    async def record(self, repository: int, tags: Iterable[CachedTag]) -> None:
        """Keep what was learned of some tags and their images; those that have left the list meanwhile are ignored."""
        kept = list(tags)
        await self._run(lambda database: tables.record(database, repository, kept))

    async def forget_unused(self, now: datetime) -> int:
        """Delete the repositories that nobody asked for in two weeks; returns how many."""
        return await self._run(lambda database: tables.forget(database, now.timestamp() - KEEP_SECONDS))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)

    # --- on the thread ------------------------------------------------------------------------------------------

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._open()
            with self._connection:
                result = work(self._connection)
        except tables.Gone:
            raise StateError(_lost("another operation met the damage")) from None
        except sqlite3.Error as error:
            self._discard()
            if self._damaged:  # the second time since a list was kept: the disk is at fault, not the file
                self.problem = _unkept(error)
                self._path = None
            self._damaged = True
            raise StateError(_lost(str(error))) from error
        return result

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return tables.connect(None)
        try:
            return tables.connect(self._path)
        except (sqlite3.Error, OSError):
            self._discard()
        try:
            return tables.connect(self._path)
        except (sqlite3.Error, OSError) as error:
            self.problem = _unkept(error)
            return tables.connect(None)

    def _discard(self) -> None:
        self._close()
        if self._path is not None:
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _lost(cause: str) -> Problem:
    fix = "none needed: the repositories are scanned again"
    return Problem(codes.TAG_CACHE, "the cache of image tags was lost", cause=printable(cause), fix=fix)


def _unkept(error: Exception) -> Problem:
    title = "the cache of image tags can't be kept on disk, so each start scans anew"
    fix = "check the space and the rights of the cache folder"
    return Problem(codes.TAG_CACHE, title, cause=printable(str(error)), fix=fix)
