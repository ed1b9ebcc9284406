"""Run the git binary: an argument list and an explicit environment become bytes, within limits of time and size.

Each git runs in its own process group, which is killed whole when the time is up or the caller is cancelled: git
starts helpers (ssh, remote-https, index-pack) that would otherwise live on.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import resource
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.core.codes import REMOTE_UNREACHABLE
from sluice.core.errors import StateError
from sluice.core.machine_limit import starting
from sluice.core.problem import Problem

MAX_STDERR = 16 * 1024
CHUNK = 256 * 1024
MIN_VERSION = (2, 37)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class GitOutput:
    """How one git run ended. `stderr` is its tail; `too_big` says that stdout went over its cap."""

    code: int
    stdout: bytes
    stderr: str
    timed_out: bool = False
    too_big: bool = False

    @property
    def ok(self) -> bool:
        """True when git did what it was asked."""
        return self.code == 0 and not self.timed_out and not self.too_big


@dataclass(frozen=True, slots=True)
class RunLimits:
    """`timeout` in seconds; `output` bytes of stdout; `file` bytes that any one file written may reach."""

    timeout: float = 60.0
    output: int = 64 << 20
    file: int = 4 << 30


@functools.cache
def git_binary() -> str:
    """The absolute path of git. Raises StateError when the machine has none."""
    found = shutil.which("git")
    if found is None:
        raise StateError(Problem(REMOTE_UNREACHABLE, "git is not installed here", fix="install git 2.37 or newer"))
    return found


async def check_git(home: Path) -> None:
    """Raise StateError when git is older than the hardening asks for: pinned addresses came with 2.37."""
    output = await run_git(["version"], env=base_env(home, Path(os.devnull)), cwd=home, limits=RunLimits(timeout=10))
    found = re.match(rb"git version (\d+)\.(\d+)", output.stdout)
    if found is None or (int(found[1]), int(found[2])) < MIN_VERSION:
        shown = output.stdout.decode("utf-8", "replace").strip() or "git does not run"
        title = "the git installed here is too old"
        raise StateError(Problem(REMOTE_UNREACHABLE, title, cause=shown[:100], fix="install git 2.37 or newer"))


def base_env(home: Path, config: Path) -> dict[str, str]:
    """The whole environment of a git process: no configuration but `config`, no prompt, no replacement objects."""
    return {
        "PATH": SYSTEM_PATH,
        "HOME": str(home),
        "TMPDIR": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ATTR_NOSYSTEM": "1",
    }


async def run_git(
    args: Sequence[str], *, env: Mapping[str, str], cwd: Path, limits: RunLimits, stdin: bytes = b""
) -> GitOutput:
    """Run git and return how it ended, whatever its exit code. It never outlives this call."""
    return await run_program([git_binary(), *args], env=env, cwd=cwd, limits=limits, stdin=stdin)


async def run_program(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, limits: RunLimits, stdin: bytes = b""
) -> GitOutput:
    """The same for another program that git's work needs (gpg): `command` begins with its absolute path."""
    process = await _spawn(command, env=env, cwd=cwd, file_limit=limits.file, stdin=bool(stdin), stderr=True)
    try:
        async with asyncio.timeout(limits.timeout):
            stdout, stderr = await _collect(process, limits.output, stdin)
            code = await process.wait()
    except TimeoutError:
        return GitOutput(-1, b"", "", timed_out=True)
    finally:
        await kill_group(process)
    return GitOutput(code, stdout, stderr, too_big=len(stdout) > limits.output)


async def spawn_git(args: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> asyncio.subprocess.Process:
    """Start a git that is asked over its stdin, and whose words nobody reads; end it with `kill_group`."""
    return await _spawn([git_binary(), *args], env=env, cwd=cwd, file_limit=0, stdin=True, stderr=False)


async def _spawn(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, file_limit: int, stdin: bool, stderr: bool
) -> asyncio.subprocess.Process:
    """In a process group of its own; the caller owns the process and must end it with `kill_group`."""
    pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    with starting("git"):
        process = await asyncio.create_subprocess_exec(
            *command,
            env=dict(env),
            cwd=cwd,
            stdin=pipe if stdin else null,
            stdout=pipe,
            stderr=pipe if stderr else null,
            start_new_session=True,
            limit=CHUNK,
        )
    if file_limit:
        _limit_files(process.pid, file_limit)
    return process


def _limit_files(pid: int, limit: int) -> None:
    # Set from outside, before git has started the helper that writes the pack: no code runs between fork and exec.
    try:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, limit))
    except ProcessLookupError:
        return  # it has ended already, so it writes nothing more


async def _collect(process: asyncio.subprocess.Process, cap: int, stdin: bytes) -> tuple[bytes, str]:
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    async with asyncio.TaskGroup() as group:
        if process.stdin is not None:
            group.create_task(_feed(process.stdin, stdin))
        out = group.create_task(_head(process.stdout, cap, process))
        err = group.create_task(_tail(process.stderr))
    return out.result(), err.result()


async def _feed(stream: asyncio.StreamWriter, content: bytes) -> None:
    try:
        stream.write(content)
        await stream.drain()
    except (BrokenPipeError, ConnectionResetError):
        return  # it ended without reading all: its exit code and its words say why
    finally:
        stream.close()


async def _head(stream: asyncio.StreamReader, cap: int, process: asyncio.subprocess.Process) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await stream.read(CHUNK):
        parts.append(part)
        size += len(part)
        if size > cap:
            _signal_group(process.pid)
            break
    return b"".join(parts)


async def _tail(stream: asyncio.StreamReader) -> str:
    text = b""
    while part := await stream.read(CHUNK):
        text = (text + part)[-MAX_STDERR:]
    return text.decode("utf-8", "replace")


async def kill_group(process: asyncio.subprocess.Process) -> None:
    """End the process and all that it started, read its pipes to their end, which closes them, and reap it."""
    _signal_group(process.pid)
    # First: asyncio tells nobody of the end of a process as long as it holds back what nobody reads.
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(CHUNK):
            pass
    await process.wait()


def _signal_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return  # the whole group has ended
