"""An operator whose way to the API server can be broken, one for each module."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from sluice.kube.config import load_kubeconfig
from tests.faults.fault_proxy import FaultProxy
from tests.faults.lane import counted
from tests.operator_fixture import Bench, LogCapture, OpenBench, crds, log_capture, settings_for

__all__ = ["crds", "faulty", "log_capture"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many planted bugs were caught, when they were looked for."""
    reports = [r for what in ("passed", "failed") for r in terminalreporter.stats.get(what, ())]
    caught = [r.passed for r in reports if "test_a_planted_bug_is_caught" in r.nodeid]
    if caught:
        terminalreporter.write_line(f"planted bugs caught {sum(caught)}/{len(caught)}")


@dataclass(frozen=True, slots=True)
class Faulty:
    """A bench whose operator reaches the API server through `proxy`; the tests themselves go straight to it."""

    bench: Bench
    proxy: FaultProxy


@pytest.fixture(scope="module")
def faulty(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faulty]:
    """A running operator behind a proxy, in a namespace of its own."""
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    root = tmp_path_factory.mktemp("faulty")
    with FaultProxy(cluster, counted) as proxy:
        access = load_kubeconfig(proxy.write_kubeconfig(root / "kubeconfig"))
        with OpenBench(cluster, root, log_capture, settings_for(name, root), access) as bench:
            yield Faulty(bench, proxy)
