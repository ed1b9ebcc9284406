"""What a scan of an image repository costs, against the real registry and without an operator around it.

`scan_1000_tags`: a scan of 1,000 tags of as many images into an empty cache, digests and creation times included;
median of three. Reference: the same list, manifests and configurations fetched by a plain client with as many requests
in flight, which checks and keeps nothing. `rescan_requests`: the requests of a second scan with nothing new, from the
registry's log. Reference: 1. The registry's own limit of 1,000 tags a page is raised, for at exactly so many it names
a second, empty page.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import aiohttp
import msgspec

from bench.figure import Figure, rounds
from devcluster.images import OCI_MANIFEST, make_image
from devcluster.registry import Registry
from sluice.core.image import ImageRef, parse
from sluice.registry.limits import RegistryLimits, RegistryPolicy
from sluice.registry.registries import Registries
from sluice.registry.scanner import Scanner, TagFilter, every_tag
from sluice.store.tag_cache import TagCache

FIGURES = ("scan_1000_tags", "rescan_requests")
TAGS = 1_000
PAGE = 2_000
ROUNDS = 3
REPOSITORY = "bench/web"
LIMITS = RegistryLimits(rate=1e6, burst=1_000_000)
POLICY = RegistryPolicy(allow_loopback=True, insecure_hosts=frozenset({"127.0.0.1"}))
DESCRIBED = TagFilter(described=every_tag)


async def measure() -> list[Figure]:
    """Both figures, from one registry."""
    with tempfile.TemporaryDirectory() as folder, Registry(Path(folder) / "registry", page=PAGE) as registry:
        for number in range(TAGS):
            created = f"2026-01-01T{number // 60:02}:{number % 60:02}:00Z"
            registry.push(REPOSITORY, f"v{number}", make_image(created=created))
        scans, plain, requests = [], [], 0
        for turn in range(ROUNDS):
            plain.append(await _plain(registry.url))
            seconds, requests = await _scan(registry, Path(folder) / f"{turn}.db")
            scans.append(seconds)
    notes = (f"reference: a plain client; rounds {rounds(scans)}, plain {rounds(plain)}",)
    return [
        Figure("scan_1000_tags", median(scans), "s", median(plain), notes),
        Figure("rescan_requests", requests, "", 1),
    ]


async def _scan(registry: Registry, file: Path) -> tuple[float, int]:
    """The seconds of a first scan, and the requests of a second."""
    image: ImageRef = parse(registry.image(REPOSITORY))
    async with Registries(policy=POLICY, limits=LIMITS) as registries, TagCache(file) as cache:
        scanner = Scanner(registries, cache)
        began = time.perf_counter()
        result = await scanner.scan(image, wanted=DESCRIBED)
        seconds = time.perf_counter() - began
        if not result.complete or len(result.tags) != TAGS or any(tag.created is None for tag in result.tags):
            raise RuntimeError(f"the scan is not whole: {result.problems}")
        before = len(registry.requests())
        await scanner.scan(image, wanted=DESCRIBED)
        return seconds, len(registry.requests()) - before


class _Config(msgspec.Struct):
    digest: str


class _Manifest(msgspec.Struct):
    config: _Config


class _Tags(msgspec.Struct):
    tags: list[str]


async def _plain(url: str) -> float:
    """The seconds that a client takes which only asks."""
    async with aiohttp.ClientSession(headers={"Accept": OCI_MANIFEST}) as session:

        async def get(path: str) -> bytes:
            async with session.get(f"{url}/v2/{REPOSITORY}/{path}") as answer:
                answer.raise_for_status()
                return await answer.read()

        async def work(names: Iterator[str]) -> None:
            for name in names:
                manifest = msgspec.json.decode(await get(f"manifests/{name}"), type=_Manifest)
                await get(f"blobs/{manifest.config.digest}")

        began = time.perf_counter()
        names = iter(msgspec.json.decode(await get("tags/list"), type=_Tags).tags)
        async with asyncio.TaskGroup() as group:
            for _ in range(LIMITS.parallel):
                group.create_task(work(names))
        return time.perf_counter() - began
