"""Notifications that are not delivered yet, in one sqlite file: what survives the end of the process.

It is written before the first try and after the last. What stands in it is told at least once; a disk that is lost
takes with it what was waiting. One thread does all the work, so that the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec
import structlog

from sluice.core.notification import Notification

_VERSION = 1
BUSY_SECONDS = 2.0
_SCHEMA = (
    "create table if not exists notification (number integer primary key, id text not null unique, body blob not null)"
)
T = TypeVar("T")
log = structlog.get_logger()


class NotificationSpool:
    """The file `path`; without one, or where it can't be written, memory. Use it with `async with`.

    A file that is damaged, or of another version, is deleted and begun anew; while it is locked, or the disk is full,
    nothing is kept: the log says so. No operation raises for the disk's sake, for a sync never depends on what is
    told of it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="notification-spool")
        self._database: sqlite3.Connection | None = None

    async def __aenter__(self) -> Self:
        await self._run(lambda _: None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def keep(self, notifications: Sequence[Notification]) -> None:
        """Write them; they are on disk when this returns."""
        rows = [(each.id, msgspec.json.encode(each)) for each in notifications]
        await self._run(lambda database: _insert(database, rows))

    async def drop(self, ids: Iterable[str]) -> None:
        """Forget those that are delivered or given up."""
        rows = [(each,) for each in ids]
        await self._run(lambda database: _delete(database, rows))

    async def waiting(self) -> list[Notification]:
        """All that are kept, in the order in which they came; what can't be read is left out, and dropped."""
        return await self._run(_waiting) or []

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._guarded, work)

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        for _ in range(2):
            try:
                if self._database is None:
                    self._database = _open(self._path)
                with self._database:
                    return work(self._database)
            except sqlite3.OperationalError as error:
                # Full, locked or gone: the file is not to blame. What is not written down is told all the same.
                log.warning("the spool of notifications can't be used now", error=str(error))
                if self._database is not None:
                    return None
                self._path = None
            except sqlite3.Error as error:
                log.warning("the spool of notifications is begun anew", error=str(error))
                self._close()
                self._give_up_file()
        return None

    def _give_up_file(self) -> None:
        """Begin with a new file; where there can be none, go on in memory."""
        if self._path is None:
            return
        try:
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            with closing(_open(self._path)):
                pass
        except (OSError, sqlite3.Error) as error:
            log.warning("notifications that wait are kept in memory only", error=str(error))
            self._path = None

    def _close(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _open(path: Path | None) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:" if path is None else path, BUSY_SECONDS, check_same_thread=False)
    try:
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = normal")
        (version,) = database.execute("pragma user_version").fetchone()
        if version not in {0, _VERSION}:
            raise sqlite3.DatabaseError(f"it is of version {version}")
        with database:
            database.execute(_SCHEMA)
            database.execute(f"pragma user_version = {_VERSION}")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _insert(database: sqlite3.Connection, rows: list[tuple[str, bytes]]) -> None:
    database.executemany("insert or ignore into notification (id, body) values (?, ?)", rows)


def _delete(database: sqlite3.Connection, rows: list[tuple[str]]) -> None:
    database.executemany("delete from notification where id = ?", rows)


def _waiting(database: sqlite3.Connection) -> list[Notification]:
    found = []
    broken = []
    for number, body in database.execute("select number, body from notification order by number").fetchall():
        try:
            found.append(msgspec.json.decode(body, type=Notification))
        except msgspec.DecodeError:
            broken.append((number,))
    database.executemany("delete from notification where number = ?", broken)
    return found
