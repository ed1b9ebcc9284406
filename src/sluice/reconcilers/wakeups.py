"""Who is given a turn when something changed: edges of the graph that sources, syncs and dependencies form."""

from __future__ import annotations

from sluice.api.git_repository import GitRepository
from sluice.api.kinds import IN_GROUP, IRREVERSIBLE, ObjectMeta
from sluice.api.kustomization import Kustomization
from sluice.core import condition
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.plan import Owner
from sluice.kube.watch import EventType
from sluice.reconcilers.dependencies import dependencies_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.source_facts import source_id
from sluice.reconcilers.sync_facts import group_of, owner_of, rollback_of, source_of
from sluice.runtime.queue import KeyedQueue


class Wakeups:
    """Turns changes into turns. A status that we wrote ourselves wakes nobody but those who wait for it."""

    def __init__(
        self,
        operator: Operator,
        sources: KeyedQueue[NamespacedName],
        syncs: KeyedQueue[NamespacedName],
        groups: KeyedQueue[NamespacedName],
    ) -> None:
        self._op = operator
        self._sources = sources
        self._syncs = syncs
        self._groups = groups
        self._dependants: dict[NamespacedName, set[NamespacedName]] = {}

    def everything(self) -> None:
        """Give every object a turn."""
        for source in self._op.git_repositories.items():
            self._sources.add(source.metadata.key)
        for sync in self._op.kustomizations.items():
            self._op.doubts.cast(owner_of(sync))
            self._syncs.add(sync.metadata.key)

    def artifact_changed(self, source: ResourceId) -> None:
        """A source has fetched another revision: whoever reads or includes it runs."""
        self._wake_readers(source)
        for repository in self._op.git_repositories.items():
            home = repository.metadata.namespace
            if any((home, i.repository.name) == (source.namespace, source.name) for i in repository.spec.include):
                self._sources.add(repository.metadata.key)

    def source_changed(self, event: EventType, item: GitRepository, old: GitRepository | None) -> None:
        """A GitRepository was made, edited, asked for or deleted; or it failed, which those who wait for it repeat."""
        if old is None or event is EventType.DELETED or asks_for_a_turn(item.metadata, old.metadata):
            self._sources.add(item.metadata.key)
        elif _failure(item) and _failure(item) != _failure(old):
            source = source_id(item.metadata.key)
            if self._op.artifacts.get(source) is None:
                self._wake_readers(source)

    def _wake_readers(self, source: ResourceId) -> None:
        for sync in self._op.kustomizations.items():
            if source_of(sync) == source:
                self._op.doubts.cast(owner_of(sync))
                self._syncs.add(sync.metadata.key)
                self._wake_holders(owner_of(sync))

    def sync_changed(self, event: EventType, item: Kustomization, old: Kustomization | None) -> None:
        """A Kustomization was made, edited, asked for or deleted; or became ready, which its dependants wait for."""
        self._index(event, item, old)
        if old is None or event is EventType.DELETED or _wants_anew(item, old):
            self._op.doubts.cast(owner_of(item))
        if old is None or event is EventType.DELETED or asks_for_a_turn(item.metadata, old.metadata):
            self._syncs.add(item.metadata.key)
            # Who leaves, is suspended or goes may be what the others wait for.
            for group in {group_of(item), group_of(old or item)}:
                if group is not None:
                    self._groups.add(group)
        ready = old is not None and _became_ready(item, old)
        failed = old is not None and _failure(item) != _failure(old)
        if ready or failed:
            for key in self._dependants.get(item.metadata.key, ()):
                # One that is well goes on; one that waits says why, and that has just changed.
                if ready or _waits(self._op.kustomizations.get(key.namespace, key.name)):
                    self._syncs.add(key)
        if old is not None and _waits(item) and not _waits(old):
            # What it waits for may have changed between its look at that and this word of it, and woken nobody.
            self._syncs.add(item.metadata.key)
        for key in self._dependants.get(item.metadata.key, ()):
            # An expression may look at anything.
            dependant = self._op.kustomizations.get(key.namespace, key.name)
            if _waits(dependant) and _asks_by_expression(dependant):
                self._syncs.add(key)
        going = old is not None and item.metadata.deletionTimestamp != old.metadata.deletionTimestamp
        if ready or going or event is EventType.DELETED:
            for owner in self._op.wishes.waiting_for(owner_of(item)):
                self._syncs.add(NamespacedName(owner.namespace, owner.name))
        if ready or failed or event is EventType.DELETED or (old is not None and _wants_anew(item, old)):
            self._wake_holders(owner_of(item))

    def _wake_holders(self, taker: Owner) -> None:
        """Who holds something for `taker`, or for one that it makes, looks whether it is still to be held, and why."""
        for owner in self._op.wishes.changed(taker):
            self._syncs.add(NamespacedName(owner.namespace, owner.name))

    def _index(self, event: EventType, item: Kustomization, old: Kustomization | None) -> None:
        """Keep who depends on whom: asking a thousand syncs at each event would cost more than the events."""
        before = set(dependencies_of(old)) if old is not None else set()
        after = set(dependencies_of(item)) if event is not EventType.DELETED else set()
        for key in after - before:
            self._dependants.setdefault(key, set()).add(item.metadata.key)
        for key in before - after:
            self._dependants[key].discard(item.metadata.key)
            if not self._dependants[key]:
                del self._dependants[key]


def asks_for_a_turn(new: ObjectMeta, old: ObjectMeta) -> bool:
    """True when an object was edited, asked for, made anew or deleted: not for a status that we wrote ourselves."""
    return (
        new.generation != old.generation
        or new.uid != old.uid
        or new.request != old.request
        or any(new.annotations.get(word) != old.annotations.get(word) for word in (IRREVERSIBLE, IN_GROUP))
        or new.deletionTimestamp != old.deletionTimestamp
    )


def _wants_anew(new: Kustomization, old: Kustomization) -> bool:
    """True when the sync may want other objects than before."""
    return (
        new.metadata.generation != old.metadata.generation
        or new.metadata.uid != old.metadata.uid
        or new.metadata.deletionTimestamp != old.metadata.deletionTimestamp
        or rollback_of(new) != rollback_of(old)
    )


def _waits(sync: Kustomization | None) -> bool:
    if sync is None:
        return False
    ready = condition.find_condition(sync.status.conditions, condition.READY)
    return ready is not None and ready.status == "False" and ready.reason == condition.DEPENDENCY_NOT_READY


def _asks_by_expression(sync: Kustomization | None) -> bool:
    return sync is not None and any(dependency.readyExpr for dependency in sync.spec.dependsOn)


def _failure(item: GitRepository | Kustomization) -> str:
    ready = condition.find_condition(item.status.conditions, condition.READY)
    return ready.message if ready is not None and ready.status == "False" else ""


def _became_ready(new: Kustomization, old: Kustomization) -> bool:
    return condition.is_true(new.status.conditions, condition.READY) and (
        not condition.is_true(old.status.conditions, condition.READY)
        or new.status.lastAppliedRevision != old.status.lastAppliedRevision
        or new.status.observedGeneration != old.status.observedGeneration
    )
