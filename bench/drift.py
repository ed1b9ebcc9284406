"""10,001 applied and watched objects: how soon an edit is set right, and what watching one object keeps in memory.

`drift_p95_10000`: from the answer to an edit by somebody else until the object is live as git has it; the 95th
percentile of 100 edits, one after the other. Reference: a dry-run and an apply of that object, raw.
`bytes_per_watched_object`: resident memory of an operator started anew beside the 10,001 objects and at rest, less that
of one started beside a single object, for each. Reference: the most it may be.
"""

from __future__ import annotations

import asyncio
import time
from statistics import median

from bench.figure import Figure
from bench.objects import config_map, files, mixed
from bench.process import resident_mb
from bench.stand import Stand, Tracing, stand
from bench.sync import fetch_source, first_sync

EDITS = 100
RAW_WRITES = 5
OBJECTS = 10_001
MOST_BYTES = 1000.0
CONFIG_MAPS = "/api/v1/namespaces/drift/configmaps"


async def measure(tracing: Tracing) -> list[Figure]:
    """Measure both on one stand."""
    tree = {**files("objects", mixed("drift", 10)), **files("single", [config_map("default", "single")])}
    async with stand("drift-10001", tree, tracing=tracing) as place:
        revision = await fetch_source(place)
        await first_sync(place, "single", "./single", revision)
        alone = await _rested(place)
        await first_sync(place, "objects", "./objects", revision)
        await place.quiet()
        edits = await _edits(place)
        raw = [
            await place.api.check_and_apply(config_map("warm-up", "config-0600", f"raw-{n}")) for n in range(RAW_WRITES)
        ]
        watching = await _rested(place)
    p95 = sorted(edits)[int(EDITS * 0.95) - 1]
    size = (watching - alone) * 1e6 / OBJECTS
    return [
        Figure(
            "drift_p95_10000",
            p95,
            "s",
            median(raw),
            (f"reference: one dry-run and one apply, raw; median {median(edits):.3f} s, most {max(edits):.3f} s",),
        ),
        Figure(
            "bytes_per_watched_object",
            size,
            "bytes",
            MOST_BYTES,
            (f"reference: the most it may be; {alone:.1f} MB with one object, {watching:.1f} MB with {OBJECTS}",),
        ),
    ]


async def _rested(place: Stand) -> float:
    """Resident memory of a new operator process after its first turns."""
    await place.restart()
    await place.quiet()
    return resident_mb(place.operator.pid)


async def _edits(place: Stand) -> list[float]:
    corrected: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    edited: set[str] = set()

    async def watch() -> None:
        async for item in place.api.events(CONFIG_MAPS):
            name, mode = item["metadata"]["name"], item.get("data", {}).get("mode", "")
            if name in edited and mode == "one":
                edited.discard(name)
                corrected.put_nowait((name, time.monotonic()))

    took = []
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        await asyncio.sleep(5.0)  # the onlooker has read the objects that are there
        for number in range(EDITS):
            name = f"config-{number * 70:04}"
            edited.add(name)
            await place.api.patch(f"{CONFIG_MAPS}/{name}", {"data": {"mode": "edited"}})
            began = time.monotonic()
            async with asyncio.timeout(60):
                _, ended = await corrected.get()
            took.append(ended - began)
            await asyncio.sleep(0.2)
        watching.cancel()
    return took
