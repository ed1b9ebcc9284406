"""pytest's way to the cluster: one for the session, a namespace for each test, one's own where a test must break it.

`pytest_plugins = ["devcluster.fixture"]` in the top conftest makes these fixtures available. They are synchronous: a
cluster is processes, and what a test does with its address is the test's business.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from devcluster.cluster import Cluster
from devcluster.components import ClusterOptions
from devcluster.registry import Registry

_ACCOUNT_TIMEOUT = 60.0

FreshCluster = Callable[..., Cluster]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Boot one cluster for the whole session: every component, one simulated node, the audit log on.

    Tests share it, so each keeps to its own `namespace` and to names of its own for what has no namespace.
    """
    with Cluster.start(ClusterOptions(audit=True)) as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Make a namespace with a fresh name, its default service account there; deletion is asked for, not awaited."""
    name = f"test-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    yield name
    cluster.api.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture
def fresh_cluster() -> Iterator[FreshCluster]:
    """Return a function that boots a cluster for this test alone: `fresh_cluster(audit=True, nodes=3)`.

    Its arguments are those of `ClusterOptions`. All are stopped when the test ends.
    """
    with ExitStack() as running:

        def boot(**options: object) -> Cluster:
            return running.enter_context(Cluster.start(ClusterOptions(**options)))  # type: ignore[arg-type]

        yield boot


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Start one registry for the whole session, open to everybody, over http; tests keep to repositories of their own.

    A test that wants logins, TLS or a registry to break starts a `Registry` itself.
    """
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def create_namespace(cluster: Cluster, name: str) -> None:
    """Make a namespace and wait until pods may be made in it. Raises `TimeoutError` after a minute."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    status, answer = cluster.api.request("POST", "/api/v1/namespaces", body)
    if status != 201:
        raise RuntimeError(f"namespace {name} could not be made: {answer}")
    deadline = time.monotonic() + _ACCOUNT_TIMEOUT
    while cluster.api.get(f"/api/v1/namespaces/{name}/serviceaccounts/default") is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"namespace {name} got no default service account")
        time.sleep(0.02)
