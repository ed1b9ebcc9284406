"""Events of the operator → the alerts that want them → the providers that they name.

Provider and Alert have no status: what is wrong with one is told by an event on it, with Flux's reasons, and in the
log. Nothing here holds up who offers an event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import structlog

from sluice.api.alert import Alert
from sluice.api.provider import Provider
from sluice.api.validate import SpecRules
from sluice.api.validate_notification import commit_status_name, rule_of, validate_alert, validate_provider
from sluice.core import codes
from sluice.core.alert_routing import AlertRule, told_by
from sluice.core.errors import ClusterError, RemoteError, SluiceError, UserError
from sluice.core.event import Occurrence
from sluice.core.ids import NamespacedName
from sluice.core.notification import Notification, notification_id
from sluice.core.problem import Problem, summarize
from sluice.kube.client import KubeClient
from sluice.kube.resource import Selection
from sluice.kube.watch import EventType
from sluice.kube.watch_cache import WatchCache
from sluice.notify.delivery import deliver
from sluice.notify.providers import CHATS, audience
from sluice.notify.transport import Transport
from sluice.reconcilers.notification_target import Destinations
from sluice.reconcilers.our_kinds import ALERTS, PROVIDERS
from sluice.reconcilers.served_kinds import follow_all
from sluice.runtime.delivery_lanes import DeliveryLanes
from sluice.runtime.event_recorder import EventRecorder, Subject
from sluice.runtime.event_repeats import Repeats
from sluice.runtime.metrics import NOTIFICATIONS
from sluice.store.notification_spool import NotificationSpool

COMPONENT = "notification-controller"
MAX_OFFERED = 10_000
BATCH = 200
DISK_PATIENCE = 1.0
log = structlog.get_logger()


class Notifier:
    """Build it, give `offer` to the recorders of events, then `start` it in the operator's task group."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        rules: SpecRules,
        transport: Transport,
        spool: NotificationSpool,
        now: Callable[[], datetime],
        may_send: Callable[[], bool],
    ) -> None:
        self.providers: WatchCache[Provider] = WatchCache(client, Selection(PROVIDERS, namespace), Provider)
        self.alerts: WatchCache[Alert] = WatchCache(client, Selection(ALERTS, namespace), Alert)
        self._rules = rules
        self._transport = transport
        self._spool = spool
        self._now = now
        self._may_send = may_send
        self._destinations = Destinations(client)
        self._events = EventRecorder(client, COMPONENT, now)
        self._offered: asyncio.Queue[Occurrence] = asyncio.Queue(MAX_OFFERED)
        self._repeats = Repeats()
        self._by_alert: dict[NamespacedName, AlertRule] = {}
        self._by_source: dict[tuple[str, str], list[AlertRule]] = {}

    def offer(self, occurrence: Occurrence) -> None:
        """Take an event to route it when there is time; what is too much is counted."""
        try:
            self._offered.put_nowait(occurrence)
        except asyncio.QueueFull:
            NOTIFICATIONS.labels("", "dropped").inc()

    async def told(self) -> None:
        """Return when what was offered is on disk, so that it outlives this process; soon in any case."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DISK_PATIENCE):
                await self._offered.join()

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start its tasks; returns once the caches are true and what an earlier process left is queued."""
        group.create_task(self._events.run())
        await follow_all(group, (self.providers, PROVIDERS), (self.alerts, ALERTS))
        self.providers.subscribe(self._provider_changed)
        self.alerts.subscribe(self._alert_changed)
        lanes = DeliveryLanes(group, self, self._spool, lambda: self._now().timestamp(), self._may_send)
        for left in await self._spool.waiting():
            lanes.queue(left)
        group.create_task(self._route(lanes))

    # --- what people wrote ------------------------------------------------------------------------------------------

    def _provider_changed(self, event: EventType, item: Provider, old: Provider | None) -> None:
        self._destinations.forget(item.metadata.key)
        if event is EventType.DELETED:
            self._events.forget(item.metadata.uid)
        elif old is None or item.metadata.generation != old.metadata.generation:
            self._complain(PROVIDERS.kind, item, validate_provider(item))

    def _alert_changed(self, event: EventType, item: Alert, old: Alert | None) -> None:
        key = item.metadata.key
        self._by_alert.pop(key, None)
        if event is EventType.DELETED:
            self._events.forget(item.metadata.uid)
        else:
            problems = validate_alert(item, self._rules)
            if not problems and not item.spec.suspend:
                self._by_alert[key] = rule_of(item)
            if old is None or item.metadata.generation != old.metadata.generation:
                self._complain(ALERTS.kind, item, problems)
        self._by_source = _by_source(self._by_alert.values())

    def _complain(self, kind: str, item: Provider | Alert, problems: tuple[Problem, ...]) -> None:
        if problems:
            resource = PROVIDERS if kind == PROVIDERS.kind else ALERTS
            subject = Subject.of(resource.api_version, kind, item.metadata)
            self._warn(subject, "InvalidConfig", summarize(problems, 1000))

    # --- what happened ----------------------------------------------------------------------------------------------

    async def _route(self, lanes: DeliveryLanes) -> None:
        while True:
            batch = [await self._offered.get()]
            while len(batch) < BATCH and not self._offered.empty():
                batch.append(self._offered.get_nowait())
            found: list[Notification] = []
            for occurrence in batch:
                try:
                    found += self._wanted(occurrence)
                except Exception:
                    log.exception("bug", reason=occurrence.event.reason)
            if found:
                await lanes.add(found)
            for _ in batch:
                self._offered.task_done()

    def _wanted(self, occurrence: Occurrence) -> Iterator[Notification]:
        event = occurrence.event
        made_at = self._now().timestamp()
        subject = event.involved_object
        rules = [
            rule
            for rule in self._by_source.get((subject.kind, subject.namespace), ())
            if rule.wants(event, occurrence.labels)
        ]
        if not rules:
            return
        if self._repeats.is_repeat(event, made_at):
            NOTIFICATIONS.labels("", "repeated").inc()
            return
        for rule in rules:
            provider = self._usable(rule)
            if provider is None:
                continue
            told = told_by(rule, event)
            if not audience(provider.spec.type).hears(told.event):
                continue
            if told.conflicts:
                text = f"metadata keys with more than one source: {', '.join(told.conflicts)}"
                self._tell(rule.alert, "MetadataAppendFailed", text)
            alert = self.alerts.get(rule.alert.namespace, rule.alert.name)
            if alert is None:
                continue
            try:
                status_name = commit_status_name(provider, alert, told.event)
            except UserError as error:
                self._tell(rule.alert, "NotificationDispatchFailed", str(error))
                continue
            name = notification_id(told.event, rule.provider, rule.alert, made_at)
            yield Notification(name, rule.provider, rule.alert, told.event, made_at, status_name)

    def _usable(self, rule: AlertRule) -> Provider | None:
        """The alert's provider; None when it is suspended, or when there is none that can be used."""
        provider = self.providers.get(rule.provider.namespace, rule.provider.name)
        if provider is None:
            fix = "create it, or correct spec.providerRef.name"
            missing = Problem(codes.REFERENCE_MISSING, f"Provider {rule.provider} does not exist", fix=fix)
            self._tell(rule.alert, "NotificationDispatchFailed", str(missing))
            return None
        if provider.spec.suspend:
            return None
        problems = validate_provider(provider)
        if problems:
            self._tell(rule.alert, "NotificationDispatchFailed", summarize(problems, 1000))
            return None
        return provider

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
        target = replace(destination.target, status_name=notification.status_name)
        await deliver(notification.event, target, self._transport, destination.route, key=notification.id)

    def is_chat(self, provider: NamespacedName) -> bool:
        """True for providers that people read."""
        return self.type_of(provider) in CHATS

    def type_of(self, provider: NamespacedName) -> str:
        """The provider's type, for metrics."""
        item = self.providers.get(provider.namespace, provider.name)
        return item.spec.type if item is not None else ""

    def failed(self, notification: Notification, error: SluiceError, *, again: bool) -> None:
        """A notification was not delivered: told on its alert and in the log."""
        if any(problem.code is codes.NOTIFY_OVERFLOW for problem in error.problems):
            self._tell(notification.alert, "NotificationDispatchFailed", str(error))  # the same for all of a storm
            return
        subject = notification.event.involved_object
        about = f"{subject.kind}/{subject.namespace}/{subject.name}"
        more = "; it is tried again" if again else ""
        text = f"failed to send notification for {about}: {error}{more}"
        self._tell(notification.alert, "NotificationDispatchFailed", text)

    def _tell(self, alert: NamespacedName, reason: str, text: str) -> None:
        item = self.alerts.get(alert.namespace, alert.name)
        if item is not None:
            self._warn(Subject.of(ALERTS.api_version, ALERTS.kind, item.metadata), reason, text)

    def _warn(self, subject: Subject, reason: str, text: str) -> None:
        self._events.record(subject, "Warning", reason, text)
        log.warning("notification", kind=subject.kind, namespace=subject.namespace, name=subject.name,
                    reason=reason, error=text)  # fmt: skip


def _by_source(rules: Iterable[AlertRule]) -> dict[tuple[str, str], list[AlertRule]]:
    """The rules by what they may want, so that an event is not held against every alert of the cluster."""
    found: dict[tuple[str, str], list[AlertRule]] = {}
    for rule in rules:
        for key in dict.fromkeys((source.kind, source.namespace) for source in rule.sources):
            found.setdefault(key, []).append(rule)
    return found
