"""Which syncs are worked on, a small file for each while it is, so that who comes after a killed process knows.

What is written is in the kernel's hands at once and outlives the process; it is not forced to the disk, since a machine
that goes down says nothing about what ran on it. A disk that can't be written costs that knowledge and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from sluice.core.crashes import Work

MAX_FILES = 1000
MAX_BYTES = 4096
log = structlog.get_logger()


class UnderWay:
    """The files, all in one `folder`, which is made when there is something to write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: Counter[Work] = Counter()
        self._said = False

    @contextmanager
    def mark(self, work: Work) -> Iterator[None]:
        """Say, while inside, that this is being worked on; inside of itself it says so no second time."""
        self._held[work] += 1
        if self._held[work] == 1:
            self._write(work)
        try:
            yield
        finally:
            self._held[work] -= 1
            if not self._held[work]:
                del self._held[work]
                _remove(self._place(work))

    def left(self) -> tuple[tuple[Work, ...], float]:
        """What an earlier process had begun and not ended, and since when at the least (seconds of the clock)."""
        found: list[Work] = []
        newest = 0.0
        for place in self._files():
            with contextlib.suppress(OSError, msgspec.MsgspecError):
                with place.open("rb") as file:
                    found.append(msgspec.json.decode(file.read(MAX_BYTES), type=Work))
                newest = max(newest, place.stat().st_mtime)
        return tuple(sorted(found, key=lambda work: work.owner)), newest

    def clear(self) -> None:
        """Forget what an earlier process has left."""
        for place in self._files():
            _remove(place)

    def _files(self) -> list[Path]:
        try:
            with os.scandir(self._folder) as entries:
                return [Path(entry.path) for entry, _ in zip(entries, range(MAX_FILES), strict=False)]
        except OSError:
            return []

    def _write(self, work: Work) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._place(work).write_bytes(msgspec.json.encode(work))
        except OSError as error:
            if not self._said:
                log.warning("what is worked on can't be noted: who ends the process will not be known",
                            error=error.strerror)  # fmt: skip
            self._said = True

    def _place(self, work: Work) -> Path:
        return self._folder / hashlib.sha256(msgspec.json.encode(work)).hexdigest()[:32]


def _remove(place: Path) -> None:
    with contextlib.suppress(OSError):  # what could not be written, or a disk that failed since
        place.unlink()
