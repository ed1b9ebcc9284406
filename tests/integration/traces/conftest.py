"""Tests of traces share a collector and an operator that sends to it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from tests.notification_sink import NotificationSink
from tests.operator_fixture import Bench, LogCapture, OpenBench, crds, log_capture, settings_for

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
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    root = tmp_path_factory.mktemp("bench")
    settings = replace(settings_for(name, root), otlp_endpoint=collector.url)
    with OpenBench(cluster, root, log_capture, settings) as opened:
        yield opened
