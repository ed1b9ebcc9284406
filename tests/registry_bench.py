"""A running operator beside the registry on this machine. Import `bench` where tests need it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from tests.operator_fixture import Bench, LogCapture, bench_with


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """A running operator for the module, to which the registry on this machine needs no TLS."""
    with bench_with(cluster, log_capture, tmp_path_factory, registry_insecure_hosts=("127.0.0.1",)) as opened:
        yield opened
