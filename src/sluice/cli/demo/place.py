"""What a running demo consists of, and the objects with which it asks the operator for the sample's three apps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from sluice.api.kustomization import Kustomization
from sluice.cli.demo.checkout import Checkout
from sluice.cli.demo.kubectl import Kubectl
from sluice.cli.demo.lookout import Lookout, Sight, Target, following
from sluice.cli.demo.script import Script
from sluice.cli.demo.views import DEPLOYMENTS, Deployment
from sluice.core import condition
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess
from sluice.kube.resource import Resource
from sluice.reconcilers.our_kinds import GIT_REPOSITORIES, KUSTOMIZATIONS

if TYPE_CHECKING:
    from devcluster.registry import Registry

T = TypeVar("T")
SHOP = "demo-shop"
PART_OF = "app.kubernetes.io/part-of"
DEMO = "sluice-demo"
MANAGER = "sluice-demo"
POLL = "1s"


@dataclass(frozen=True, slots=True)
class App:
    """One of the sample's apps: a folder, and the app that must be ready first."""

    name: str
    path: str
    about: str
    after: str = ""


APPS = (
    App("platform", "./apps/platform", "a namespace, a CRD and its first object"),
    App("api", "./apps/api/overlays/demo", "a kustomize overlay; waits for platform", "platform"),
    App("web", "./apps/web", "plain manifests; waits for api", "api"),
)


@dataclass(frozen=True, slots=True)
class Home:
    """The cluster of the demo; `hints` are commands to look at it with.

    `leave` takes back what the demo did there, while the operator still runs. `registry` is one that its pods could
    pull from: there is none beside a cluster of the user's own.
    """

    access: ClusterAccess
    kubectl: Kubectl
    namespace: str
    hints: tuple[str, ...]
    leave: Callable[[KubeClient], Awaitable[None]]
    registry: Registry | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """All that steps work with. Tasks started in `tasks` end with the demo."""

    client: KubeClient
    home: Home
    checkout: Checkout
    script: Script
    tasks: asyncio.TaskGroup
    url: str
    log: Path

    def watch(self, target: Target[T]) -> AbstractAsyncContextManager[Lookout[T]]:
        """Follow one object for the length of an `async with` block."""
        return following(self.client, self.tasks, target)

    async def observe(
        self, target: Target[T], wanted: Callable[[T | None], bool], what: str, seconds: float
    ) -> Sight[T]:
        """Wait until the API server shows an object as wanted. Raises NotObserved with what it shows instead."""
        async with self.watch(target) as lookout:
            return await lookout.until(wanted, what, seconds)

    def deployment(self, name: str) -> Target[Deployment]:
        """One of the apps' Deployments."""
        return Target(DEPLOYMENTS, SHOP, name, Deployment)

    def app(self, name: str) -> Target[Kustomization]:
        """One of the apps' Kustomizations."""
        return Target(KUSTOMIZATIONS, self.home.namespace, name, Kustomization, verdict)


def verdict(sync: Kustomization) -> str:
    """What a Kustomization says of itself."""
    ready = condition.find_condition(sync.status.conditions, condition.READY)
    return f"{ready.reason}: {ready.message}" if ready is not None else "its Kustomization has no status yet"


def ready_message(sync: Kustomization) -> str:
    """The message of the Ready condition; empty when there is none."""
    ready = condition.find_condition(sync.status.conditions, condition.READY)
    return ready.message if ready is not None else ""


def is_at(sync: Kustomization | None, commit: str) -> bool:
    """True when the app is ready and has taken that commit over wholly."""
    if sync is None or not condition.is_true(sync.status.conditions, condition.READY):
        return False
    return sync.status.lastAppliedRevision.endswith(commit)


def sync_objects(namespace: str, url: str) -> list[tuple[Resource, str, bytes]]:
    """The GitRepository and the Kustomizations of the apps: resource, name, JSON."""
    source = {"interval": POLL, "url": url, "ref": {"branch": "main"}}
    objects: list[tuple[Resource, str, dict[str, Any]]] = [(GIT_REPOSITORIES, "fleet", source)]
    for app in APPS:
        spec = {
            "sourceRef": {"kind": "GitRepository", "name": "fleet"},
            "path": app.path,
            "interval": "10m",
            "timeout": "3m",
            "prune": True,
            "wait": True,
            **({"dependsOn": [{"name": app.after}]} if app.after else {}),
        }
        objects.append((KUSTOMIZATIONS, app.name, spec))
    return [(resource, name, own_object(resource, namespace, name, spec)) for resource, name, spec in objects]


def own_object(resource: Resource, namespace: str, name: str, spec: dict[str, Any]) -> bytes:
    """An object of one of our kinds, as JSON, with the demo's label."""
    metadata = {"name": name, "namespace": namespace, "labels": {PART_OF: DEMO}}
    return msgspec.json.encode(
        {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "spec": spec}
    )
