"""`python -m bench [--only name,…]`: measure, print the table, write build/bench.json."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path

from bench import (
    command,
    drift,
    edit,
    first_sync,
    new_tag,
    push,
    scan,
    scrape,
    steady,
    surfaces,
    tag_memory,
    thousand,
    told,
    transaction,
)
from bench.figure import Figure, table, write_json
from bench.stand import ROOT, Tracing

DRIFT = ("drift_p95_10000", "bytes_per_watched_object")
ALL = (
    "first_sync",
    *steady.FIGURES_1001,
    "rss_10001_mb",
    "push_to_applied",
    "thousand_syncs_per_s",
    "transaction_overhead",
    "undo_1001",
    "recovery_1000",
    *DRIFT,
    *scan.FIGURES,
    edit.FIGURE,
    *new_tag.FIGURES,
    tag_memory.FIGURE,
    *scrape.FIGURES,
    *command.FIGURES,
    told.FIGURE,
    *surfaces.FIGURES,
)
IDLE_FULL_RUN = 60.0
IDLE_WHEN_NAMED = 600.0


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=f"Figures: {', '.join(ALL)}")
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument(
        "--idle-seconds", type=float, help="default: 600 when idle_requests is named by --only, else 60"
    )
    parser.add_argument("--profile", type=Path, help="write cProfile statistics of the operator into this folder")
    parser.add_argument("--memory", type=Path, help="write allocations of the operator into this folder")
    options = parser.parse_args()
    names = tuple(filter(None, options.only.split(","))) or ALL
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        parser.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(ALL)}")
    asked = os.environ.get("BENCH_IDLE_SECONDS")
    idle = options.idle_seconds or (float(asked) if asked else IDLE_WHEN_NAMED if options.only else IDLE_FULL_RUN)
    tracing = Tracing(options.profile or options.memory, memory=options.memory is not None)
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", flush=True)
    figures = asyncio.run(_measure(names, tracing, idle))
    write_json(figures, ROOT / "build" / "bench.json")
    print(f"\nload after: {os.getloadavg()[0]:.1f}\n{table(figures)}")


async def _measure(names: Collection[str], tracing: Tracing, idle: float) -> list[Figure]:
    found: list[Figure] = []
    for offered, measure in _measurements(names, tracing, idle if "idle_requests" in names else 0.0):
        if any(name in names for name in offered):
            kept = [figure for figure in await measure() if figure.name in names]
            print(table(kept), flush=True)
            found.extend(kept)
    return found


def _measurements(
    names: Collection[str], tracing: Tracing, idle: float
) -> tuple[tuple[tuple[str, ...], Callable[[], Awaitable[list[Figure]]]], ...]:
    """Each measurement with the figures that come of it, in the order in which they are taken."""
    return (
        (("first_sync",), partial(first_sync.measure, tracing)),
        (steady.FIGURES_1001, partial(steady.measure_1001, tracing, idle)),
        (("rss_10001_mb",), partial(steady.measure_10001, tracing)),
        (("push_to_applied",), partial(push.measure, tracing)),
        (("thousand_syncs_per_s",), partial(thousand.measure, tracing)),
        (("transaction_overhead",), partial(transaction.overhead, tracing)),
        (("undo_1001",), partial(transaction.undo, tracing)),
        (("recovery_1000",), partial(transaction.recovery, tracing)),
        (DRIFT, partial(drift.measure, tracing)),
        (scan.FIGURES, scan.measure),
        ((edit.FIGURE,), edit.measure),
        (new_tag.FIGURES, partial(new_tag.measure, tracing)),
        ((tag_memory.FIGURE,), partial(tag_memory.measure, tracing)),
        (scrape.FIGURES, scrape.measure),
        (command.FIGURES, partial(command.measure, names)),
        ((told.FIGURE,), told.measure),
        (surfaces.FIGURES, partial(surfaces.measure, names)),
    )


main()
