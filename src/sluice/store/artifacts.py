"""The folder of artifacts: `<kind>/<namespace>/<name>/<commit>.tar.gz`, written whole or not at all.

The layout and the number kept are Flux's, since other tools fetch by this path: the two newest of each source, and
any younger than a minute, so that a consumer told of one still finds it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sluice.core.artifact import Artifact, BlobReader, FileEntry, FileTree
from sluice.core.codes import SOURCE_MISSING
from sluice.core.errors import StateError
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem
from sluice.core.revision import Revision
from sluice.core.timestamp import rfc3339
from sluice.store.tarball import TarballWriter

KEEP = 2
YOUNG_SECONDS = 60.0
BATCH_BYTES = 8 << 20
_File = tuple[BinaryIO, Path]
_PART = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")


class ArtifactStore:
    """Keeps artifacts below `root`. Calls for different sources may run at once; for one source, one after another."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def put(
        self, source: ResourceId, revision: Revision, tree: FileTree, blobs: BlobReader, *, now: datetime
    ) -> Artifact:
        """Write the tree as a tarball, drop old ones, and return the Artifact. Equal trees give equal digests.

        Raises StateError when the disk refuses, and what `blobs` raises.
        """
        path = self._path(source, revision)
        target = self.root / path
        try:
            digest, size = await self._write(target, tree, blobs)
            await asyncio.to_thread(self._collect, target, now)
        except OSError as error:
            raise _disk_error(source, error) from error
        return Artifact(source, revision, digest, size, path, rfc3339(now), tree, blobs)

    async def find(
        self, source: ResourceId, revision: Revision, tree: FileTree, blobs: BlobReader, *, digest: str, fetched_at: str
    ) -> Artifact | None:
        """The Artifact of a tarball that is there already (after a restart), or None when it is not, or differs."""
        path = self._path(source, revision)
        found = await asyncio.to_thread(_digest_of_file, self.root / path)
        if found is None or found[0] != digest:
            return None
        return Artifact(source, revision, digest, found[1], path, fetched_at, tree, blobs)

    async def remove(self, source: ResourceId) -> None:
        """Delete all artifacts of a source."""
        await asyncio.to_thread(shutil.rmtree, self.root / self._folder(source), ignore_errors=True)

    def _folder(self, source: ResourceId) -> str:
        parts = (source.kind.lower(), source.namespace, source.name)
        if not all(_PART.match(part) for part in parts):
            raise ValueError(f"not the id of a source: {source}")
        return "/".join(parts)

    def _path(self, source: ResourceId, revision: Revision) -> str:
        return f"{self._folder(source)}/{revision.hex}.tar.gz"

    async def _write(self, target: Path, tree: FileTree, blobs: BlobReader) -> tuple[str, int]:
        file = await asyncio.to_thread(_create, target)
        sha, writer = hashlib.sha256(), TarballWriter()
        try:
            for batch in _batches(tree.entries):
                contents = await blobs.read(batch)
                await asyncio.to_thread(_append, file, sha, writer, batch, contents)
            size = await asyncio.to_thread(_publish, file, sha, writer, target)
        finally:
            await asyncio.to_thread(_discard, file)
        return f"sha256:{sha.hexdigest()}", size

    def _collect(self, newest: Path, now: datetime) -> None:
        """Date the file written, drop what is old, and what a crash left half written."""
        time = now.timestamp()
        os.utime(newest, (time, time))
        files = [path for path in newest.parent.iterdir() if path != newest]
        dated = sorted(((path.stat().st_mtime, path) for path in files), reverse=True)
        kept = 1
        for modified, path in dated:
            if path.suffix == ".gz":
                kept += 1
            if time - modified >= YOUNG_SECONDS and (path.suffix != ".gz" or kept > KEEP):
                path.unlink(missing_ok=True)


def _batches(entries: Sequence[FileEntry]) -> Iterator[list[FileEntry]]:
    batch: list[FileEntry] = []
    size = 0
    for entry in entries:
        if entry.mode == "symlink":
            continue
        if batch and size + entry.size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    yield batch


def _create(target: Path) -> _File:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=target.parent)
    return os.fdopen(handle, "wb"), Path(name)


def _append(
    file: _File, sha: hashlib._Hash, writer: TarballWriter, batch: Sequence[FileEntry], contents: Sequence[bytes]
) -> None:
    piece = writer.add(zip(batch, contents, strict=True))
    sha.update(piece)
    file[0].write(piece)


def _publish(file: _File, sha: hashlib._Hash, writer: TarballWriter, target: Path) -> int:
    """Write the end, make it durable, and only then give it its name."""
    stream, path = file
    piece = writer.finish()
    sha.update(piece)
    stream.write(piece)
    stream.flush()
    os.fsync(stream.fileno())
    size = stream.tell()
    path.replace(target)
    _sync_folder(target.parent)
    return size


def _discard(file: _File) -> None:
    stream, path = file
    stream.close()
    path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest_of_file(path: Path) -> tuple[str, int] | None:
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}", os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return None


def _disk_error(source: ResourceId, error: OSError) -> StateError:
    title = "the artifact can't be stored"
    fix = "check the space and the rights of the cache folder"
    return StateError(Problem(SOURCE_MISSING, title, source, cause=error.strerror or type(error).__name__, fix=fix))
