"""A keyring of gpg's own for as long as one piece of work takes, and gpg run in it.

Nothing of the machine's own configuration is read, no key is fetched from anywhere, and the agent that gpg may start
is ended and reaped before the folder goes.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sluice.core.problem import clip, printable
from sluice.git.process import SYSTEM_PATH, GitOutput, RunLimits, run_program

# A unix socket's path has at most 107 bytes; gpg's agent puts one, with a name of 16, into the keyring's folder.
MAX_HOME = 80
REAP_TRIES, REAP_SECONDS = 100, 0.02
GPG_LIMITS = RunLimits(timeout=20.0, output=1 << 20, file=1 << 24)
GPG_CONF = "batch\nno-tty\nno-greeting\nyes\npinentry-mode loopback\ntrust-model always\ndisable-dirmngr\n"


@asynccontextmanager
async def gpg_home(folder: Path) -> AsyncIterator[Path]:
    """An empty keyring's folder, below `folder` where that is short enough. Its agent and its files end with it."""
    home = Path(tempfile.mkdtemp(prefix="sluice-gpg-", dir=folder if len(str(folder)) < MAX_HOME - 20 else None))
    try:
        yield home
    finally:
        await _end_agent(home)
        shutil.rmtree(home, ignore_errors=True)


async def run_gpg(args: Sequence[str], home: Path, stdin: bytes = b"") -> GitOutput:
    """Run gpg in that keyring, and return how it ended. gpg must be installed: ask `program` first."""
    return await _run("gpg", args, home, stdin)


def program(name: str) -> str | None:
    """The absolute path of a program that git's work needs; None when it is not installed."""
    return shutil.which(name, path=SYSTEM_PATH)


def last_words(output: GitOutput) -> str:
    """What a run that failed said last, fit for a message."""
    if output.timed_out:
        return "it took too long"
    lines = [line.strip() for line in output.stderr.splitlines() if line.strip()]
    return clip(printable(lines[-1]), 300) if lines else "it gave no reason"


async def _end_agent(home: Path) -> None:
    """End the agent that gpg left behind, and reap it: as the first process of a container we inherit it."""
    output = await _run("gpg-connect-agent", ["--no-autostart", "GETINFO pid", "KILLAGENT", "/bye"], home)
    found = re.search(rb"^D (\d+)", output.stdout, re.MULTILINE)
    if found is None:
        return
    for _ in range(REAP_TRIES):
        if _is_reaped(int(found[1])):
            return
        await asyncio.sleep(REAP_SECONDS)


def _is_reaped(pid: int) -> bool:
    """True when the process has ended and is ours no more, or never was: another process inherits it."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


async def _run(name: str, args: Sequence[str], home: Path, stdin: bytes = b"") -> GitOutput:
    found = program(name)
    if found is None:
        return GitOutput(127, b"", f"{name} is not installed here")
    env = {"PATH": SYSTEM_PATH, "HOME": str(home), "GNUPGHOME": str(home), "LC_ALL": "C"}
    return await run_program([found, *args], env=env, cwd=home, limits=GPG_LIMITS, stdin=stdin)
