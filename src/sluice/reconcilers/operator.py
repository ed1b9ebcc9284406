"""What every reconciler works with: built once, in wiring, and handed to each."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from sluice.api.git_repository import GitRepository
from sluice.api.kinds import FINALIZER, ObjectMeta
from sluice.api.kustomization import Kustomization
from sluice.api.validate import SpecRules
from sluice.core.event import Occurrence
from sluice.core.guard import OwnParts
from sluice.core.ids import NamespacedName
from sluice.git.mirrors import Mirrors
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.openapi import Schemas
from sluice.kube.resource import Resource
from sluice.reconcilers.artifacts import Artifacts
from sluice.reconcilers.claims import Claims
from sluice.reconcilers.doubts import Doubts
from sluice.reconcilers.github_apps import GitHubApps
from sluice.reconcilers.quotas import Quotas
from sluice.reconcilers.signed_history import SignedHistory
from sluice.reconcilers.wishes import Wishes
from sluice.render import Renderer
from sluice.runtime.crash_book import CrashBook
from sluice.runtime.event_recorder import EventRecorder
from sluice.runtime.executor import Executor
from sluice.runtime.identities import Identities
from sluice.runtime.live_lookup import LiveLookup
from sluice.runtime.owned import OwnedObjects
from sluice.runtime.record_store import RecordStore
from sluice.runtime.status_writer import Statuses
from sluice.runtime.survey import Survey
from sluice.store.artifacts import ArtifactStore

if TYPE_CHECKING:
    from sluice.reconcilers.upstream import Upstream

    # importing it makes the series be served
    from sluice.runtime.fluxd_metrics import FluxdMetrics
    from sluice.runtime.notification_intents import NotificationIntents

T_co = TypeVar("T_co", covariant=True)


class Objects(Protocol, Generic[T_co]):
    """The objects of one of our kinds, as the watch knows them (or as flags define them)."""

    def get(self, namespace: str, name: str) -> T_co | None:
        """The object, or None when there is none."""
        ...

    def items(self) -> Iterable[T_co]:
        """All of them."""
        ...


class Finalizers(Protocol):
    """How our finalizer gets on and off an object of ours."""

    async def add(self, meta: ObjectMeta) -> None:
        """Put it on."""
        ...

    async def remove(self, meta: ObjectMeta) -> None:
        """Take it off: what was ours to clean up is cleaned up."""
        ...

    def is_on(self, meta: ObjectMeta) -> bool:
        """True when it is on, as far as `meta` and what was taken off since it was read can tell."""
        ...

    def forget(self, key: NamespacedName) -> None:
        """The object is known to be gone."""
        ...


class HeldEvents(Protocol):
    """Events about objects of ours that nobody is told of until they are released."""

    def shows_commits(self, resource: Resource, meta: ObjectMeta) -> bool:
        """True when an alert has a git host show the state of the object's commits."""

    def holds(self, kind: str, key: NamespacedName) -> bool:
        """True while an event about the object is held."""

    def release(self, resource: Resource, meta: ObjectMeta) -> None:
        """Tell those that are held."""

    def discard(self, kind: str, key: NamespacedName) -> None:
        """Forget those that are held: they are not true any more."""


class FinalizerPatches:
    """The finalizer of objects that live in the cluster; each patch holds only as long as nobody wrote meanwhile."""

    def __init__(self, client: KubeClient, resource: Resource) -> None:
        self._client = client
        self._resource = resource
        self._taken_off: dict[NamespacedName, str] = {}  # uid, until the watch has told that the object is gone

    async def add(self, meta: ObjectMeta) -> None:
        """Put it on."""
        await self._patch(meta, (*meta.finalizers, FINALIZER))

    async def remove(self, meta: ObjectMeta) -> None:
        """Take it off."""
        await self._patch(meta, tuple(f for f in meta.finalizers if f != FINALIZER))
        self._taken_off[meta.key] = meta.uid

    def is_on(self, meta: ObjectMeta) -> bool:
        """True when it is on. The watch tells later than the API server's answer that it is not any more."""
        return FINALIZER in meta.finalizers and self._taken_off.get(meta.key) != meta.uid

    def forget(self, key: NamespacedName) -> None:
        """The object is known to be gone."""
        self._taken_off.pop(key, None)

    async def _patch(self, meta: ObjectMeta, finalizers: tuple[str, ...]) -> None:
        body = {"metadata": {"finalizers": finalizers, "resourceVersion": meta.resourceVersion}}
        await self._client.merge_patch(
            self._resource, meta.namespace, meta.name, msgspec.json.encode(body), manager="sluice"
        )


def _everywhere(namespace: str) -> bool:
    """Where every namespace is watched."""
    return True


async def nothing_told() -> None:
    """Where nobody is notified there is nothing to wait for."""


@dataclass(slots=True)
class Operator:
    """The parts of one running operator. `watches` says whether Kustomizations of a namespace are its own to apply."""

    client: KubeClient
    discovery: Discovery
    git_repositories: Objects[GitRepository]
    kustomizations: Objects[Kustomization]
    git_status: Statuses
    sync_status: Statuses
    git_finalizers: Finalizers
    sync_finalizers: Finalizers
    git_events: EventRecorder
    sync_events: EventRecorder
    artifacts: Artifacts
    mirrors: Mirrors
    store: ArtifactStore
    renderer: Renderer
    records: RecordStore
    owned: OwnedObjects
    lookup: LiveLookup
    survey: Survey
    quotas: Quotas
    executor: Executor
    identities: Identities
    schemas: Schemas
    rules: SpecRules
    artifact_host: str
    own: OwnParts
    claims: Claims
    default_namespace: str = ""
    watches: Callable[[str], bool] = _everywhere
    wishes: Wishes = field(default_factory=Wishes)
    doubts: Doubts = field(default_factory=Doubts)
    offer: Callable[[Occurrence], None] | None = None
    intents: NotificationIntents | None = None
    held_events: HeldEvents | None = None
    upstream: Upstream | None = None
    told: Callable[[], Awaitable[None]] = nothing_told
    instance: str = ""
    fluxd_metrics: FluxdMetrics | None = None
    signed_history: SignedHistory | None = None
    github_apps: GitHubApps | None = None
    crashes: CrashBook | None = None
    poll_jitter: Callable[[], float] = random.SystemRandom().random

    def recorder(self, component: str) -> EventRecorder:
        """A recorder of events in the name of one of Flux's controllers. Its `run` is the caller's to start."""
        return EventRecorder(self.client, component, utc_now, self.offer, self.instance)

    def now(self) -> datetime:
        """The time, in UTC."""
        return utc_now()


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)
