"""A tree and its contents become a tar.gz that is the same, byte for byte, whenever the same files are put in. Pure.

Headers as Flux's artifacts have them: no owner, no time, 0600 for files, 0700 for executables, 0750 for folders.
Symlinks are left out, as there: a consumer that unpacks must not be led elsewhere.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable, Iterator

from sluice.core.artifact import FileEntry

LEVEL = 1
BLOCK = 512
MODES = {"file": 0o600, "executable": 0o700}
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no name, time 0, unknown system
_USTAR = b"ustar\x0000"


class TarballWriter:
    """Collects files in the order of their paths and hands out compressed pieces."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._crc = 0
        self._length = 0
        self._folders: set[str] = set()
        self._head = _GZIP_HEAD

    def add(self, files: Iterable[tuple[FileEntry, bytes]]) -> bytes:
        """Add files, each after the folders it lies in, and return what is ready to be written."""
        return self._compress(b"".join(piece for entry, content in files for piece in self._pieces(entry, content)))

    def finish(self) -> bytes:
        """End the archive and return the last piece. Nothing can be added after."""
        last = self._compress(b"\0" * (2 * BLOCK)) + self._deflate.flush()
        return last + self._crc.to_bytes(4, "little") + (self._length & 0xFFFFFFFF).to_bytes(4, "little")

    def _compress(self, data: bytes) -> bytes:
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        head, self._head = self._head, b""
        return head + self._deflate.compress(data)

    def _pieces(self, entry: FileEntry, content: bytes) -> Iterator[bytes]:
        if entry.mode == "symlink":
            return
        for folder in self._new_folders(entry.path):
            yield _header(folder + "/", 0o750, 0, b"5")
        yield _header(entry.path, MODES[entry.mode], len(content), b"0")
        yield content
        yield b"\0" * (-len(content) % BLOCK)

    def _new_folders(self, path: str) -> list[str]:
        found = []
        folder = path.rpartition("/")[0]
        while folder and folder not in self._folders:
            self._folders.add(folder)
            found.append(folder)
            folder = folder.rpartition("/")[0]
        return found[::-1]


def _header(name: str, mode: int, size: int, kind: bytes) -> bytes:
    raw = name.encode("utf-8", "surrogateescape")
    if len(raw) > 100 or size >= 8**11:
        return _long_header(name, mode, size, kind)
    block = b"%-0100b%07o\0%07o\0%07o\0%011o\0%011o\0        %b" % (
        raw.ljust(100, b"\0"), mode, 0, 0, size, 0, kind,
    )  # fmt: skip
    block = block.ljust(257, b"\0") + _USTAR
    block = block.ljust(BLOCK, b"\0")
    return b"%b%06o\0 %b" % (block[:148], sum(block), block[156:])


def _long_header(name: str, mode: int, size: int, kind: bytes) -> bytes:
    """A name or a size that the plain form can't hold: the pax form, by the standard library."""
    info = tarfile.TarInfo(name)
    info.mode, info.size, info.type = mode, size, kind
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
