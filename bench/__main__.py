"""`python -m bench [--only name,…]`: measure, print the table, write build/bench.json."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterator
from pathlib import Path

from bench import command, drift, edit, first_sync, push, scan, scrape, steady, surfaces, thousand, told, transaction
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

    def take(measured: list[Figure]) -> None:
        kept = [figure for figure in measured if figure.name in names]
        print(table(kept), flush=True)
        found.extend(kept)

    if "first_sync" in names:
        take(await first_sync.measure(tracing))
    if any(name in names for name in steady.FIGURES_1001):
        take(await steady.measure_1001(tracing, idle if "idle_requests" in names else 0.0))
    if "rss_10001_mb" in names:
        take(await steady.measure_10001(tracing))
    if "push_to_applied" in names:
        take(await push.measure(tracing))
    if "thousand_syncs_per_s" in names:
        take(await thousand.measure(tracing))
    if "transaction_overhead" in names:
        take(await transaction.overhead(tracing))
    if "undo_1001" in names:
        take(await transaction.undo(tracing))
    if "recovery_1000" in names:
        take(await transaction.recovery(tracing))
    if any(name in names for name in DRIFT):
        take(await drift.measure(tracing))
    if any(name in names for name in scan.FIGURES):
        take(await scan.measure())
    if edit.FIGURE in names:
        take(await edit.measure())
    for measure in _surfaces(names):
        take(await measure())
    return found


def _surfaces(names: Collection[str]) -> Iterator[Callable[[], Awaitable[list[Figure]]]]:
    """The measurements of what people and other programs look at and talk to."""
    if any(name in names for name in scrape.FIGURES):
        yield scrape.measure
    if any(name in names for name in command.FIGURES):
        yield lambda: command.measure(names)
    if told.FIGURE in names:
        yield told.measure
    if any(name in names for name in surfaces.FIGURES):
        yield lambda: surfaces.measure(names)


main()
