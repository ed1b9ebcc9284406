"""What a transaction costs, and how soon a failed or interrupted one is settled; 1,001 objects.

`transaction_overhead`: every object is changed by an edit of the spec; from the edit until the status shows it; median
of three. Reference: the same engine, dry-run included, with records in memory alone and without before-images.
`undo_1001`: a commit changes every object and adds a Deployment that never becomes ready; from the record that its undo
has begun until the status says Undone. Reference: as many objects applied raw.
`recovery_1000`: the operator is killed (SIGKILL) after 400 of 1,001 objects were created; from the moment the next
process holds the Leases until Ready. Reference: as many objects applied raw.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Any

from bench.figure import Figure, rounds
from bench.objects import Body, files, mixed
from bench.stand import Stand, Tracing, stand
from bench.sync import SOURCES, SYNCS, ask, fetch_source, first_sync, is_applied, ready_of, sync_body

ROUNDS = 3
CREATED = 400
NEVER_READY = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: never-ready, namespace: undo}
spec:
  selector: {matchLabels: {app: never-ready}}
  template:
    metadata: {labels: {app: never-ready}}
    spec: {containers: [{name: app, image: never-ready}]}
"""


async def overhead(tracing: Tracing) -> list[Figure]:
    """Measure `transaction_overhead`."""
    whole = await _edits(tracing, bare=False)
    bare = await _edits(Tracing(), bare=True)
    notes = (f"reference: no record, no before-images; rounds {rounds(whole)}, reference {rounds(bare)}",)
    return [Figure("transaction_overhead", median(whole), "s", median(bare), notes)]


async def _edits(tracing: Tracing, *, bare: bool) -> list[float]:
    name = "overhead-bare" if bare else "overhead"
    async with stand(name, files("objects", mixed("edited")), tracing=tracing, bare=bare) as place:
        revision = await fetch_source(place)
        # Stop takes no before-images: there is nothing that it would go back to.
        await first_sync(place, "objects", "./objects", revision, onFailure="Stop" if bare else "Undo")
        took = []
        for number in range(ROUNDS):
            await place.quiet()
            took.append(await _edit(place, f"round-{number}"))
        return took


async def _edit(place: Stand, value: str) -> float:
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(place.api.first(SYNCS, _is_edited(value)))
        await asyncio.sleep(0.3)
        began = time.monotonic()
        await place.api.patch(f"{SYNCS}/objects", {"spec": {"commonMetadata": {"annotations": {"round": value}}}})
    return seen.result() - began


def _is_edited(value: str) -> Callable[[dict[str, Any]], bool]:
    def check(item: dict[str, Any]) -> bool:
        status = item.get("status", {})
        wanted = item["spec"].get("commonMetadata", {}).get("annotations", {}).get("round") == value
        current = status.get("observedGeneration") == item["metadata"]["generation"]
        return bool(wanted and current and ready_of(item)["status"] == "True")

    return check


async def undo(tracing: Tracing) -> list[Figure]:
    """Measure `undo_1001`."""
    bodies = mixed("undo")
    async with stand("undo", files("objects", bodies), audit=True, tracing=tracing) as place:
        raw = await place.api.apply_all(mixed("raw"))
        revision = await fetch_source(place)
        await first_sync(place, "objects", "./objects", revision, wait=True, timeout="30s")
        await place.quiet()
        changed = [_changed(body) for body in bodies]
        place.repo.commit({**files("objects", changed), "objects/never-ready.yaml": NEVER_READY}, "bad")
        place.requests().restart()
        async with asyncio.TaskGroup() as group:
            seen = group.create_task(_undone(place))
            await asyncio.sleep(0.3)
            await ask(place, f"{SOURCES}/fleet")
        # The record is replaced before the first write of the revision, and again before the first of its undo.
        took = seen.result() - place.requests().began("update", "secrets", 2)
        live = await place.api.get(bodies[1].path)
        if "annotations" in live["metadata"]:
            raise RuntimeError("the status says Undone, and an object is not as it was")
    return [Figure("undo_1001", took, "s", raw, ("reference: the same objects applied raw",))]


def _changed(body: Body) -> Body:
    return Body(body.file, body.text.replace("metadata:\n", "metadata:\n  annotations: {bad: here}\n", 1), body.path)


async def _undone(place: Stand) -> float:
    """The time (seconds since 1970) at which the status said so."""

    def is_undone(item: dict[str, Any]) -> bool:
        return any(c["reason"] == "Undone" for c in item.get("status", {}).get("conditions", []))

    await place.api.first(SYNCS, is_undone)
    return time.time()


async def recovery(tracing: Tracing) -> list[Figure]:
    """Measure `recovery_1000`."""
    async with stand("recovery", files("objects", mixed("recovery")), tracing=tracing) as place:
        raw = await place.api.apply_all(mixed("raw"))
        revision = await fetch_source(place)
        await place.quiet()
        await place.api.apply(f"{SYNCS}/objects", sync_body("objects", "./objects"))
        await _created(place, CREATED)
        async with asyncio.TaskGroup() as group:
            seen = group.create_task(_applied(place, revision))
            began = await place.restart(kill=True)
        leading = _leading_since(place)
        from_start = seen.result()[0] - began
        notes = (f"reference: the same objects applied raw; from the start of the process {from_start:.2f} s",)
        return [Figure("recovery_1000", seen.result()[1] - leading, "s", raw, notes)]


async def _applied(place: Stand, revision: str) -> tuple[float, float]:
    """When the sync was Ready: monotonic, and seconds since 1970."""
    moment = await place.api.first(SYNCS, is_applied("objects", revision))
    return moment, time.time()


def _leading_since(place: Stand) -> float:
    """When (seconds since 1970) the newest process noted that it holds the Leases."""
    lines = [json.loads(line) for line in place.launch.log.read_text().splitlines() if line.startswith("{")]
    times: list[str] = [line["ts"] for line in lines if line.get("msg") == "leading"]
    return datetime.fromisoformat(times[-1]).timestamp()


async def _created(place: Stand, count: int) -> None:
    seen = set()
    async with asyncio.timeout(60):
        async for item in place.api.events("/api/v1/configmaps"):
            if item["metadata"]["namespace"] == "recovery":
                seen.add(item["metadata"]["name"])
            if len(seen) >= count:
                return
