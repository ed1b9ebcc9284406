"""Starts, finds and ends the processes of a cluster, so that none outlives its owner.

An owned process holds one end of a *lifeline*, a pipe whose other end only the owner has: when the owner dies, however
it dies, the kernel closes the pipe and the process leaves. (A parent-death signal would follow the thread that started
it.) A detached process belongs to its cluster's directory instead: it is found by its executable and its working
directory, never by a number in a file, so there is no stale pid that could hit somebody else's process.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from devcluster.paths import CONTROLPLANE

_LIFELINE = "DEVCLUSTER_LIFELINE"


class Lifeline:
    """The owner's end of the pipe, and the end that its processes get."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe()

    def close(self) -> None:
        """Let go; every process that is still there leaves now."""
        for end in (self.read_end, self._write_end):
            os.close(end)


def spawn(command: Sequence[str], directory: Path, log: Path, lifeline: Lifeline | None) -> subprocess.Popen[bytes]:
    """Start a component in a session of its own, its output appended to `log`; without a lifeline it is detached.

    It gets no environment but a home inside the cluster's directory: a user's own configuration must not reach it.
    """
    environment: Mapping[str, str] = {"HOME": str(directory), "PATH": "/usr/bin:/bin"}
    if lifeline is not None:
        environment = {**environment, _LIFELINE: "stdin"}
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL if lifeline is None else lifeline.read_end,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A running process of a cluster."""

    pid: int
    component: str


def processes_in(directory: Path) -> tuple[Found, ...]:
    """Return the control plane's processes that belong to this cluster directory, by component."""
    place = str(directory.resolve())
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    found = (_component_of(pid, place) for pid in pids)
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (one.component, one.pid)))


def _component_of(pid: int, place: str) -> Found | None:
    try:
        executable = str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)")
        if Path(executable).name != CONTROLPLANE or str(Path(f"/proc/{pid}/cwd").readlink()) != place:
            return None
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        # It ended while we looked, or belongs to another user: no process of ours.
        return None
    return Found(pid, os.fsdecode(arguments[1])) if len(arguments) > 1 else None


def kill_all_in(directory: Path, timeout: float = 10.0) -> int:
    """Kill every process of this cluster directory and return how many there were, once they are gone.

    Raises `TimeoutError` when one is still there after `timeout` seconds.
    """
    killed = 0
    for found in processes_in(directory):
        try:
            handle = os.pidfd_open(found.pid)
        except ProcessLookupError:
            continue
        try:
            # Looked at again behind the handle: from here the number can't come to mean another process.
            if _component_of(found.pid, str(directory.resolve())) is None:
                continue
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            if not select.select([handle], [], [], timeout)[0]:
                raise TimeoutError(f"process {found.pid} ({found.component}) does not end")
            killed += 1
        finally:
            os.close(handle)
    return killed
