"""Runs one command confined, and leaves none of its processes behind. Started as a program of its own.

It stands between us and the command. As the nearest subreaper it inherits every process that the command starts, also
one in a session of its own, so that counting them and ending them needs no rights. The command itself is confined by
Landlock where the kernel has it: files outside the lists can't be read or written, processes outside can't be signalled
or traced. Where it has not, the answer says so (`files`, `signals`).

Reads one JSON argument, writes one JSON answer to the file that it names, and passes the streams through. Only the
standard library: it is run without our packages.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
# Landlock's system calls have these numbers on every architecture.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ABI_TRUNCATE, ABI_REFER, ABI_DEVICES, ABI_SCOPES = 3, 2, 5, 6
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER = 1, 2, 4, 8
TRUNCATE, REFER, DEVICES = 1 << 14, 1 << 13, 1 << 15
ALL_OF_ABI_1 = (1 << 13) - 1
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICES
# So that the keeper gets its turn also beside a thousand busy processes of a command.
NICE = 10
PAUSE = 0.05
MOST_BURIED = 1000
SWEEP_SECONDS = 10.0
PAGE = resource.getpagesize()
NOT_STARTED = 127


class Ruleset(ctypes.Structure):
    """What a set of rules handles: of files, of TCP (nothing), of scopes."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class Process(NamedTuple):
    """One process below this one: its process group, and the bytes of memory it has in use."""

    pid: int
    group: int
    size: int


class PathRule(ctypes.Structure):
    """What is allowed below an open folder, or of an open file."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def main() -> None:
    """Run the command of the argument, and write how it ended."""
    given = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM})
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    if os.getppid() != given["parent"]:
        return
    abi = max(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1)), 0)
    child = os.fork()
    if child == 0:
        become(given, libc, abi)
    answer = watch(child, given)
    sweep()
    whole = {**answer, "files": abi >= 1, "signals": abi >= ABI_SCOPES}
    Path(given["answer"]).write_text(json.dumps(whole), encoding="utf-8")


def become(given: dict[str, Any], libc: ctypes.CDLL, abi: int) -> None:
    """Turn this process into the command. Never returns."""
    try:
        os.setsid()
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
        os.chdir(given["folder"])
        for name, value in given["limits"].items():
            kind = getattr(resource, name)
            most = resource.getrlimit(kind)[1]
            limit = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(kind, (limit, limit))
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        for capability in range(64):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # so that also root has none in the command
        if abi:
            confine(libc, abi, given["readable"], given["writable"])
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores them
        os.execve("/bin/sh", ["/bin/sh", "-c", given["command"]], given["environment"])  # noqa: S606
    except OSError as error:
        os.write(2, f"{error.strerror}: {error.filename or '/bin/sh'}\n".encode("utf-8", "surrogateescape"))
    finally:
        os._exit(NOT_STARTED)


def confine(libc: ctypes.CDLL, abi: int, readable: list[str], writable: list[str]) -> None:
    """Leave this process, and all that it starts, nothing but these paths. Raises OSError where that fails."""
    handled = ALL_OF_ABI_1
    handled |= REFER if abi >= ABI_REFER else 0
    handled |= TRUNCATE if abi >= ABI_TRUNCATE else 0
    handled |= DEVICES if abi >= ABI_DEVICES else 0
    attributes = Ruleset(handled, 0, 3 if abi >= ABI_SCOPES else 0)
    size = 24 if abi >= ABI_SCOPES else 8
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "Landlock", "no set of rules")
    for path in readable:
        allow(libc, ruleset, path, EXECUTE | READ_FILE | READ_FOLDER)
    for path in writable:
        allow(libc, ruleset, path, handled)
    if libc.syscall(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)) != 0:
        raise OSError(ctypes.get_errno(), "Landlock", "not confined")
    os.close(ruleset)


def allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    """Allow these rights below a path; a path that is not there needs no rule."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    is_folder = Path(path).is_dir()
    rule = PathRule(rights if is_folder else rights & OF_FILES, handle)
    if libc.syscall(ADD_RULE, ctypes.c_int(ruleset), 1, ctypes.byref(rule), ctypes.c_uint32(0)) != 0:
        raise OSError(ctypes.get_errno(), "Landlock", path)
    os.close(handle)


def watch(child: int, given: dict[str, Any]) -> dict[str, Any]:
    """Wait until the command has ended, or must be ended: its status, or the limit that it reached."""
    deadline = time.monotonic() + given["seconds"]
    free = room(given["scratch"])
    while True:
        status = reap(child)
        if status is not None:
            return {"status": status, "limit": ""}
        if time.monotonic() > deadline:
            return {"status": None, "limit": "seconds"}
        below = descendants()
        if len(below) > given["processes"]:
            return {"status": None, "limit": "processes"}
        if sum(each.size for each in below) > given["memory"]:
            return {"status": None, "limit": "memory"}
        if free - room(given["scratch"]) > given["disk"]:
            return {"status": None, "limit": "disk"}
        got = signal.sigtimedwait({signal.SIGCHLD, signal.SIGTERM}, PAUSE)
        if got is not None and got.si_signo == signal.SIGTERM:
            return {"status": None, "limit": "stopped"}


def room(folder: str) -> int:
    """The bytes that are free on a folder's disk. What others write there meanwhile is counted, too."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def reap(child: int) -> int | None:
    """Bury those who have died (some: others may die as fast); the command's status once it has."""
    for _ in range(MOST_BURIED):
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            return os.waitstatus_to_exitcode(status)
    return None


def sweep() -> None:
    """End everything that is left, until nothing is. A process group dies as one: what it forks meanwhile, too."""
    deadline = time.monotonic() + SWEEP_SECONDS
    while time.monotonic() < deadline:
        reap(0)
        below = descendants()
        if not below:
            return
        for group in {each.group for each in below} - {os.getpgrp()}:
            send(-group)
        for each in below:
            send(each.pid)
        time.sleep(0.001)


def send(pid: int) -> None:
    """Kill a process, or a group (negative), unless it has gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def descendants() -> list[Process]:
    """The processes below this one."""
    children: dict[int, list[Process]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  names are all that is needed
        if name.isdecimal():
            try:
                text = Path("/proc", name, "stat").read_bytes()
            except OSError:
                continue
            # The name in brackets may hold anything: what follows its last bracket is state, parent, group, …
            words = text.rpartition(b")")[2].split()
            children.setdefault(int(words[1]), []).append(Process(int(name), int(words[2]), int(words[21]) * PAGE))
    found: list[Process] = []
    left = children.get(os.getpid(), [])
    while left:
        each = left.pop()
        found.append(each)
        left += children.get(each.pid, [])
    return found


if __name__ == "__main__":
    main()
