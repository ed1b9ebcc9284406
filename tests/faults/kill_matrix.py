"""`make kill-matrix`: the operator is killed at every write to the API server, before and after the server took it.

Prints one line per write of each scenario, and as the last line `cells C, lost L, orphans O, half-applied H`.
Exits with 1 unless the three are 0.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from devcluster import Cluster, ClusterOptions
from devcluster.git_http import GitHttpServer
from tests.faults.lane import Cell, Lane, Result, open_lane
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.operator_fixture import install_crds


@dataclass
class Tally:
    """The results so far."""

    results: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count a cell whose write came."""
        if result.killed_at:
            self.results.append(result)

    @property
    def clean(self) -> bool:
        """True when no cell lost, orphaned or half-applied anything."""
        return not any(r.verdict.wrong for r in self.results)

    def __str__(self) -> str:
        lost, orphans, half = (
            sum(bool(getattr(r.verdict, what)) for r in self.results) for what in ("lost", "orphans", "half")
        )
        return f"cells {len(self.results)}, lost {lost}, orphans {orphans}, half-applied {half}"


def run_scenario(lane: Lane, scenario: Scenario, tally: Tally) -> None:
    """Every cell of one scenario, a line for each write."""
    writes = lane.count(scenario)
    print(f"\n{scenario.name}: {len(writes)} writes", flush=True)
    for k in range(1, len(writes) + 1):
        pair = [lane.run(Cell(scenario, k, after=after)) for after in (False, True)]
        for result in pair:
            tally.add(result)
        print(_line(k, pair), flush=True)
        for result in pair:
            for wrong in result.verdict.wrong:
                print(f"       {result.cell}: {wrong}", flush=True)


def _line(k: int, pair: Sequence[Result]) -> str:
    marks = []
    for result in pair:
        mark = "-" if not result.killed_at else "wrong" if result.verdict.wrong else "ok"
        marks.append(f"{mark:<6} {result.seconds:4.1f}s")
    what = next((r.killed_at for r in pair if r.killed_at), "the write did not come")
    return f"  {k:>3}  before {marks[0]}  after {marks[1]}  {what}"


@contextmanager
def ground() -> Iterator[tuple[Cluster, GitHttpServer, Path]]:
    """A cluster with our CRDs, a git server and a folder, gone at the end."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-kill-matrix-")))
        cluster = stack.enter_context(Cluster.start(ClusterOptions(audit=True)))
        install_crds(cluster)
        yield cluster, stack.enter_context(GitHttpServer(root / "git")), root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen scenarios, all of them unless `--only` names some."""
    parser = argparse.ArgumentParser(description="Kill the operator at every write; see what becomes of the cluster.")
    parser.add_argument("--only", nargs="*", choices=[s.name for s in SCENARIOS], metavar="SCENARIO")
    chosen = parser.parse_args(arguments).only
    tally, began = Tally(), time.monotonic()
    with ground() as (cluster, git, root), open_lane(cluster, git, root) as lane:
        for scenario in SCENARIOS:
            if not chosen or scenario.name in chosen:
                run_scenario(lane, scenario, tally)
    print(f"\n{time.monotonic() - began:.0f} s")
    print(tally)
    return 0 if tally.clean else 1


if __name__ == "__main__":
    sys.exit(main())
