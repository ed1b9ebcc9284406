"""`thousand_syncs_per_s`: 1,000 Kustomizations of one ConfigMap each, one GitRepository, all created at once.

1,000 over the seconds from the first creation (32 requests in flight) to the last Ready. Reference: ConfigMaps that the
raw client creates per second on the same API server, 1,000 of them, before the operator has anything to do.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from bench.figure import Figure
from bench.objects import Body, config_map, files
from bench.stand import Stand, Tracing, stand
from bench.sync import SYNCS, fetch_source, is_applied, sync_body

SYNC_COUNT = 1000
IN_FLIGHT = 32
WRITES = ("create", "update", "patch", "delete")


async def measure(tracing: Tracing) -> list[Figure]:
    """Run it once."""
    tree: dict[str, str] = {}
    for number in range(SYNC_COUNT):
        tree |= files(f"syncs/{number:04}", [config_map("default", f"sync-{number:04}")])
    async with stand("thousand", tree, audit=True, tracing=tracing) as place:
        raw = SYNC_COUNT / await place.api.apply_all([config_map("warm-up", f"raw-{i:04}") for i in range(SYNC_COUNT)])
        revision = await fetch_source(place)
        await place.quiet()
        place.requests().restart()
        place.cpu()
        seconds = await _create_all(place, revision)
        spent = place.cpu()
        requests = place.requests().requests()
    counted = Counter(f"{r.verb} {r.resource}" for r in requests)
    writes = {what: number for what, number in counted.items() if what.split(" ")[0] in WRITES}
    notes = (
        f"{seconds:.1f} s; reference: ConfigMaps applied raw",
        f"API writes per Kustomization {sum(writes.values()) / SYNC_COUNT:.2f}: {_per_sync(writes)}",
        f"API requests per Kustomization {counted.total() / SYNC_COUNT:.2f}: {_per_sync(counted)}",
        "CPU seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in spent.items()),
        f"peak memory of the operator {place.peak.mb:.0f} MB",
    )
    return [Figure("thousand_syncs_per_s", SYNC_COUNT / seconds, "1/s", raw, notes)]


async def _create_all(place: Stand, revision: str) -> float:
    names = {f"sync-{number:04}" for number in range(SYNC_COUNT)}
    todo = iter([Body("", sync_body(n, f"./syncs/{n[-4:]}").decode(), f"{SYNCS}/{n}") for n in sorted(names)])

    async def create() -> None:
        for body in todo:
            await place.api.apply(body.path, body.text.encode())

    async with asyncio.TaskGroup() as group:
        last = group.create_task(_all_ready(place, names, revision))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        for _ in range(IN_FLIGHT):
            group.create_task(create())
    return last.result() - began


async def _all_ready(place: Stand, names: set[str], revision: str) -> float:
    waiting = set(names)
    async with asyncio.timeout(900):
        async for item in place.api.events(SYNCS):
            name = item["metadata"]["name"]
            if name in waiting and is_applied(name, revision)(item):
                waiting.remove(name)
            if not waiting:
                return time.monotonic()
    raise AssertionError("unreachable")


def _per_sync(counted: dict[str, int]) -> str:
    ordered = sorted(counted.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{number / SYNC_COUNT:.2f} {what}" for what, number in ordered if number >= SYNC_COUNT / 100)
