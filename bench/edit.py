"""`edit_5000_files`: what it takes to change one line in a repository of 5,000 files, up to the push.

From the start of a write-back with a warm mirror (head asked for, files found by their bytes, tree and commit made)
until its push begins; median of five. Reference: the same commit by a shallow clone with its checkout, `sed` and
`git commit`, which is what it costs to begin with a working copy.
"""

from __future__ import annotations

import asyncio
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.figure import Figure, rounds
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo, hermetic_env
from sluice.api.git_repository import GitRef
from sluice.core.commit_text import Identity
from sluice.core.git_url import parse_url
from sluice.core.push_target import push_target
from sluice.git.head import Head
from sluice.git.limits import GitPolicy
from sluice.git.mirror import Mirror
from sluice.git.mirrors import Mirrors
from sluice.git.write_back import Draft, Gates, WriteBack, write_back

FIGURE = "edit_5000_files"
FILES = 5_000
ROUNDS = 5
MARKED = "apps/0042/web.yaml"
NEEDLE = '"$imagepolicy"'
BOT = Identity("bench", "bench@example.com")


async def measure() -> list[Figure]:
    """The figure, from one git server."""
    with tempfile.TemporaryDirectory() as name, GitHttpServer(Path(name) / "http") as server:
        folder = Path(name)
        repo = WorkingRepo(folder / "work", server.create("fleet"))
        repo.commit(_files(), "first")
        plain = [await asyncio.to_thread(_plain, server.url("fleet"), folder / f"clone-{n}") for n in range(ROUNDS)]
        async with Mirrors(folder / "cache", policy=GitPolicy(allow_loopback=True)) as mirrors:
            mirror = mirrors.open(parse_url(server.url("fleet")))
            await mirror.fetch(await mirror.resolve(GitRef(branch="main")))
            took = [await _sluice(mirror, number) for number in range(ROUNDS)]
    notes = (f"reference: shallow clone, sed, commit; rounds {rounds(took)}, plain {rounds(plain)}",)
    return [Figure(FIGURE, median(took), "s", median(plain), notes)]


def _files() -> dict[str, str]:
    data = "".join(f"  key-{line}: value of line {line}\n" for line in range(30))
    files = {
        f"apps/{number // 50:04}/{number}.yaml": f"kind: ConfigMap\nmetadata:\n  name: config-{number}\ndata:\n{data}"
        for number in range(FILES - 1)
    }
    return files | {MARKED: f'image: web:v0 # {{{NEEDLE}: "apps:web"}}\n'}


async def _sluice(mirror: Mirror, number: int) -> float:
    pushes: list[float] = []

    def push_begins() -> float:
        pushes.append(time.perf_counter())
        return 60.0

    async def plan(head: Head) -> Draft:
        files = await head.read(await head.files_with(NEEDLE))
        old, new = f"web:v{number}".encode(), f"web:v{number + 1}".encode()
        return Draft({path: content.replace(old, new) for path, content in files.items()}, "Update web")

    wanted = WriteBack(GitRef(branch="main"), push_target("main"), BOT, BOT, datetime.now(UTC))
    began = time.perf_counter()
    written = await write_back(mirror, wanted, plan, Gates(lease_left=push_begins))
    if written.outcome != "pushed" or written.files != (MARKED,):
        raise RuntimeError(f"not what was to be written: {written}")
    return pushes[0] - began


def _plain(url: str, folder: Path) -> float:
    identity = ("-c", f"user.name={BOT.name}", "-c", f"user.email={BOT.email}")
    began = time.perf_counter()
    for command in (
        ["git", "clone", "-q", "--depth=1", "--branch=main", url, str(folder)],
        ["sed", "-i", "s/web:v0/web:v1/", str(folder / MARKED)],
        ["git", "-C", str(folder), *identity, "commit", "-q", "-a", "-m", "Update web"],
    ):
        subprocess.run(command, env=hermetic_env(folder.parent), check=True)
    return time.perf_counter() - began
