"""What the black-box faults need of an operator: with one of these for each, peers can be put beside us.

Nothing here knows of our own kinds, record or command line. What became of a fault is judged by what the API server
holds in the namespace that is synced; of the operator only its own claim (ready at which commit) is asked.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from devcluster.cluster import Cluster
from tests.faults.fault_proxy import Asked
from tests.operator_fixture import Api


@dataclass(frozen=True, slots=True)
class Site:
    """Where an operator is to run: everything that it sends to the API server goes through `kubeconfig`'s proxy.

    `namespace` is its own; `folder` is its disk, which survives a kill.
    """

    kubeconfig: Path
    namespace: str
    folder: Path


@dataclass(frozen=True, slots=True)
class SyncSpec:
    """Keep `target` at what the head of branch `main` of `url` says: plain manifests at the root; prune what leaves."""

    name: str
    namespace: str
    url: str
    target: str


class Process(Protocol):
    """One operator that can be killed and started again; it finds its disk and its leases as they were."""

    @property
    def running(self) -> bool:
        """True while it lives."""
        ...

    def start(self) -> None:
        """Start it; returns at once."""
        ...

    def wait_ready(self) -> None:
        """Return once it works; fails when it does not come so far."""
        ...

    def kill(self) -> None:
        """SIGKILL, from any thread."""
        ...

    def wait_dead(self, seconds: float) -> bool:
        """True once it has ended, False when it still lives after `seconds`."""
        ...

    def stop(self) -> None:
        """End it as a pod is ended."""
        ...

    def tail(self, characters: int = 3000) -> str:
        """The end of what it said, for a failure's message."""
        ...


class Adapter(Protocol):
    """An operator, as the faults see it. A module that offers one has it as `ADAPTER`."""

    name: str

    def install(self, cluster: Cluster) -> None:
        """Put its CRDs and rights into the cluster; called once, and again for a cluster that has them."""
        ...

    def process(self, site: Site) -> Process:
        """One that has not been started."""
        ...

    def counts(self, asked: Asked) -> bool:
        """True for a request that is a part of a change: no lease, event or status of its own."""
        ...

    def create(self, api: Api, sync: SyncSpec) -> None:
        """Make the objects by which it begins to sync."""
        ...

    def look_now(self, api: Api, sync: SyncSpec) -> None:
        """Ask it to look at git now, as a webhook would."""
        ...

    def ready_at(self, api: Api, sync: SyncSpec) -> str:
        """The commit at which it says that all is applied and well; empty while it does not say so."""
        ...

    def failed_at(self, api: Api, sync: SyncSpec) -> str:
        """The commit of which it says that it has failed; empty while it does not say so."""
        ...


def load_adapter(module: str) -> Adapter:
    """The adapter that a module offers. Raises ImportError, or AttributeError for a module that offers none."""
    return cast("Adapter", importlib.import_module(module).ADAPTER)
