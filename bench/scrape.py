"""`metrics_1000`: a scrape of an operator with 1,000 sources and 1,000 Kustomizations, without one around it.

From the request's handler until the text is there; median of nine. Reference: 0.1 s, the limit that is promised.
`metrics_1000_loop`: how long of that the event loop is held. Reference: none.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median

import msgspec

from bench.figure import Figure, rounds
from sluice.api.git_repository import GitRepository
from sluice.api.kustomization import Kustomization
from sluice.reconcilers.our_kinds import GIT_REPOSITORIES, KUSTOMIZATIONS
from sluice.runtime.resource_info import resource_info
from sluice.runtime.scrape import collected, exposition, scraped

FIGURES = ("metrics_1000", "metrics_1000_loop")
SYNCS = 1_000
ROUNDS = 9
READY = [{"type": "Ready", "status": "True", "reason": "ReconciliationSucceeded", "message": "Applied revision"}]


async def measure() -> list[Figure]:
    """Both figures."""
    sources, syncs = _objects()
    took, held, text = [], [], b""
    with ExitStack() as stack:
        stack.enter_context(scraped(lambda: resource_info(GIT_REPOSITORIES, sources)))
        stack.enter_context(scraped(lambda: resource_info(KUSTOMIZATIONS, syncs)))
        for _ in range(ROUNDS):
            began = time.perf_counter()
            collected()
            held.append(time.perf_counter() - began)
            began = time.perf_counter()
            text = await exposition()
            took.append(time.perf_counter() - began)
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    if series < 2 * SYNCS:
        raise RuntimeError(f"only {series} series")
    notes = (f"{series} series; rounds {rounds(took)}",)
    return [Figure(FIGURES[0], median(took), "s", 0.1, notes), Figure(FIGURES[1], median(held), "s", None)]


def _objects() -> tuple[list[GitRepository], list[Kustomization]]:
    revision = f"main@sha1:{'a' * 40}"
    sources, syncs = [], []
    for number in range(SYNCS):
        metadata = {"name": f"team-{number}", "namespace": f"tenant-{number % 100}"}
        status = {"conditions": READY, "lastAppliedRevision": revision}
        spec = {"interval": "1m", "url": f"https://git.example/team-{number}/fleet.git"}
        sources.append(
            msgspec.convert({"metadata": metadata, "spec": spec, "status": {"conditions": READY}}, GitRepository)
        )
        reference = {"kind": "GitRepository", "name": f"team-{number}"}
        sync = {"interval": "10m", "prune": True, "sourceRef": reference}
        syncs.append(msgspec.convert({"metadata": metadata, "spec": sync, "status": status}, Kustomization))
    return sources, syncs
