"""What happens to our objects, on its way to the alerts: taken once, named in their status, held until it is true.

Nothing here waits or sends: who offers an event is never held up.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sluice.api.kinds import ObjectMeta
from sluice.api.notification_intent import NotificationIntent, is_recent, occurrence_of
from sluice.core.event import AWAITS, Event, Occurrence
from sluice.core.ids import NamespacedName
from sluice.core.incident import DELETED
from sluice.core.timestamp import rfc3339
from sluice.kube.resource import Resource
from sluice.kube.watch import EventType
from sluice.reconcilers.notification_routing import NotificationRouting
from sluice.runtime.event_recorder import Subject
from sluice.runtime.event_repeats import Repeats
from sluice.runtime.metrics import NOTIFICATIONS, expect_notifications
from sluice.runtime.notification_intents import NotificationIntents, subject_of

MAX_OFFERED = 10_000
DISK_PATIENCE = 1.0


class _Status(Protocol):
    @property
    def notifications(self) -> tuple[NotificationIntent, ...]: ...


class Reported(Protocol):
    """An object whose status says what is still to be told of it."""

    @property
    def metadata(self) -> ObjectMeta:
        """Its name, and its labels."""
        ...

    @property
    def status(self) -> _Status:
        """What it says."""
        ...


class NotificationIntake:
    """Takes events; in `offered` they wait for their alerts. Until `knows_alerts` every event counts as wanted."""

    def __init__(self, routing: NotificationRouting, now: Callable[[], datetime]) -> None:
        expect_notifications("")  # what is dropped before anybody knows to whom it would go
        self.intents = NotificationIntents()
        self.offered: asyncio.Queue[Occurrence] = asyncio.Queue(MAX_OFFERED)
        self.knows_alerts = False
        self._routing = routing
        self._repeats = Repeats()
        self._now = now

    def offer(self, occurrence: Occurrence) -> None:
        """Take an event to route it when there is time; what is too much is counted."""
        if self.knows_alerts and not self._routing.rules_for(occurrence):
            return
        if self._repeats.is_repeat(occurrence.event, self._now().timestamp()):
            NOTIFICATIONS.labels("", "repeated").inc()
            return
        if AWAITS in occurrence.event.metadata:
            self.intents.add(occurrence)
            return
        self._take(occurrence)

    # --- what is held until it is true ------------------------------------------------------------------------------

    def shows_commits(self, resource: Resource, meta: ObjectMeta) -> bool:
        """True when an alert has a git host show the state of the object's commits."""
        return self._routing.shows_commits(resource.kind, meta)

    def holds(self, kind: str, key: NamespacedName) -> bool:
        """True while an event about the object is held."""
        return any(AWAITS in each.metadata for each in self.intents.of(kind, key))

    def release(self, resource: Resource, meta: ObjectMeta) -> None:
        """Tell those events about the object that are held."""
        for intent in self.intents.of(resource.kind, meta.key):
            if AWAITS in intent.metadata:
                self._take(occurrence_of(intent, resource.api_version, resource.kind, meta))

    def discard(self, kind: str, key: NamespacedName) -> None:
        """Forget those events about the object that are held."""
        for intent in self.intents.of(kind, key):
            if AWAITS in intent.metadata:
                self.intents.settle((kind, key), intent.id)

    # --- what an earlier process left -------------------------------------------------------------------------------

    def recall(self, resource: Resource) -> Callable[[EventType, Reported, Reported | None], None]:
        """What to call with the objects of a kind: of what an earlier process may not have told, and of a deletion.

        With an object its incidents end.
        """

        def see(event: EventType, item: Reported, old: Reported | None) -> None:
            if event is EventType.DELETED and self._routing.incidents.has_open(item.metadata.uid):
                self.offer(self._deleted(resource, item.metadata))
            elif old is None and event is not EventType.DELETED:
                for intent in item.status.notifications:
                    self._recall(intent, resource, item.metadata)

        return see

    def _deleted(self, resource: Resource, meta: ObjectMeta) -> Occurrence:
        subject = Subject.of(resource.api_version, resource.kind, meta)
        event = Event(subject.involved, "info", rfc3339(self._now()), f"{resource.kind} was deleted", DELETED)
        return Occurrence(event, meta.labels)

    def _recall(self, intent: NotificationIntent, resource: Resource, meta: ObjectMeta) -> None:
        occurrence = occurrence_of(intent, resource.api_version, resource.kind, meta)
        if self.intents.knows(subject_of(occurrence), occurrence.name) or not self.intents.is_ours(intent, meta.uid):
            return
        if not is_recent(intent, self._now()):
            return
        if AWAITS in intent.metadata:
            self.intents.add(occurrence)
            return
        self._repeats.is_repeat(occurrence.event, self._now().timestamp())  # it counts as told from now on
        self._take(occurrence)

    def _take(self, occurrence: Occurrence) -> None:
        self.intents.add(occurrence)
        try:
            self.offered.put_nowait(occurrence)
        except asyncio.QueueFull:
            self.intents.settle(subject_of(occurrence), occurrence.name)
            NOTIFICATIONS.labels("", "dropped").inc()

    async def told(self) -> None:
        """Return when what was offered is on disk, so that it outlives this process; soon in any case."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISK_PATIENCE):
                await self.offered.join()
