"""Events of the operator → the alerts that want them → the providers that they name.

Provider and Alert have no status: what is wrong with one is told by an event on it, with Flux's reasons, and in the
log. Nothing here holds up who offers an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import msgspec
import structlog

from sluice.api.alert import Alert
from sluice.api.provider import CHAT_TYPES, Provider
from sluice.api.validate import SpecRules
from sluice.api.validate_notification import rule_of, validate_alert, validate_provider
from sluice.core import codes
from sluice.core.errors import ClusterError, RemoteError, SluiceError, UserError
from sluice.core.event import InvolvedObject, Occurrence
from sluice.core.ids import NamespacedName
from sluice.core.notification import Notification
from sluice.core.problem import Problem, summarize
from sluice.kube.client import KubeClient
from sluice.kube.resource import Selection
from sluice.kube.watch import STANDING, EventType
from sluice.kube.watch_cache import WatchCache
from sluice.notify.delivery import deliver
from sluice.notify.message import AlertName
from sluice.notify.transport import Transport
from sluice.reconcilers.notification_accounts import NotificationAccounts
from sluice.reconcilers.notification_intake import NotificationIntake
from sluice.reconcilers.notification_ledger import NotificationLedger
from sluice.reconcilers.notification_routing import DISPATCH_FAILED, NotificationRouting
from sluice.reconcilers.notification_target import Destinations
from sluice.reconcilers.our_kinds import ALERTS, PROVIDERS
from sluice.reconcilers.served_kinds import follow_all
from sluice.runtime.delivery_lanes import DeliveryLanes
from sluice.runtime.event_recorder import EventRecorder, Subject
from sluice.runtime.metrics import expect_notifications
from sluice.store.notification_spool import NotificationSpool

COMPONENT = "notification-controller"
BATCH = 200
log = structlog.get_logger()


class Notifier:
    """Build it, give `intake.offer` to the recorders of events, then `start` it in the operator's task group."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        own_namespace: str,
        rules: SpecRules,
        transport: Transport,
        spool: NotificationSpool,
        *,
        now: Callable[[], datetime],
        may_send: Callable[[], bool],
    ) -> None:
        self.providers: WatchCache[Provider] = WatchCache(
            client, Selection(PROVIDERS, namespace), Provider, policy=STANDING
        )
        self.alerts: WatchCache[Alert] = WatchCache(client, Selection(ALERTS, namespace), Alert, policy=STANDING)
        self._rules = rules
        self._transport = transport
        self._now = now
        self._may_send = may_send
        self._destinations = Destinations(client)
        # The UID of what an object is made from; known where the objects are.
        self.parent_of: Callable[[InvolvedObject], str] = lambda _: ""
        self._events = EventRecorder(client, COMPONENT, now)
        self._routing = NotificationRouting(self.providers, self.alerts, self._tell)
        self.intake = NotificationIntake(self._routing, now)
        incidents = self._routing.incidents
        self._ledger = NotificationLedger(client, own_namespace, incidents, lambda: now().timestamp())
        self._accounts = NotificationAccounts(spool, self._ledger, self.intake.intents, incidents)

    async def load(self) -> None:
        """Read what earlier processes have told. Await it before the first turn: what that writes depends on it."""
        await self._ledger.load()
        self.intake.intents.seal_with(self._ledger.key)

    async def close(self) -> None:
        """Write down what was told last. For an orderly end; after any other the next process may repeat some."""
        await self._ledger.close()

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start its tasks; returns once the caches are true and what an earlier process left is queued."""
        group.create_task(self._events.run())
        await follow_all(group, (self.providers, PROVIDERS), (self.alerts, ALERTS))
        self.providers.subscribe(self._provider_changed)
        self.alerts.subscribe(self._alert_changed)
        self.intake.knows_alerts = True
        lanes = DeliveryLanes(group, self, self._accounts, lambda: self._now().timestamp(), self._may_send)
        for left in await self._accounts.waiting():
            lanes.queue(left)
        group.create_task(self._ledger.run())
        group.create_task(self._route(lanes))

    # --- what people wrote ------------------------------------------------------------------------------------------

    def _provider_changed(self, event: EventType, item: Provider, old: Provider | None) -> None:
        self._destinations.forget(item.metadata.key)
        expect_notifications(item.spec.type)
        if event is EventType.DELETED:
            self._events.forget(item.metadata.uid)
        elif old is None or item.metadata.generation != old.metadata.generation:
            self._complain(PROVIDERS.kind, item, validate_provider(item))

    def _alert_changed(self, event: EventType, item: Alert, old: Alert | None) -> None:
        key = item.metadata.key
        self._routing.drop(key, gone=event is EventType.DELETED)
        if event is EventType.DELETED:
            self._events.forget(item.metadata.uid)
            return
        problems = validate_alert(item, self._rules)
        if not problems and not item.spec.suspend:
            self._routing.put(rule_of(item))
        if old is None or item.metadata.generation != old.metadata.generation:
            self._complain(ALERTS.kind, item, problems)

    def _complain(self, kind: str, item: Provider | Alert, problems: tuple[Problem, ...]) -> None:
        if problems:
            resource = PROVIDERS if kind == PROVIDERS.kind else ALERTS
            subject = Subject.of(resource.api_version, kind, item.metadata)
            self._warn(subject, "InvalidConfig", summarize(problems, 1000))

    # --- what happened ----------------------------------------------------------------------------------------------

    async def _route(self, lanes: DeliveryLanes) -> None:
        while True:
            batch = [await self.intake.offered.get()]
            while len(batch) < BATCH and not self.intake.offered.empty():
                batch.append(self.intake.offered.get_nowait())
            found = [made for occurrence in batch for made in self._made_of(occurrence)]
            if found:
                await lanes.add(found)
            for _ in batch:
                self.intake.offered.task_done()

    def _made_of(self, occurrence: Occurrence) -> list[Notification]:
        routing, at = self._routing, self._now().timestamp()
        made: list[Notification] = []
        try:
            rules = routing.rules_for(occurrence)
            made += routing.notifications(occurrence, rules, at, self._accounts.is_known)
        except Exception:
            log.exception("bug", reason=occurrence.event.reason)
        self._accounts.routed(occurrence, made)
        return made

    # --- what is sent -----------------------------------------------------------------------------------------------

    async def send(self, notification: Notification) -> None:
        """Deliver its event. Raises RemoteError (try later) or another SluiceError (give it up)."""
        provider = notification.provider
        item = self.providers.get(provider.namespace, provider.name)
        if item is None or item.spec.suspend:
            gone = "does not exist any more" if item is None else "was suspended"
            raise UserError(Problem(codes.REFERENCE_MISSING, f"Provider {provider} {gone}"))
        try:
            await self._send(item, notification)
        except UserError:
            # The Secret may have been corrected since it was read.
            if not self._destinations.forget(provider):
                raise
            await self._send(item, notification)

    async def _send(self, provider: Provider, notification: Notification) -> None:
        try:
            destination = await self._destinations.of(provider)
        except ClusterError as error:
            raise RemoteError(*error.problems) from error
        mark, incidents = notification.mark, self._routing.incidents
        if mark.id:
            mark = msgspec.structs.replace(mark, thread=incidents.thread_of(notification.about, mark.id))
        told_by = self.alerts.get(notification.alert.namespace, notification.alert.name)
        target = replace(
            destination.target,
            status_name=notification.status_name,
            mark=mark,
            alert=_name_of(notification.alert, told_by),
            parent_uid=self.parent_of(notification.event.involved_object),
        )
        thread = await deliver(notification.event, target, self._transport, destination.route, key=notification.id)
        incidents.note_thread(notification.about, mark.id, thread)

    def is_chat(self, provider: NamespacedName) -> bool:
        """True for providers that people read."""
        return self.type_of(provider) in CHAT_TYPES

    def type_of(self, provider: NamespacedName) -> str:
        """The provider's type, for metrics."""
        item = self.providers.get(provider.namespace, provider.name)
        return item.spec.type if item is not None else ""

    def failed(self, notification: Notification, error: SluiceError, *, again: bool) -> None:
        """A notification was not delivered: told on its alert and in the log."""
        if any(problem.code is codes.NOTIFY_OVERFLOW for problem in error.problems):
            self._tell(notification.alert, DISPATCH_FAILED, str(error))  # the same for all of a storm
            return
        subject = notification.event.involved_object
        about = f"{subject.kind}/{subject.namespace}/{subject.name}"
        more = "; it is tried again" if again else ""
        text = f"failed to send notification for {about}: {error}{more}"
        self._tell(notification.alert, DISPATCH_FAILED, text)

    def _tell(self, alert: NamespacedName, reason: str, text: str) -> None:
        item = self.alerts.get(alert.namespace, alert.name)
        if item is not None:
            self._warn(Subject.of(ALERTS.api_version, ALERTS.kind, item.metadata), reason, text)

    def _warn(self, subject: Subject, reason: str, text: str) -> None:
        self._events.record(subject, "Warning", reason, text)
        log.warning("notification", kind=subject.kind, namespace=subject.namespace, name=subject.name,
                    reason=reason, error=text)  # fmt: skip


def _name_of(key: NamespacedName, alert: Alert | None) -> AlertName:
    return AlertName(key.namespace, key.name, alert.metadata.uid if alert is not None else "")
