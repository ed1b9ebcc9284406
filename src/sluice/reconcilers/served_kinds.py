"""Our kinds as the API server serves them: needed at the start, and waited for when somebody deletes a CRD."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.problem import Problem
from sluice.kube.resource import Resource
from sluice.kube.watch_cache import WatchCache
from sluice.runtime.resource_info import resource_info
from sluice.runtime.scrape import scraped

CRD_RETRY = 2.0
log = structlog.get_logger()


def not_installed(kind: Resource) -> Problem:
    """What is wrong when a kind of ours is not served."""
    return Problem(
        codes.NOT_INSTALLED,
        f"the CRD of {kind.kind} is not installed in this cluster",
        cause=f"the API server does not serve {kind.api_version}",
        fix="run `sluice install`, or name a repository with --git-url to run without CRDs",
    )


async def follow_all(group: asyncio.TaskGroup, *kinds: tuple[WatchCache[Any], Resource]) -> None:
    """Keep the caches true from now on; returns once each is.

    They begin together: the API server takes up to a second until a watch of a kind that nobody watches is there.
    """
    for cache, kind in kinds:
        group.create_task(follow(cache, kind))
    for cache, _ in kinds:
        await cache.synced.wait()


async def follow(cache: WatchCache[Any], kind: Resource) -> None:
    """Keep the cache true. When somebody deletes the CRD, say so and wait until it is there again: nothing is lost."""
    told = False
    while True:
        try:
            with scraped(lambda: resource_info(kind, cache.items())):
                await cache.run()
        except ClusterError as error:
            if error.status != 404:
                raise
            if not told:
                log.warning("nothing of this kind is synced", kind=kind.kind, error=str(not_installed(kind)))
            told = True
        await asyncio.sleep(CRD_RETRY)
