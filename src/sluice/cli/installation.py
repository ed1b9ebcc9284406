"""What is installed in a cluster: our operator, Flux's controllers, and who holds the leases."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from sluice.cli.cluster import Cluster
from sluice.core.live import LiveMeta
from sluice.kube.resource import Resource

DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments", namespaced=True)
LEASE_KIND = Resource("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
CRD_KIND = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
PART_OF = "app.kubernetes.io/part-of"
VERSION = "app.kubernetes.io/version"
INSTANCE = "app.kubernetes.io/instance"
OURS = "sluice"


@dataclass(frozen=True, slots=True)
class Installed:
    """One Deployment of a GitOps operator."""

    namespace: str
    name: str
    version: str

    @property
    def is_ours(self) -> bool:
        """True when it is Sluice."""
        return self.name == OURS


class _Deployment(msgspec.Struct, frozen=True):
    metadata: LiveMeta


async def find_installations(cluster: Cluster) -> tuple[Installed, ...]:
    """Every Deployment that is part of Flux, ours among them, in all namespaces."""
    listed = await cluster.client.list(DEPLOYMENTS, labels=f"{PART_OF}=flux", item_type=_Deployment)
    return tuple(
        Installed(item.metadata.namespace, item.metadata.name, item.metadata.labels.get(VERSION, "").removeprefix("v"))
        for item in listed.items
    )


async def find_operator(cluster: Cluster) -> Installed | None:
    """Our own operator, or None."""
    return next((each for each in await find_installations(cluster) if each.is_ours), None)
