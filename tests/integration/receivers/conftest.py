"""Tests of receivers share one operator per module, which answers calls on a port of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from tests.operator_fixture import Bench, LogCapture, bench_with, crds, free_port, log_capture

__all__ = ["crds", "log_capture"]


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    address = f"127.0.0.1:{free_port()}"
    with bench_with(cluster, log_capture, tmp_path_factory, hook_address=address) as opened:
        yield opened
