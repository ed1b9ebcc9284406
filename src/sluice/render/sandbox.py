"""Runs a person's command line within limits: of time, output, memory, processes, files that it may read and write.

`/bin/sh -c` is what a `.flux.yaml` means by a command; nothing of ours is put into its text. What it is kept from, and
what it is not (the network, the disk's room), is told in `docs/reference/flux-yaml.md`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.render import confined_command

MAX_OUTPUT = 16 << 20
MAX_ERRORS = 16 << 10
MAX_MEMORY = 2 << 30
MAX_FILE = 64 << 20
MAX_DISK = 2 << 30
MAX_PROCESSES = 256
MAX_OPEN_FILES = 1024
# How long ending a command may take before its keeper is ended, too.
GRACE = 15.0
CHUNK = 1 << 16

# What programs need of a machine, and nothing that holds somebody's keys: no /etc as a whole, no /run, /var, /home.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/proc", "/sys/kernel/mm")
_ETC = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "gai.conf", "group", "host.conf"),
    *("hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "passwd"),
    *("pki/ca-trust", "pki/tls/certs", "protocols", "resolv.conf", "services", "ssl/certs", "ssl/openssl.cnf"),
)
READABLE = (*_SYSTEM, *(f"/etc/{name}" for name in _ETC), "/run/systemd/resolve")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")


@dataclass(frozen=True, slots=True)
class Task:
    """A command line, the folder it runs in, and its whole environment.

    `writable` are folders that it may write to, `readable` what it may read beside the system's programs.
    """

    command: str
    folder: Path
    environment: Mapping[str, str]
    seconds: float
    writable: tuple[Path, ...]
    readable: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its status (negative: a signal's number), or the limit for which it was ended.

    `errors` is the tail of what it wrote to stderr. `confined` says whether files and signals were kept from it.
    """

    status: int | None
    output: bytes
    errors: str
    limit: str = ""
    confined: bool = False


async def run_confined(task: Task, scratch: Path) -> Ended:
    """Run a command; never raises for what it does. All that it started has ended on return.

    Raises OSError when it can't be started.

    `scratch` is a private folder outside of those that the command may write to.
    """
    if sys.platform != "linux":
        raise OSError(errno.ENOSYS, "commands can be kept within their limits on Linux only")
    answer = scratch / "answer.json"
    answer.unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", confined_command.__file__, json.dumps(_given(task, answer)),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=scratch, env={}, start_new_session=True, limit=CHUNK,
    )  # fmt: skip
    try:
        async with asyncio.timeout(task.seconds + GRACE):
            output, errors = await _streams(process)
            await process.wait()
    except TimeoutError:
        return Ended(None, b"", "", f"{task.seconds:g} s")
    finally:
        await _end(process)
    return _ended(task, answer, output, errors)


def _given(task: Task, answer: Path) -> dict[str, Any]:
    limits = {
        # Where we are not root, who is not held to it. It counts all processes of our user: a backstop, no measure.
        "RLIMIT_NPROC": MAX_PROCESSES * 16,
        "RLIMIT_CPU": int(task.seconds) * 4 + 1,
        "RLIMIT_DATA": MAX_MEMORY,
        "RLIMIT_FSIZE": MAX_FILE,
        "RLIMIT_NOFILE": MAX_OPEN_FILES,
        "RLIMIT_CORE": 0,
    }
    return {
        "command": task.command,
        "folder": str(task.folder),
        "environment": dict(task.environment),
        "seconds": task.seconds,
        "memory": MAX_MEMORY,
        "processes": MAX_PROCESSES,
        "disk": MAX_DISK,
        "scratch": str(answer.parent),
        "limits": limits,
        "readable": [*READABLE, *map(str, task.readable)],
        "writable": [*DEVICES, *map(str, task.writable)],
        "answer": str(answer),
        "parent": os.getpid(),
    }


async def _streams(process: asyncio.subprocess.Process) -> tuple[bytes, str]:
    """Read both streams to their ends; a command that prints too much is told to stop at once."""
    async with asyncio.TaskGroup() as group:
        output = group.create_task(_head(process))
        errors = group.create_task(_tail(process.stderr))
    return output.result(), errors.result()


async def _head(process: asyncio.subprocess.Process) -> bytes:
    parts, size = [], 0
    while process.stdout is not None and (part := await process.stdout.read(CHUNK)):
        size += len(part)
        if size > MAX_OUTPUT:
            parts.append(part)
            _signal(process, signal.SIGTERM)
            break
        parts.append(part)
    return b"".join(parts)


async def _tail(stream: asyncio.StreamReader | None) -> str:
    text = b""
    while stream is not None and (part := await stream.read(CHUNK)):
        text = (text + part)[-MAX_ERRORS:]
    return text.decode("utf-8", "replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the keeper, which ends the command; the keeper itself is only killed when it does not answer."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(1 << 20):
            pass
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.send_signal(number)


def _ended(task: Task, answer: Path, output: bytes, errors: str) -> Ended:
    try:
        said = json.loads(answer.read_bytes())
    except (OSError, ValueError):
        return Ended(None, b"", errors, "an end from outside")
    words = {
        "seconds": f"{task.seconds:g} s",
        "processes": f"{MAX_PROCESSES} processes",
        "memory": f"{MAX_MEMORY >> 20} MiB of memory",
        "disk": f"{MAX_DISK >> 20} MiB of disk",
        "stopped": "an end from outside",
    }
    limit = words.get(str(said.get("limit")), "")
    status = said.get("status")
    if len(output) > MAX_OUTPUT:
        limit = f"{MAX_OUTPUT >> 20} MiB of output"
    elif status in _signalled(signal.SIGXFSZ):
        limit = f"{MAX_FILE >> 20} MiB in one file"
    elif status in _signalled(signal.SIGXCPU):
        limit = f"{int(task.seconds) * 4 + 1} s of processor time"
    confined = bool(said.get("files")) and bool(said.get("signals"))
    return Ended(None if limit else status, b"" if limit else output, errors, limit, confined)


def _signalled(number: signal.Signals) -> tuple[int, int]:
    """The status of what a signal ended, and the shell's for a program of its own that was."""
    return -number, 128 + number


def confinement() -> str:
    """What this kernel keeps a command from, in one line for the log; empty when that is all we ask of it."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(confined_command.CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if abi < 1:
        return "this kernel has no Landlock: commands can read and write what the operator can, and signal it"
    if abi < confined_command.ABI_SCOPES:
        return "this kernel's Landlock knows no scopes (Linux 6.12): commands can signal the operator"
    return ""


__all__ = ["READABLE", "Ended", "Task", "confinement", "run_confined"]
