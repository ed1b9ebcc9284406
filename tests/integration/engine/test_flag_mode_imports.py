"""Nothing of what only CRDs configure is even imported in flag mode: it costs neither time to start nor memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from sluice import __file__ as package
from tests.operator_fixture import config_map

# Runs an operator from fluxd's flags until it serves turns, and prints which modules of ours it has.
RUN = """
import asyncio, json, sys
from pathlib import Path
from sluice.core.flag_source import FlagSource
from sluice.kube.config import load_kubeconfig
from sluice.settings import Settings
from sluice.wiring import run_operator

kubeconfig, storage, url = sys.argv[1:]

async def run():
    stop = asyncio.Event()
    settings = Settings(
        namespace="sluice-system", storage=Path(storage), git_allow_loopback=True,
        hook_address="127.0.0.1:0", flag_source=FlagSource(url=url, branch="main"),
    )
    await run_operator(settings, load_kubeconfig([Path(kubeconfig)]), stop, stop.set)

asyncio.run(run())
Path(storage, "modules").write_text(json.dumps([name for name in sys.modules if name.startswith("sluice.")]))
"""
OF_NOTIFICATIONS = (
    *("sluice.crd_services", "sluice.notify.transport", "sluice.notify.providers", "sluice.reconcilers.notifier"),
    *("sluice.reconcilers.notification_routing", "sluice.reconcilers.incident_book", "sluice.runtime.delivery_lanes"),
    *("sluice.runtime.notification_intents", "sluice.store.notification_spool"),
)
OF_RECEIVERS = (
    *("sluice.reconcilers.receiver", "sluice.reconcilers.receivers", "sluice.reconcilers.receiver_calls"),
    *("sluice.server.hooks", "sluice.notify.issuers", "sluice.core.webhook"),
)


@pytest.mark.cluster
def test_in_flag_mode_nothing_of_notifications_and_receivers_is_imported(
    fresh_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = fresh_cluster()
    create_namespace(cluster, "sluice-system")
    storage = tmp_path / "data"
    with GitHttpServer(tmp_path / "git") as git:
        git.create("fleet")
        WorkingRepo(tmp_path / "work", git.url("fleet"), branch="main").commit(
            {"a.yaml": config_map("a").replace("$NS", "default")}, "first"
        )
        command = [sys.executable, "-c", RUN, str(cluster.kubeconfig), str(storage), git.url("fleet")]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(package).parent.parent)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads((storage / "modules").read_text()))
    assert "sluice.reconcilers.workload_automation" in loaded
    assert not loaded & {*OF_NOTIFICATIONS, *OF_RECEIVERS}
    assert not [name for name in loaded if name.startswith("sluice.notify.")]


@pytest.mark.parametrize("name", [*OF_NOTIFICATIONS, *OF_RECEIVERS])
def test_what_flag_mode_does_without_is_there_under_that_name(name: str) -> None:
    assert find_spec(name) is not None
