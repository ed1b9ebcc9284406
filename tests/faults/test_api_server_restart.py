"""The API server is killed and started again in the middle of an apply."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from pathlib import Path

from devcluster.fixture import FreshCluster, create_namespace
from sluice.kube.config import load_kubeconfig
from tests.faults.fault_proxy import Asked, Fault, FaultProxy
from tests.faults.lane import counted
from tests.operator_fixture import LogCapture, OpenBench, config_map, install_crds, poll, settings_for

OBJECTS = 40


def test_an_api_server_that_restarts_in_the_middle_of_an_apply_is_waited_for(
    fresh_cluster: FreshCluster, log_capture: LogCapture, tmp_path: Path
) -> None:
    cluster = fresh_cluster(nodes=0)
    install_crds(cluster)
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    with FaultProxy(cluster, counted) as proxy:
        access = load_kubeconfig(proxy.write_kubeconfig(tmp_path / "kubeconfig"))
        with OpenBench(cluster, tmp_path, log_capture, settings_for(name, tmp_path), access) as bench:
            sync = bench.source()
            revision = sync.commit({f"{n}.yaml": config_map(f"c{n}") for n in range(OBJECTS)})

            dead = asyncio.Event()

            def half(asked: Asked) -> Fault | None:
                later = asked.number > OBJECTS // 2 and "/configmaps/" in asked.path
                return Fault(hold=dead) if later else None

            proxy.arm(half)
            sync.create_source()
            sync.create()
            poll("it is in the middle", lambda: proxy.numbered and proxy.numbered[-1].asked.number > OBJECTS // 2)
            os.kill(cluster.pid("kube-apiserver"), signal.SIGKILL)
            proxy.set(dead)
            poll("some of it met no server", lambda: any(w.forwarded and not w.status for w in proxy.numbered))
            cluster.restart("kube-apiserver")
            sync.wait_ready(revision, seconds=60)
            assert len(sync.inventory()) == OBJECTS
            assert [n for n in range(OBJECTS) if sync.live("configmaps", f"c{n}") is None] == []
