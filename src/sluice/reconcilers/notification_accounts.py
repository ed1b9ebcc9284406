"""What becomes of each notification, in all the places that must know: disk, ledger, status of its object, incident."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.core.event import Occurrence
from sluice.core.ids import NamespacedName
from sluice.core.notification import Notification
from sluice.reconcilers.incident_book import IncidentBook
from sluice.reconcilers.notification_ledger import NotificationLedger
from sluice.runtime.notification_intents import NotificationIntents, Subject, subject_of
from sluice.store.notification_spool import NotificationSpool


class NotificationAccounts:
    """The spool of the lanes: what it keeps it knows, and what it drops is settled everywhere."""

    def __init__(
        self,
        spool: NotificationSpool,
        ledger: NotificationLedger,
        intents: NotificationIntents,
        incidents: IncidentBook,
    ) -> None:
        self._spool = spool
        self._ledger = ledger
        self._intents = intents
        self._incidents = incidents
        self._waiting: dict[str, Notification] = {}
        self._by_event: dict[tuple[Subject, str], set[str]] = {}

    def is_known(self, notification_id: str) -> bool:
        """True when it waits already, or needs no more tries."""
        return notification_id in self._waiting or self._ledger.is_delivered(notification_id)

    def routed(self, occurrence: Occurrence, made: Sequence[Notification]) -> None:
        """Every alert was asked about the event: when nothing waits for it, nothing of it need be remembered."""
        for each in made:
            self._enter(each)
        if self._incidents.changed:
            self._incidents.changed = False
            self._ledger.touch()
        key = (subject_of(occurrence), occurrence.name)
        if not self._by_event.get(key):
            self._intents.settle(*key)

    async def waiting(self) -> list[Notification]:
        """What an earlier process left on disk and has not delivered."""
        found = await self._spool.waiting()
        left = [each for each in found if not self._ledger.is_delivered(each.id)]
        for each in left:
            self._enter(each)
        return left

    async def keep(self, notifications: Sequence[Notification]) -> None:
        """Write them to disk."""
        await self._spool.keep(notifications)

    async def drop(self, ids: Sequence[str]) -> None:
        """They are delivered or given up."""
        self._ledger.note(ids)
        for each in ids:
            known = self._waiting.pop(each, None)
            if known is not None:
                self._settle(known)
        await self._spool.drop(ids)

    def _enter(self, notification: Notification) -> None:
        self._waiting[notification.id] = notification
        self._by_event.setdefault(_event_of(notification), set()).add(notification.id)

    def _settle(self, notification: Notification) -> None:
        key = _event_of(notification)
        others = self._by_event.get(key, set())
        others.discard(notification.id)
        if not others:
            self._by_event.pop(key, None)
            self._intents.settle(*key)
        if notification.mark.life == "resolved":
            self._incidents.settle(notification.about, notification.mark.id)


def _event_of(notification: Notification) -> tuple[Subject, str]:
    involved = notification.event.involved_object
    return (involved.kind, NamespacedName(involved.namespace, involved.name)), notification.event_name
