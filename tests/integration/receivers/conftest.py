"""Tests of receivers share one operator per module, which answers calls on a port of its own."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from tests.operator_fixture import Bench, LogCapture, OpenBench, crds, log_capture, settings_for

__all__ = ["crds", "log_capture"]


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    root = tmp_path_factory.mktemp("bench")
    settings = replace(settings_for(name, root), hook_address=f"127.0.0.1:{free_port()}")
    with OpenBench(cluster, root, log_capture, settings) as opened:
        yield opened


def free_port() -> int:
    """A loopback port that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
