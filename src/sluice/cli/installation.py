"""What is installed in a cluster: our operator, Flux's controllers, and who holds the leases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from sluice import settings
from sluice.api.kinds import POD_LABELS
from sluice.cli.cluster import Cluster
from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.live import LiveMeta
from sluice.core.problem import Problem
from sluice.kube.lease import LEASES as LEASE_KIND
from sluice.kube.lease import Lease
from sluice.kube.resource import Resource

DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments", namespaced=True)
PART_OF = "app.kubernetes.io/part-of"
VERSION = "app.kubernetes.io/version"
INSTANCE = "app.kubernetes.io/instance"
MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "sluice"
OUR_PODS = ",".join(f"{key}={value}" for key, value in POD_LABELS.items())
OUR_LEASE = "sluice-leader-election"
# The controllers of Flux whose objects we act on, and so the leases that we hold ourselves.
RIVALS = (
    *("kustomize-controller", "source-controller", "notification-controller"),
    *("image-reflector-controller", "image-automation-controller"),
)


@dataclass(frozen=True, slots=True)
class Installed:
    """One Deployment of a GitOps operator."""

    namespace: str
    name: str
    version: str
    replicas: int

    @property
    def is_ours(self) -> bool:
        """True when it is Sluice."""
        return self.name == OURS


class _Spec(msgspec.Struct, frozen=True):
    replicas: int = 1


class _Deployment(msgspec.Struct, frozen=True):
    metadata: LiveMeta
    spec: _Spec = _Spec()


async def find_installations(cluster: Cluster) -> tuple[Installed, ...]:
    """Every Deployment that is part of Flux, ours among them, in all namespaces."""
    listed = await cluster.client.list(DEPLOYMENTS, labels=f"{PART_OF}=flux", item_type=_Deployment)
    return tuple(
        Installed(
            item.metadata.namespace,
            item.metadata.name,
            item.metadata.labels.get(VERSION, "").removeprefix("v"),
            item.spec.replicas,
        )
        for item in listed.items
    )


async def find_operator(cluster: Cluster) -> Installed | None:
    """Our own operator, or None."""
    return next((each for each in await find_installations(cluster) if each.is_ours), None)


async def operator_namespace(cluster: Cluster) -> str:
    """The operator's namespace, where its records are: as the environment says, else where its Deployment is."""
    if named := settings.environment().get("RUNTIME_NAMESPACE"):
        return named
    try:
        found = await find_operator(cluster)
    except ClusterError as error:
        if error.status != 403:
            raise
        found = None
    return found.namespace if found is not None else settings.runtime_namespace()


async def in_the_way(cluster: Cluster, namespace: str) -> tuple[Problem, ...]:
    """Why nothing may be installed in `namespace`: another installation that acts on the same objects."""
    problems = []
    installed = await find_installations(cluster)
    rivals = [found.name for found in installed if found.name in RIVALS and found.replicas]
    for found in installed:
        if found.is_ours and found.namespace != namespace:
            fix = (
                f"`sluice install -n {found.namespace}` upgrades it; `sluice uninstall -n {found.namespace}` removes it"
            )
            problems.append(_already(f"Sluice {found.version} is installed in namespace {found.namespace}", found, fix))
        elif found.name in rivals:
            stop = f"kubectl -n {found.namespace} scale deployment {' '.join(rivals)} --replicas 0"
            title = f"Flux's {found.name} {found.version} runs in namespace {found.namespace}"
            problems.append(_already(title, found, f"stop it first: `{stop}`"))
    if not problems:
        problems += await _held(cluster, namespace)
    return tuple(problems)


def _already(title: str, found: Installed, fix: str) -> Problem:
    subject = DEPLOYMENTS.id_of(found.namespace, found.name)
    cause = "two operators would write the same objects under the same name"
    return Problem(codes.ALREADY_INSTALLED, title, subject, cause=cause, fix=fix)


async def _held(cluster: Cluster, namespace: str) -> list[Problem]:
    """The leases of Flux that somebody other than our own operator holds."""
    ours = await holder(cluster, namespace, OUR_LEASE)
    problems = []
    for controller in RIVALS:
        name = f"{controller}-leader-election"
        other = await holder(cluster, namespace, name)
        if other and other != ours:
            title = f"Lease {namespace}/{name} is held by {other}"
            cause = "that process acts on the same objects"
            subject = LEASE_KIND.id_of(namespace, name)
            problems.append(Problem(codes.ALREADY_INSTALLED, title, subject, cause=cause, fix="stop it first"))
    return problems


async def holder(cluster: Cluster, namespace: str, name: str) -> str:
    """Who holds a lease now; empty when nobody does, or it has run out."""
    raw = await cluster.client.get(LEASE_KIND, namespace, name)
    if raw is None:
        return ""
    spec = msgspec.json.decode(raw, type=Lease).spec
    try:
        renewed = datetime.fromisoformat(spec.renew_time or "")
    except ValueError:
        return ""
    over = (datetime.now(UTC) - renewed).total_seconds() > (spec.lease_duration_seconds or 0)
    return "" if over else spec.holder_identity or ""
