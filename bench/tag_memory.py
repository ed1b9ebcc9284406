"""`rss_100_repositories_mb`: what 100 ImageRepositories of 1,000 tags each cost in memory, each with a policy.

The operator's peak (children included) from their creation until every policy has chosen, less what it has at rest
before. Reference: the most it may be, 60 MB. The registry holds one repository and 99 links to it: whoever lists the
tags can't tell, and 100,000 uploads would be the registry's figure.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.figure import Figure
from bench.image_objects import IMAGES, OWN_REGISTRY, has_chosen, watch_image
from bench.process import PeakMemory, resident_mb
from bench.stand import Stand, Tracing, stand
from devcluster.images import make_image
from devcluster.registry import Registry

FIGURE = "rss_100_repositories_mb"
REPOSITORIES = 100
TAGS = 1_000
LIMIT = 60.0
IN_FLIGHT = 8


async def measure(tracing: Tracing) -> list[Figure]:
    """Run it once."""
    async with stand("tag-memory", {"README.md": "images\n"}, tracing=tracing, arguments=(OWN_REGISTRY,)) as place:
        with Registry(place.folder / "registry") as registry:
            names = await asyncio.to_thread(_fill, registry)
            await place.quiet()
            idle = resident_mb(place.operator.pid)
            with PeakMemory(place.operator.pid) as peak:
                seconds = await _watch_all(place, registry, names)
                await place.quiet()
                rest = resident_mb(place.operator.pid)
    notes = (
        f"reference: the most it may be; idle {idle:.0f} MB, peak {peak.mb:.0f}, at rest after it {rest:.0f}",
        f"all scanned and chosen {seconds:.1f} s after the first was made",
    )
    return [Figure(FIGURE, peak.mb - idle, "MB", LIMIT, notes)]


def _fill(registry: Registry) -> list[str]:
    """Push all tags of one repository, and let the others be the same folder; returns their names."""
    names = [f"web-{number:03}" for number in range(REPOSITORIES)]
    image = make_image()
    registry.push(f"bench/{names[0]}", "1.0.0", image)
    for number in range(1, TAGS):
        registry.tag(f"bench/{names[0]}", f"1.{number}.0", image)
    folder = registry.root / "data" / "docker" / "registry" / "v2" / "repositories" / "bench"
    for name in names[1:]:
        (folder / name).symlink_to(Path(names[0]))
    return names


async def _watch_all(place: Stand, registry: Registry, names: list[str]) -> float:
    """Make all objects; returns the seconds until every policy has chosen the newest tag."""
    todo = iter(names)

    async def make() -> None:
        for name in todo:
            await watch_image(place, name, registry.image(f"bench/{name}"))

    async with asyncio.TaskGroup() as group:
        last = group.create_task(_all_chosen(place, set(names)))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        for _ in range(IN_FLIGHT):
            group.create_task(make())
    return last.result() - began


async def _all_chosen(place: Stand, waiting: set[str]) -> float:
    newest = has_chosen(f"1.{TAGS - 1}.0")
    async with asyncio.timeout(300):
        async for item in place.api.events(f"{IMAGES}/imagepolicies"):
            if newest(item):
                waiting.discard(item["metadata"]["name"])
            if not waiting:
                return time.monotonic()
    raise AssertionError("unreachable")
