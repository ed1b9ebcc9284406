"""What is known of image tags as tables of sqlite: their shape, and one function for each thing that is asked of them.

Called on the cache's own thread, each inside of a transaction.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

VERSION = 1
BUSY_SECONDS = 5.0
# Images that no tag names any more, of tags that moved on: so many are kept until they are looked for.
UNUSED_IMAGES = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEMA = """
create table repository (
    id integer primary key, scope text not null, name text not null, etag text not null, scanned real not null,
    used real not null, unique (scope, name)
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


class Gone(Exception):
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


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the tables in a file, or in memory. Raises sqlite3.Error and OSError."""
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


def number_of(database: sqlite3.Connection, scope: str, name: str, now: float) -> int:
    """The number of a repository, which is made if it is new; notes that it was asked for."""
    # A number is never given out twice, not even by the next file: a scan must not go on in another's list.
    fresh = (secrets.randbits(62), scope, name, now)
    database.execute("insert or ignore into repository values (?, ?, ?, '', 0, ?)", fresh)
    database.execute("update repository set used = ? where scope = ? and name = ?", (now, scope, name))
    row = database.execute("select id from repository where scope = ? and name = ?", (scope, name)).fetchone()
    return int(row[0])


def etag_of(database: sqlite3.Connection, repository: int) -> str:
    """The registry's name for the list that is kept."""
    row = database.execute("select etag from repository where id = ? and scanned > 0", (repository,)).fetchone()
    return str(row[0]) if row else ""


def scanned_at(database: sqlite3.Connection, repository: int) -> float:
    """When the list was last found to be whole, in seconds since 1970; 0 for never."""
    row = database.execute("select scanned from repository where id = ?", (repository,)).fetchone()
    return float(row[0]) if row else 0.0


def stage(database: sqlite3.Connection, repository: int, names: Sequence[str], first: bool) -> None:
    """Add names to a list that is not whole yet."""
    if first:
        database.execute("delete from staged where repository = ?", (repository,))
    database.executemany("insert or ignore into staged values (?, ?)", ((repository, name) for name in names))


def commit(database: sqlite3.Connection, repository: int, etag: str, now: float) -> ListingChange:
    """Let the staged names take the place of the list. Raises Gone."""
    which = {"id": repository}
    _keep(database, repository, etag, now)
    removed = database.execute(
        "delete from tag where repository = :id and name not in (select name from staged where repository = :id)", which
    ).rowcount
    added = database.execute(
        "insert or ignore into tag select repository, name, null, null, null from staged where repository = :id", which
    ).rowcount
    database.execute("delete from staged where repository = :id", which)
    count = _count(database, repository)
    if removed or image_count(database, repository) > count + UNUSED_IMAGES:
        database.execute(_MISSING_IMAGES, which)
    return ListingChange(count, added, removed)


def _keep(database: sqlite3.Connection, repository: int, etag: str, now: float) -> None:
    kept = database.execute("update repository set etag = ?, scanned = ? where id = ?", (etag, now, repository))
    if kept.rowcount == 0:
        raise Gone


def touch(database: sqlite3.Connection, repository: int, now: float) -> ListingChange:
    """Note that the list is as it was. Raises Gone."""
    _keep(database, repository, etag_of(database, repository), now)
    return ListingChange(_count(database, repository), 0, 0)


def _count(database: sqlite3.Connection, repository: int) -> int:
    return int(database.execute("select count(*) from tag where repository = ?", (repository,)).fetchone()[0])


def image_count(database: sqlite3.Connection, repository: int) -> int:
    """How many images of a repository are known."""
    return int(database.execute("select count(*) from image where repository = ?", (repository,)).fetchone()[0])


_COLUMNS = "tag.name, tag.digest, tag.due, tag.interval, image.created, image.labels, image.excluded"
_JOINED = "tag left join image on image.repository = tag.repository and image.digest = tag.digest"


def tags_after(database: sqlite3.Connection, repository: int, after: str, limit: int) -> list[CachedTag]:
    """The next tags after a name, in order."""
    rows = database.execute(
        f"select {_COLUMNS} from {_JOINED} where tag.repository = ? and tag.name > ? order by tag.name limit ?",  # noqa: S608
        (repository, after, limit),
    )
    return [_cached(*row) for row in rows]


def image_of(database: sqlite3.Connection, repository: int, digest: str) -> CachedTag | None:
    """What is known of an image."""
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


def record(database: sqlite3.Connection, repository: int, tags: Sequence[CachedTag]) -> None:
    """Keep what was learned of tags and their images. Raises Gone."""
    if scanned_at(database, repository) == 0:
        raise Gone
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


def forget(database: sqlite3.Connection, before: float) -> int:
    """Delete the repositories that nobody asked for since then."""
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
