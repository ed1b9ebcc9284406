"""Tests of traces share a collector and an operator that sends to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from tests.notification_sink import NotificationSink
from tests.operator_fixture import Bench, LogCapture, bench_with, crds, log_capture

__all__ = ["crds", "log_capture"]


@pytest.fixture(scope="module")
def collector() -> Iterator[NotificationSink]:
    """Takes what is sent by OTLP over HTTP."""
    with NotificationSink() as opened:
        yield opened


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster,
    crds: None,
    log_capture: LogCapture,
    tmp_path_factory: pytest.TempPathFactory,
    collector: NotificationSink,
) -> Iterator[Bench]:
    """An operator whose traces go to the collector."""
    with bench_with(cluster, log_capture, tmp_path_factory, otlp_endpoint=collector.url) as opened:
        yield opened
