"""Tests of updates that are asked of the operator: one operator per module, which may reach the session's registry."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from tests.operator_fixture import Bench, LogCapture, OpenBench, crds, log_capture, settings_for

__all__ = ["bench", "crds", "log_capture"]


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """A running operator for the module, to which the registry on this machine needs no TLS."""
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    root = tmp_path_factory.mktemp("bench")
    settings = replace(settings_for(name, root), registry_insecure_hosts=("127.0.0.1",))
    with OpenBench(cluster, root, log_capture, settings) as opened:
        yield opened
