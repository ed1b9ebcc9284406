"""One stand with 1,001 (or 10,001) applied objects: what a changed file, a request, and doing nothing cost.

`one_file`: from the moment the git server has handed over the pack of the new commit until the Kustomization's status
shows it applied; median of five. Reference: dry-run and apply of that object, raw.
`one_file_requests`: the operator's API requests in that window, by the audit log, but for Lease, Events and the status
of our own kinds; a watch counts when it is newly opened; the most of the five. Reference: 2, dry-run and apply.
`noop_requests`: the same count when a turn of the Kustomization is asked for and nothing has changed, until a second
after its answer; the most of three. `idle_requests`: the same over a quiet time, watches left out.
`rss_1001_mb`, `rss_10001_mb`: the operator's peak resident memory (children included, sampled every 50 ms, with the
kernel's own peak of the main process) over first sync, changes and requests. Reference: the most it may be.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from statistics import median

from bench.audit import shown
from bench.figure import Figure
from bench.objects import config_map, files, mixed
from bench.process import resident_mb
from bench.stand import Stand, Tracing, stand
from bench.sync import SOURCES, SYNCS, ask, fetch_source, first_sync, has_artifact, has_handled, is_applied

CHANGES = 5
ASKED = 3
MEMORY_LIMITS = {1: 120.0, 10: 200.0}
FIGURES_1001 = ("one_file", "one_file_requests", "noop_requests", "idle_requests", "rss_1001_mb")


async def measure_1001(tracing: Tracing, idle_seconds: float) -> list[Figure]:
    """All figures of the stand with 1,001 objects; `idle_seconds` 0 leaves out the idle window."""
    async with stand("steady-1001", files("objects", mixed("steady")), audit=True, tracing=tracing) as place:
        notes = [await _begin(place)]
        figures = await _one_file(place)
        notes.append(f"after the changes {place.peak.mb:.0f} MB at most")
        figures += [await _noop(place), _memory(place, 1, tuple(notes))]
        if idle_seconds:
            figures.append(await _idle(place, idle_seconds))
        return figures


async def measure_10001(tracing: Tracing) -> list[Figure]:
    """`rss_10001_mb`: first sync, one change, one request."""
    async with stand("steady-10001", files("objects", mixed("steady", 10)), audit=True, tracing=tracing) as place:
        begun = await _begin(place)
        seconds, _ = await _change(place, 0)
        await _ask_once(place)
        return [_memory(place, 10, (begun, f"one file {seconds:.2f} s"))]


async def _begin(place: Stand) -> str:
    """Fetch and sync; returns what that took, in words."""
    start = place.peak.mb
    revision = await fetch_source(place)
    fetched = place.peak.mb
    took = await first_sync(place, "objects", "./objects", revision)
    await place.quiet()
    return f"{start:.0f} MB at most when ready, {fetched:.0f} fetched, {place.peak.mb:.0f} synced ({took:.1f} s)"


async def _one_file(place: Stand) -> list[Figure]:
    seconds, counts, from_status = [], [], []
    place.cpu()
    for number in range(CHANGES):
        took, shown_after = await _change(place, number)
        seconds.append(took)
        from_status.append(shown_after)
        counts.append(place.requests().counted())
        await place.quiet()
    spent = place.cpu()
    limits = [await place.api.check_and_apply(config_map("warm-up", "config-0600", f"raw-{n}")) for n in range(CHANGES)]
    most = max(counts, key=Counter.total)
    rounds = " / ".join(f"{value:.3f}" for value in seconds)
    notes = (
        f"reference: one dry-run and one apply, raw; rounds {rounds}",
        f"counted from the GitRepository's status instead: {median(from_status):.3f} s",
        f"CPU seconds of {CHANGES}, pushes and waits included: "
        + ", ".join(f"{name} {value:.2f}" for name, value in spent.items()),
    )
    return [
        Figure("one_file", median(seconds), "s", median(limits), notes),
        Figure("one_file_requests", float(most.total()), "requests", 2.0, (shown(most),)),
    ]


async def _change(place: Stand, number: int) -> tuple[float, float]:
    """Change one file; returns the seconds from the fetched commit, and from the source's status, to the sync's."""
    body = config_map("steady", "config-0300", f"change-{number}")
    place.repo.commit(files("objects", [body]), f"change {number}")
    revision = f"main@sha1:{place.repo.head()}"
    async with asyncio.TaskGroup() as group:
        fetched = group.create_task(place.api.first(SOURCES, has_artifact(revision)))
        applied = group.create_task(place.api.first(SYNCS, is_applied("objects", revision)))
        await asyncio.sleep(0.3)
        place.requests().restart()
        await ask(place, f"{SOURCES}/fleet")
    live = await place.api.get(body.path)
    if live["data"]["mode"] != f"change-{number}":
        raise RuntimeError("the sync says that it is done, and the object is not as git has it")
    handed_over = max(moment for moment in place.git.packs if moment < applied.result())
    return applied.result() - handed_over, applied.result() - fetched.result()


async def _ask_once(place: Stand) -> float:
    began = time.monotonic()
    token = await ask(place, f"{SYNCS}/objects")
    handled = await place.api.first(SYNCS, has_handled("objects", token))
    await asyncio.sleep(1.0)
    return handled - began


async def _noop(place: Stand) -> Figure:
    counts, seconds = [], []
    for _ in range(ASKED):
        place.requests().restart()
        seconds.append(await _ask_once(place))
        counts.append(place.requests().counted())
    most = max(counts, key=Counter.total)
    notes = (shown(most), f"answered after {median(seconds):.3f} s")
    return Figure("noop_requests", float(most.total()), "requests", None, notes)


async def _idle(place: Stand, seconds: float) -> Figure:
    await place.quiet()
    place.requests().restart()
    place.cpu()
    await asyncio.sleep(seconds)
    spent = place.cpu()["operator"]
    everything = Counter(f"{r.verb} {r.resource}" for r in place.requests().requests())
    counted = place.requests().counted()
    watches = Counter({what: n for what, n in counted.items() if what.startswith("watch ")})
    notes = (
        f"in {seconds:.0f} s: {shown(counted - watches)}; not counted: {shown(everything - (counted - watches))}",
        f"CPU seconds of the operator {spent:.2f}, resident {resident_mb(place.operator.pid):.0f} MB",
    )
    return Figure("idle_requests", float((counted - watches).total()), "requests", None, notes)


def _memory(place: Stand, hundreds: int, notes: tuple[str, ...] = ()) -> Figure:
    now = f"reference: the most it may be; at the end {resident_mb(place.operator.pid):.0f} MB"
    name = f"rss_{hundreds * 1000 + 1}_mb"
    return Figure(name, place.peak.mb, "MB", MEMORY_LIMITS[hundreds], (now, *notes))
