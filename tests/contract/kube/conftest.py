"""A client of the real API server for each test, and the kinds that tests use most."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from devcluster.cluster import Cluster
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess, load_kubeconfig
from sluice.kube.resource import Resource


@pytest.fixture
def access(cluster: Cluster) -> ClusterAccess:
    """The admin's access."""
    return load_kubeconfig(cluster.kubeconfig)


@pytest.fixture
async def client(access: ClusterAccess) -> AsyncIterator[KubeClient]:
    """A client as the admin."""
    async with KubeClient(access) as opened:
        yield opened


@pytest.fixture
def config_maps() -> Resource:
    """ConfigMap v1."""
    return Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)


@pytest.fixture
def deployments() -> Resource:
    """Deployment apps/v1."""
    return Resource("apps", "v1", "Deployment", "deployments", namespaced=True)
