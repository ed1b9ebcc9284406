"""Who of the image kinds is given a turn when something changed: scan → policies → automations → source."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.api.git_repository import GitRepository
from sluice.api.image_policy import ImagePolicy
from sluice.api.image_repository import ImageRepository
from sluice.api.image_update_automation import ImageUpdateAutomation
from sluice.api.kustomization import Kustomization
from sluice.core import condition
from sluice.core.ids import NamespacedName, ResourceId
from sluice.kube.watch import EventType
from sluice.reconcilers.reported_kind import ReportedKind
from sluice.reconcilers.sync_facts import source_of
from sluice.reconcilers.wakeups import asks_for_a_turn
from sluice.runtime.queue import KeyedQueue

ROLLOUT_FAILED = frozenset({condition.UNDONE, "HealthCheckFailed"})


@dataclass(frozen=True, slots=True)
class ImageQueues:
    """The queues of the three kinds."""

    repositories: KeyedQueue[NamespacedName]
    policies: KeyedQueue[NamespacedName]
    automations: KeyedQueue[NamespacedName]


class ImageWakeups:
    """Turns changes into turns, as `Wakeups` does for sources and syncs."""

    def __init__(
        self, policies: ReportedKind[ImagePolicy], automations: ReportedKind[ImageUpdateAutomation], queues: ImageQueues
    ) -> None:
        self._policies = policies
        self._automations = automations
        self._queues = queues

    def repository_changed(self, event: EventType, item: ImageRepository, old: ImageRepository | None) -> None:
        """An ImageRepository was made, edited, asked for or deleted; policies that refer to it follow."""
        if old is None or event is EventType.DELETED or asks_for_a_turn(item.metadata, old.metadata):
            self._queues.repositories.add(item.metadata.key)
        edited = old is not None and (item.spec.accessFrom, item.spec.image) != (old.spec.accessFrom, old.spec.image)
        if old is None or event is EventType.DELETED or edited:
            self.tags_changed(item.metadata.key)

    def tags_changed(self, repository: NamespacedName) -> None:
        """A scan found other tags than the one before: every policy of that repository chooses again."""
        for policy in self._policies.objects.items():
            if policy.repository == repository:
                self._queues.policies.add(policy.metadata.key)

    def policy_changed(self, event: EventType, item: ImagePolicy, old: ImagePolicy | None) -> None:
        """An ImagePolicy was made, edited, asked for or deleted; or it chose another image, which automations write."""
        if old is None or event is EventType.DELETED or asks_for_a_turn(item.metadata, old.metadata):
            self._queues.policies.add(item.metadata.key)
            if item.spec.policy.buildTime is not None:  # more of the tags must be known than their names
                self._queues.repositories.add(item.repository)
        same = old is not None and (item.status.latestRef, item.metadata.labels) == (
            old.status.latestRef,
            old.metadata.labels,
        )
        if same and event is not EventType.DELETED:
            return
        for automation in self._automations.objects.items():
            if automation.metadata.namespace == item.metadata.namespace:
                self._queues.automations.add(automation.metadata.key)

    def automation_changed(
        self, event: EventType, item: ImageUpdateAutomation, old: ImageUpdateAutomation | None
    ) -> None:
        """An ImageUpdateAutomation was made, edited, asked for or deleted."""
        if old is None or event is EventType.DELETED or asks_for_a_turn(item.metadata, old.metadata):
            self._queues.automations.add(item.metadata.key)

    def source_changed(self, event: EventType, item: GitRepository, old: GitRepository | None) -> None:
        """A GitRepository was made or edited: who writes to it may have waited for that."""
        if event is not EventType.DELETED and (old is None or item.metadata.generation != old.metadata.generation):
            self._wake_writers(item.metadata.key)

    def sync_changed(self, event: EventType, item: Kustomization, old: Kustomization | None) -> None:
        """A sync did not keep a revision, or has got over that: its images may be the cause."""
        if old is not None and rollout_fault(item) != rollout_fault(old):
            self.artifact_changed(source_of(item))

    def artifact_changed(self, source: ResourceId) -> None:
        """Git has another head, whoever pushed it: markers may be new, or somebody set a value back."""
        self._wake_writers(NamespacedName(source.namespace, source.name))

    def _wake_writers(self, source: NamespacedName) -> None:
        for automation in self._automations.objects.items():
            if automation.source == source:
                self._queues.automations.add(automation.metadata.key)


def rollout_fault(sync: Kustomization) -> tuple[str, str]:
    """What of a sync fails, if what failed was a rollout: the revision and the reason."""
    ready = condition.find_condition(sync.status.conditions, condition.READY)
    failed = ready is not None and ready.status == "False" and ready.reason in ROLLOUT_FAILED
    return (sync.status.lastAttemptedRevision, ready.reason) if ready is not None and failed else ("", "")
