"""`push_to_applied`: from the start of `git push` until the object is live, a sync asked for when the push returns.

What `flux reconcile source git` does after a push. Reference: the same steps by plain tools, one after the other: push,
`git fetch` into a bare repository, dry-run and apply of the object. Medians of five.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from statistics import median

from bench.figure import Figure, rounds
from bench.objects import Body, config_map, files, mixed
from bench.stand import Stand, Tracing, stand
from bench.sync import SOURCES, ask, fetch_source, first_sync

ROUNDS = 5


async def measure(tracing: Tracing) -> list[Figure]:
    """Push five commits to a stand with 1,001 applied objects, then five that plain tools apply."""
    async with stand("push", files("objects", mixed("push")), tracing=tracing) as place:
        revision = await fetch_source(place)
        await first_sync(place, "objects", "./objects", revision)
        took = []
        for number in range(ROUNDS):
            await place.quiet()
            took.append(await _sluice(place, number))
        _end_operator(place)
        mirror = place.folder / "mirror.git"
        subprocess.run(["git", "clone", "-q", "--bare", place.git.url("fleet"), str(mirror)], check=True)
        plain = [await _plain(place, mirror, number) for number in range(ROUNDS)]
    notes = (f"reference: push, git fetch, dry-run, apply, by plain tools; rounds {rounds(took)}",)
    return [Figure("push_to_applied", median(took), "s", median(plain), notes)]


def _end_operator(place: Stand) -> None:
    """Plain tools have the machine for themselves, as Sluice had."""
    place.operator.terminate()
    place.operator.wait(30)


def _commit(place: Stand, value: str) -> Body:
    body = config_map("push", "config-0300", value)
    place.repo.commit(files("objects", [body]), value, push=False)
    return body


async def _sluice(place: Stand, number: int) -> float:
    body = _commit(place, f"push-{number}")
    collection = body.path.rpartition("/")[0]
    async with asyncio.TaskGroup() as group:
        live = group.create_task(
            place.api.first(collection, lambda item: bool(item["data"].get("mode") == f"push-{number}"))
        )
        await asyncio.sleep(0.3)
        began = time.monotonic()
        await asyncio.to_thread(place.repo.push)
        await ask(place, f"{SOURCES}/fleet")
    return live.result() - began


async def _plain(place: Stand, mirror: object, number: int) -> float:
    body = _commit(place, f"plain-{number}")
    text = body.json
    began = time.monotonic()
    await asyncio.to_thread(place.repo.push)
    fetch = ["git", "-C", str(mirror), "fetch", "-q", "origin", "+refs/heads/main:refs/heads/main"]
    await asyncio.to_thread(subprocess.run, fetch, check=True)
    await place.api.apply(body.path, text, dry_run=True)
    await place.api.apply(body.path, text)
    return time.monotonic() - began
