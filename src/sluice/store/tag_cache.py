"""What is known of the tags of image repositories, in one sqlite file that may be lost at any time.

A list of tags is staged page by page and takes the place of the old one whole, or not at all. What an image is stays
with its digest, which never changes its meaning; what a tag stands for is looked at again by `core.tag_refresh`. One
thread does all the work, so that memory does not grow with the number of tags, and the event loop never waits.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sluice.core import codes
from sluice.core.errors import StateError
from sluice.core.problem import Problem, printable

VERSION = 1
KEEP_SECONDS = 14 * 24 * 3600.0
BUSY_SECONDS = 5.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = """
create table repository (
    id integer primary key, scope text not null, name text not null, etag text not null, scanned real not null,
    used real not null,    unique (scope, name)
);
create table tag (
    repository integer not null, name text not null, digest text, due real, interval real,
    primary key (repository, name)
) without rowid;
create table image (
    repository integer not null, digest text not null, created integer, labels text not null, excluded text not null,
    primary key (repository, digest)
) without rowid;
create table staged (repository integer not null, name text not null, primary key (repository, name)) without rowid;
"""
_MISSING_IMAGES = """
delete from image where repository = :id and digest not in (
    select digest from tag where repository = :id and digest is not null
)"""
T = TypeVar("T")


class _Gone(Exception):
    """The cache was lost since this repository's number was given out."""


@dataclass(frozen=True, slots=True)
class CachedTag:
    """A tag with what is known of it. `digest` None: nothing yet; empty: that there is no manifest.

    `due` is when to look again, in seconds since 1970, `interval` the pause that ends then. `created` and `labels` are
    of the image that the digest names; `excluded` says why it is none.
    """

    name: str
    digest: str | None = None
    due: float = 0.0
    interval: float | None = None
    created: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    excluded: str = ""


@dataclass(frozen=True, slots=True)
class ListingChange:
    """What a new list of tags changed: how many there are, how many came, how many went."""

    count: int
    added: int
    removed: int


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
        return await self._run(lambda database: _repository(database, scope, name, now.timestamp()))

    async def etag(self, repository: int) -> str:
        """What the registry called the list that is kept; empty when it called it nothing, or nothing is kept."""
        return await self._run(lambda database: _etag(database, repository))

    async def stage(self, repository: int, names: Sequence[str], *, first: bool) -> None:
        """Keep some names of a list that is not whole yet; `first` drops what an earlier attempt left."""
        await self._run(lambda database: _stage(database, repository, names, first))

    async def commit(self, repository: int, etag: str, now: datetime) -> ListingChange:
        """Put the staged names in the place of the old list."""
        change = await self._run(lambda database: _commit(database, repository, etag, now.timestamp()))
        self._damaged = False
        return change

    async def touch(self, repository: int, now: datetime) -> ListingChange:
        """Note that the list was found unchanged."""
        return await self._run(lambda database: _touch(database, repository, now.timestamp()))

    async def listed(self, repository: int) -> bool:
        """True when a whole list is kept, if only an empty one."""
        return await self._run(lambda database: _scanned(database, repository) > 0)

    async def tags(self, repository: int, after: str = "", limit: int = 500) -> list[CachedTag]:
        """The next tags of the list after the name `after`, in order."""
        return await self._run(lambda database: _tags(database, repository, after, limit))

    async def image(self, repository: int, digest: str) -> CachedTag | None:
        """What is known of an image under any of its tags, as a CachedTag without a name."""
        return await self._run(lambda database: _image(database, repository, digest))

    async def record(self, repository: int, tags: Iterable[CachedTag]) -> None:
        """Keep what was learned of some tags and their images; those that have left the list meanwhile are ignored."""
        kept = list(tags)
        await self._run(lambda database: _record(database, repository, kept))

    async def forget_unused(self, now: datetime) -> int:
        """Delete the repositories that nobody asked for in two weeks; returns how many."""
        return await self._run(lambda database: _forget(database, now.timestamp() - KEEP_SECONDS))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, work)

    # --- on the thread ------------------------------------------------------------------------------------------

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._open()
            with self._connection:
                result = work(self._connection)
        except _Gone:
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
            return _connect(None)
        try:
            return _connect(self._path)
        except (sqlite3.Error, OSError):
            self._discard()
        try:
            return _connect(self._path)
        except (sqlite3.Error, OSError) as error:
            self.problem = _unkept(error)
            return _connect(None)

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


def _connect(path: Path | None) -> sqlite3.Connection:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    connection = sqlite3.connect(path or ":memory:", timeout=BUSY_SECONDS, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("pragma journal_mode = wal")
    # What is lost with the machine's power is scanned again.
    connection.execute("pragma synchronous = off")
    connection.execute("pragma cache_size = -1024")
    version = connection.execute("pragma user_version").fetchone()[0]
    if version not in {0, VERSION}:
        raise sqlite3.DatabaseError(f"its format is {version}, not {VERSION}")
    if version == 0:
        connection.executescript(f"begin; {_SCHEMA} pragma user_version = {VERSION}; commit;")
    connection.execute("select count(*) from repository").fetchone()


def _repository(database: sqlite3.Connection, scope: str, name: str, now: float) -> int:
    # A number is never given out twice, not even by the next file: a scan must not go on in another's list.
    fresh = (secrets.randbits(62), scope, name, now)
    database.execute("insert or ignore into repository values (?, ?, ?, '', 0, ?)", fresh)
    database.execute("update repository set used = ? where scope = ? and name = ?", (now, scope, name))
    row = database.execute("select id from repository where scope = ? and name = ?", (scope, name)).fetchone()
    return int(row[0])


def _etag(database: sqlite3.Connection, repository: int) -> str:
    row = database.execute("select etag from repository where id = ? and scanned > 0", (repository,)).fetchone()
    return str(row[0]) if row else ""


def _scanned(database: sqlite3.Connection, repository: int) -> float:
    row = database.execute("select scanned from repository where id = ?", (repository,)).fetchone()
    return float(row[0]) if row else 0.0


def _stage(database: sqlite3.Connection, repository: int, names: Sequence[str], first: bool) -> None:
    if first:
        database.execute("delete from staged where repository = ?", (repository,))
    database.executemany("insert or ignore into staged values (?, ?)", ((repository, name) for name in names))


def _commit(database: sqlite3.Connection, repository: int, etag: str, now: float) -> ListingChange:
    which = {"id": repository}
    _keep(database, repository, etag, now)
    removed = database.execute(
        "delete from tag where repository = :id and name not in (select name from staged where repository = :id)", which
    ).rowcount
    added = database.execute(
        "insert or ignore into tag select repository, name, null, null, null from staged where repository = :id", which
    ).rowcount
    database.execute("delete from staged where repository = :id", which)
    if removed:
        database.execute(_MISSING_IMAGES, which)
    return ListingChange(_count(database, repository), added, removed)


def _keep(database: sqlite3.Connection, repository: int, etag: str, now: float) -> None:
    kept = database.execute("update repository set etag = ?, scanned = ? where id = ?", (etag, now, repository))
    if kept.rowcount == 0:
        raise _Gone


def _touch(database: sqlite3.Connection, repository: int, now: float) -> ListingChange:
    _keep(database, repository, _etag(database, repository), now)
    return ListingChange(_count(database, repository), 0, 0)


def _count(database: sqlite3.Connection, repository: int) -> int:
    return int(database.execute("select count(*) from tag where repository = ?", (repository,)).fetchone()[0])


_COLUMNS = "tag.name, tag.digest, tag.due, tag.interval, image.created, image.labels, image.excluded"
_JOINED = "tag left join image on image.repository = tag.repository and image.digest = tag.digest"


def _tags(database: sqlite3.Connection, repository: int, after: str, limit: int) -> list[CachedTag]:
    rows = database.execute(
        f"select {_COLUMNS} from {_JOINED} where tag.repository = ? and tag.name > ? order by tag.name limit ?",  # noqa: S608
        (repository, after, limit),
    )
    return [_cached(*row) for row in rows]


def _image(database: sqlite3.Connection, repository: int, digest: str) -> CachedTag | None:
    row = database.execute(
        "select created, labels, excluded from image where repository = ? and digest = ?", (repository, digest)
    ).fetchone()
    return _cached("", digest, 0.0, None, *row) if row else None


def _cached(
    name: str,
    digest: str | None,
    due: float | None,
    interval: float | None,
    created: int | None,
    labels: str | None,
    excluded: str | None,
) -> CachedTag:
    if excluded is None:  # an image that is not known any more: the tag is as good as new
        return CachedTag(name)
    moment = None if created is None else _EPOCH + timedelta(microseconds=created)
    return CachedTag(name, digest, due or 0.0, interval, moment, json.loads(labels or "{}"), excluded)


def _record(database: sqlite3.Connection, repository: int, tags: Sequence[CachedTag]) -> None:
    if _scanned(database, repository) == 0:
        raise _Gone
    database.executemany(
        "insert or replace into image values (?, ?, ?, ?, ?)",
        (
            (repository, tag.digest, _micros(tag.created), json.dumps(dict(tag.labels)), tag.excluded)
            for tag in tags
            if tag.digest is not None
        ),
    )
    database.executemany(
        "update tag set digest = ?, due = ?, interval = ? where repository = ? and name = ?",
        ((tag.digest, tag.due, tag.interval, repository, tag.name) for tag in tags),
    )


def _forget(database: sqlite3.Connection, before: float) -> int:
    old = [row[0] for row in database.execute("select id from repository where used < ?", (before,))]
    for repository in old:
        for table in ("tag", "image", "staged"):
            database.execute(f"delete from {table} where repository = ?", (repository,))  # noqa: S608
        database.execute("delete from repository where id = ?", (repository,))
    return len(old)


def _micros(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _lost(cause: str) -> Problem:
    fix = "none needed: the repositories are scanned again"
    return Problem(codes.TAG_CACHE, "the cache of image tags was lost", cause=printable(cause), fix=fix)


def _unkept(error: Exception) -> Problem:
    title = "the cache of image tags can't be kept on disk, so each start scans anew"
    fix = "check the space and the rights of the cache folder"
    return Problem(codes.TAG_CACHE, title, cause=printable(str(error)), fix=fix)
