"""Tests of updates that are asked of the operator: one operator per module, which may reach the session's registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from tests.operator_fixture import Bench, LogCapture, bench_with, crds, log_capture

__all__ = ["bench", "crds", "log_capture"]


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """A running operator for the module, to which the registry on this machine needs no TLS."""
    with bench_with(cluster, log_capture, tmp_path_factory, registry_insecure_hosts=("127.0.0.1",)) as opened:
        yield opened
