"""Contents of a mirror's objects, read through one `git cat-file --batch` process.

Sizes are known from the tree, so one batch is written and read back as one exact number of bytes. The process ends
after it has been idle for a while and is started again when it is needed, or when it has died.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.core.artifact import FileEntry
from sluice.core.codes import REPO_TOO_BIG, SOURCE_MISSING
from sluice.core.errors import StateError, UserError
from sluice.core.problem import Problem, printable
from sluice.git.process import kill_group, spawn_git

BATCH_FILES = 2048
BATCH_BYTES = 32 << 20
IDLE_SECONDS = 10.0


class MirrorBlobs:
    """The BlobReader of one mirror. `close` it when the mirror is no longer used.

    `is_intact` turns False when the mirror lacked an object that its tree names: it must be fetched anew.
    """

    def __init__(self, repo: Path, env: Mapping[str, str], *, max_bytes: int, timeout: float) -> None:
        self.is_intact = True
        self._repo = repo
        self._env = env
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        # Asked for after each batch; it shows where the answer ends even when an object is missing.
        self._end_mark = f"end-{secrets.token_hex(16)}".encode()

    async def read(self, entries: Sequence[FileEntry]) -> list[bytes]:
        """The contents, in the order asked. They are held in memory together: at most `max_bytes`.

        Raises UserError (RepoTooBig) when they are larger, StateError when the mirror lacks one.
        """
        total = sum(entry.size for entry in entries)
        if total > self._max_bytes:
            title = f"{len(entries)} files of {total} bytes are read at once, over the limit of {self._max_bytes}"
            raise UserError(Problem(REPO_TOO_BIG, title, field="spec.ignore", fix="leave large files out"))
        contents: list[bytes] = []
        async with self._lock:
            self._keep_awake()
            try:
                for batch in _batches(entries):
                    contents += await self._read_batch(batch)
            finally:
                self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end_idle)
        return contents

    async def close(self) -> None:
        """End the process."""
        async with self._lock:
            self._keep_awake()
            await self._end()

    def _keep_awake(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _end_idle(self) -> None:
        # Its end of file is git's signal to leave; the group is reaped when the next read or close finds it ended.
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            await kill_group(process)

    async def _read_batch(self, entries: Sequence[FileEntry]) -> list[bytes]:
        """Ask once more with a new process when the old one has ended (idle, killed)."""
        for attempt in (1, 2):
            try:
                async with asyncio.timeout(self._timeout):
                    return await self._ask(entries)
            except (BrokenPipeError, ConnectionResetError, asyncio.IncompleteReadError, TimeoutError) as error:
                await self._end()
                if attempt == 2:
                    self.is_intact = False
                    raise _unreadable(entries, type(error).__name__) from None
            except BaseException:
                await self._end()
                raise
        raise AssertionError("unreachable")

    async def _ask(self, entries: Sequence[FileEntry]) -> list[bytes]:
        process = await self._running()
        assert process.stdin is not None  # noqa: S101
        assert process.stdout is not None  # noqa: S101
        process.stdin.write(b"".join(entry.blob.encode("ascii") + b"\n" for entry in entries) + self._end_mark + b"\n")
        sizes = [len(entry.blob) + 7 + len(str(entry.size)) + entry.size + 1 for entry in entries]
        answer = await _read_to(process.stdout, self._end_mark + b" missing\n", sum(sizes))
        contents, at = [], 0
        for entry, size in zip(entries, sizes, strict=True):
            head = b"%b blob %d\n" % (entry.blob.encode("ascii"), entry.size)
            if not answer.startswith(head, at):
                self.is_intact = False
                raise _unreadable(entries, f"{printable(entry.path)} is not in the mirror as its tree says")
            contents.append(answer[at + len(head) : at + size - 1])
            at += size
        return contents

    async def _running(self) -> asyncio.subprocess.Process:
        process = self._process
        if process is not None and process.returncode is None and process.stdin and not process.stdin.is_closing():
            return process
        await self._end()
        args = [f"--git-dir={self._repo}", "cat-file", "--batch"]
        self._process = await spawn_git(args, env=self._env, cwd=self._repo)
        return self._process


async def _read_to(stream: asyncio.StreamReader, mark: bytes, size: int) -> bytes:
    """Read `size` bytes and `mark` after them, or less when the mark comes earlier."""
    answer = bytearray()
    while len(answer) < size + len(mark) and not answer.endswith(mark):
        part = await stream.read(size + len(mark) - len(answer))
        if not part:
            raise asyncio.IncompleteReadError(bytes(answer[:80]), size)
        answer += part
    return bytes(answer)


def _batches(entries: Sequence[FileEntry]) -> list[Sequence[FileEntry]]:
    batches: list[Sequence[FileEntry]] = []
    start, size = 0, 0
    for index, entry in enumerate(entries):
        if index > start and (index - start >= BATCH_FILES or size + entry.size > BATCH_BYTES):
            batches.append(entries[start:index])
            start, size = index, 0
        size += entry.size
    return [*batches, entries[start:]] if entries else []


def _unreadable(entries: Sequence[FileEntry], cause: str) -> StateError:
    title = f"{len(entries)} files can't be read from the git mirror"
    fix = "the next sync fetches the mirror anew; nothing needs to be done"
    return StateError(Problem(SOURCE_MISSING, title, cause=cause, fix=fix))
