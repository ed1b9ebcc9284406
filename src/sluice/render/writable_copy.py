"""The files of a tree in a private folder, where commands may change them; and what they changed.

The copy is no git checkout: it has no `.git`, and a link that leads out of the tree is left out of it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sluice.core import codes
from sluice.core.artifact import BlobReader, FileEntry, FileTree
from sluice.core.errors import UserError
from sluice.core.problem import Origin, Problem
from sluice.core.tree_check import path_fault
from sluice.render.kustomize import private_folder
from sluice.render.links import Escape, Links

BATCH_BYTES = 32 << 20
MAX_CHANGED = 200
MAX_CHANGED_BYTES = 32 << 20

# What tells that a file is the one that was written: its size, its place on the disk, and when it was last touched.
_Seen = dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class WritableCopy:
    """`source` holds the files; `home` and `temporary` are empty folders beside it; `work` holds all three."""

    work: Path
    source: Path
    home: Path
    temporary: Path
    seen: _Seen

    async def changes(self) -> dict[str, bytes]:
        """The contents of files that are new or differ now.

        Raises UserError (UpdatedFile) for one that is gone, that is no plain file, or that could be in no repository.
        """
        return await asyncio.to_thread(lambda: _changes(self.source, self.seen))


@asynccontextmanager
async def writable_copy(parent: Path, tree: FileTree, blobs: BlobReader, links: Links) -> AsyncIterator[WritableCopy]:
    """Make a copy below `parent`, which is gone afterwards with all that was written into it."""
    work = await asyncio.to_thread(private_folder, parent)
    try:
        source, home, temporary = (work / name for name in ("source", "home", "tmp"))
        for folder in (source, home, temporary):
            folder.mkdir(mode=0o700)
        for batch in _batches([entry for entry in tree.entries if entry.mode != "symlink"]):
            contents = await blobs.read(batch)
            await asyncio.to_thread(_write, source, batch, contents)
        await asyncio.to_thread(_link, source, tree.symlinks, links)
        yield WritableCopy(work, source, home, temporary, await asyncio.to_thread(_look, source))
    finally:
        await asyncio.to_thread(_remove, work)


def _batches(entries: Sequence[FileEntry]) -> Iterator[Sequence[FileEntry]]:
    batch: list[FileEntry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry.size
        if size > BATCH_BYTES or len(batch) >= 500:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write(source: Path, entries: Sequence[FileEntry], contents: Sequence[bytes]) -> None:
    for entry, data in zip(entries, contents, strict=True):
        place = source / entry.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(0o755 if entry.mode == "executable" else 0o644)


def _link(source: Path, entries: Sequence[FileEntry], links: Links) -> None:
    for entry in entries:
        try:
            links.resolve(entry.path)
        except Escape:
            continue
        place = source / entry.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(links.targets[entry.path])


def _look(source: Path) -> _Seen:
    seen = {}
    for folder, folders, files in os.walk(source):
        for name in (*files, *(each for each in folders if (Path(folder) / each).is_symlink())):
            place = Path(folder) / name
            status = place.lstat()
            # The time of the last change of any kind can't be set back, unlike that of the content.
            seen[place.relative_to(source).as_posix()] = (status.st_size, status.st_ino, status.st_ctime_ns)
    return seen


def _changes(source: Path, before: _Seen) -> dict[str, bytes]:
    now = _look(source)
    problems = [_refused(path, "an updater deleted a file", "") for path in sorted(before.keys() - now.keys())]
    touched = sorted(path for path, seen in now.items() if before.get(path) != seen)
    changed: dict[str, bytes] = {}
    for path in touched:
        status = (source / path).lstat()
        fault = path_fault(path)
        if fault is not None:
            problems.append(_refused(path, "an updater left a file that no repository may hold", fault[1]))
        elif not stat.S_ISREG(status.st_mode):
            problems.append(_refused(path, "an updater left something that is no plain file", ""))
        elif len(changed) >= MAX_CHANGED or status.st_size > MAX_CHANGED_BYTES:
            cause = f"at most {MAX_CHANGED} files and {MAX_CHANGED_BYTES >> 20} MiB are committed"
            raise UserError(_refused(path, "an updater changed too much", cause))
        else:
            changed[path] = (source / path).read_bytes()
    if problems:
        raise UserError(*problems[:MAX_CHANGED])
    return changed


def _refused(path: str, title: str, cause: str) -> Problem:
    fix = "let the updater change files in place, and keep what it needs for itself below $TMPDIR"
    return Problem(codes.UPDATED_FILE, title, origin=Origin(path), cause=cause, fix=fix)


def _remove(work: Path) -> None:
    """Remove the folder, also where a command took away the right to do so."""
    for folder, folders, _ in os.walk(work):
        for name in folders:
            place = Path(folder) / name
            if not place.is_symlink():
                place.chmod(0o700)
    shutil.rmtree(work)
