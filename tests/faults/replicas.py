"""Several replicas of one installation, each with its own disk and its own way to the API server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from sluice.kube.config import load_kubeconfig
from sluice.settings import Settings
from tests.faults.fault_proxy import FaultProxy
from tests.faults.lane import counted
from tests.faults.operator_process import OperatorProcess
from tests.operator_fixture import AGENT, PATIENCE, Api, Bench, RunningOperator, poll

OURS = "sluice-leader-election"


@dataclass
class Replica:
    """One operator and its own way to the API server."""

    proxy: FaultProxy
    operator: OperatorProcess

    def wait_waiting(self) -> None:
        """Wait until it stands in line for the Lease."""
        poll("it waits", lambda: any(e.get("msg") == "waiting for the lease" for e in self.operator.said()))

    def wait_ended(self, seconds: float = PATIENCE) -> None:
        """Wait until it gave up by itself, and said why."""
        assert self.operator.wait_dead(seconds), f"it goes on: {self.operator.tail()}"
        assert "lease" in self.operator.tail()

    @property
    def leads(self) -> bool:
        """True when it lives and has said that it serves turns."""
        return self.operator.running and any(e.get("msg") == "ready" for e in self.operator.said())

    @property
    def sent(self) -> int:
        """How many writes of it were passed on, leases and events aside."""
        return sum(w.forwarded for w in self.proxy.numbered)


def lease_path(bench: Bench, name: str = OURS) -> str:
    """A Lease of the installation."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{bench.namespace}/leases/{name}"


@contextmanager
def open_replicas(
    cluster: Cluster, git: GitHttpServer, root: Path, identities: Sequence[str], patches: tuple[str, ...]
) -> Iterator[tuple[Bench, list[Replica]]]:
    """Replicas that are not started yet, in a namespace of their own; the CRDs are installed."""
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    api = Api(cluster)
    with ExitStack() as stack:
        stack.callback(api.close)
        replicas = []
        for identity in identities:
            proxy = stack.enter_context(FaultProxy(cluster, counted))
            config = proxy.write_kubeconfig(root / f"{identity}.kubeconfig")
            operator = OperatorProcess(config, name, root / identity, root / f"{identity}.log", identity, patches)
            replicas.append(Replica(proxy, operator))
            stack.callback(operator.stop)
            stack.callback(operator.resume)
        # The fixture's own operator is never started: ours are processes.
        idle = RunningOperator(Settings(namespace=name), load_kubeconfig(cluster.kubeconfig))
        yield Bench(cluster, api, name, idle, git, root / name, AGENT), replicas
