"""The operator as `sluice run` starts it, with a profiler around it: what to run when a figure is not as it should be.

`--profile FILE` writes cProfile's statistics at the end; `--memory FILE` the largest allocations, by tracemalloc,
whenever the process gets SIGUSR1. Either slows the operator down: figures are taken without, from `sluice run` itself.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import signal
import tracemalloc
from pathlib import Path

from sluice.core.record import Record
from sluice.kube.config import load_kubeconfig
from sluice.runtime.record_store import RecordStore
from sluice.settings import Settings
from sluice.wiring import run_operator


def main() -> None:
    """Run until SIGTERM."""
    parser = argparse.ArgumentParser()
    for name in ("--kubeconfig", "--storage-path", "--health-addr", "--runtime-namespace", "--git-allow-loopback"):
        parser.add_argument(name, required=True)
    for name in ("--hook-addr", "--registry-allow-loopback"):
        parser.add_argument(name, default="")
    parser.add_argument("--profile", default="")
    parser.add_argument("--memory", default="")
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    if options.memory:
        tracemalloc.start(8)
    if options.bare:
        RecordStore.save = _remember  # type: ignore[method-assign, assignment]
    if not options.profile:
        asyncio.run(_run(options))
        return
    profiler = cProfile.Profile()
    profiler.runcall(asyncio.run, _run(options))
    profiler.dump_stats(options.profile)


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.memory:
        loop.add_signal_handler(signal.SIGUSR1, _write_allocations, Path(options.memory))
    settings = Settings(
        namespace=options.runtime_namespace,
        storage=Path(options.storage_path),
        git_allow_loopback=options.git_allow_loopback == "true",
        health_address=options.health_addr,
        hook_address=options.hook_addr,
        registry_allow_loopback=options.registry_allow_loopback == "true",
        identity="bench",
    )
    await run_operator(settings, load_kubeconfig(Path(options.kubeconfig)), stop)


async def _remember(store: RecordStore, record: Record) -> None:
    """What the engine needs to go on, and nothing that outlives the process."""
    store._records[record.owner] = record


def _write_allocations(target: Path) -> None:
    snapshot = tracemalloc.take_snapshot()
    lines = [f"traced: {size / 1e6:.1f} MB" for size in tracemalloc.get_traced_memory()[:1]]
    lines += [str(found) for found in snapshot.statistics("lineno")[:40]]
    for found in snapshot.statistics("traceback")[:15]:
        lines += ["", f"{found.size / 1e6:.2f} MB in {found.count}", *found.traceback.format()]
    target.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
