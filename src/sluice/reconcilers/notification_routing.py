"""What alerts want of the operator's events: each event → the notifications that are made of it.

Nothing here sends; whatever keeps an event from an alert's provider is told on the alert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from sluice.api.alert import Alert
from sluice.api.kinds import ObjectMeta
from sluice.api.provider import (
    CHANGE_REQUEST_TYPES,
    CHAT_TYPES,
    COMMIT_STATUS_TYPES,
    INCIDENTS_ONLY,
    PAGER_TYPES,
    Provider,
)
from sluice.api.validate_notification import commit_status_name, validate_provider
from sluice.core import codes
from sluice.core.alert_routing import AlertRule, told_by
from sluice.core.errors import UserError
from sluice.core.event import Event, Occurrence
from sluice.core.ids import NamespacedName
from sluice.core.incident import DELETED, NO_INCIDENT, Mark, as_told
from sluice.core.notification import Notification, notification_id
from sluice.core.problem import Problem, summarize
from sluice.notify.providers import audience
from sluice.reconcilers.incident_book import IncidentBook, about
from sluice.reconcilers.operator import Objects

DISPATCH_FAILED = "NotificationDispatchFailed"


class Complaints(Protocol):
    """Where people read why an alert tells nothing."""

    def __call__(self, alert: NamespacedName, reason: str, text: str) -> None:
        """Say it of the alert."""


class NotificationRouting:
    """The rules of all alerts, and the incidents that they have told of."""

    def __init__(self, providers: Objects[Provider], alerts: Objects[Alert], tell: Complaints) -> None:
        self.incidents = IncidentBook()
        self._providers = providers
        self._alerts = alerts
        self._tell = tell
        self._by_alert: dict[NamespacedName, AlertRule] = {}
        self._by_source: dict[tuple[str, str], list[AlertRule]] = {}

    def put(self, rule: AlertRule) -> None:
        """An alert as it is from now on."""
        self._by_alert[rule.alert] = rule
        self._by_source = _by_source(self._by_alert.values())

    def drop(self, alert: NamespacedName, *, gone: bool) -> None:
        """An alert tells nothing any more; when it is `gone` its incidents go with it."""
        self._by_alert.pop(alert, None)
        self._by_source = _by_source(self._by_alert.values())
        if gone:
            self.incidents.forget_alert(str(alert))

    def rules_for(self, occurrence: Occurrence) -> list[AlertRule]:
        """The alerts that want the event, or the end of an incident that it is."""
        event = occurrence.event
        subject = event.involved_object
        return [
            rule
            for rule in self._by_source.get((subject.kind, subject.namespace), ())
            if self.incidents.ends(rule, occurrence)
            or (event.reason != DELETED and rule.wants(event, occurrence.labels))
        ]

    def shows_commits(self, kind: str, meta: ObjectMeta) -> bool:
        """True when one of the alerts has a git host show the state of the object's commits."""
        return any(
            (provider := self._providers.get(rule.provider.namespace, rule.provider.name)) is not None
            and provider.spec.type in COMMIT_STATUS_TYPES
            and any(source.means(kind, meta.namespace, meta.name, meta.labels) for source in rule.sources)
            for rule in self._by_source.get((kind, meta.namespace), ())
        )

    def notifications(
        self, occurrence: Occurrence, rules: Iterable[AlertRule], at: float, is_known: Callable[[str], bool]
    ) -> Iterator[Notification]:
        """What is made of the event for these alerts, unless it is known; the incidents take their steps with it."""
        for rule in rules:
            name = notification_id(occurrence.name, rule.provider, rule.alert)
            if is_known(name):
                continue
            alert = self._alerts.get(rule.alert.namespace, rule.alert.name)
            provider = self._usable(rule)
            if provider is None or alert is None:
                continue
            told = told_by(rule, occurrence.event)
            if not audience(provider.spec.type).hears(told.event):
                continue
            if told.conflicts:
                text = f"metadata keys with more than one source: {', '.join(told.conflicts)}"
                self._tell(rule.alert, "MetadataAppendFailed", text)
            try:
                status_name = commit_status_name(provider, alert, told.event)
            except UserError as error:
                self._tell(rule.alert, DISPATCH_FAILED, str(error))
                continue
            found = self._as_incident(occurrence, rule, told.event, as_such=tells_incidents(alert, provider))
            if found is None:
                continue
            event, mark = found
            if not mark.id and provider.spec.type in INCIDENTS_ONLY and tells_incidents(alert, provider):
                continue
            key = about(rule, occurrence) if mark.id else ""
            yield Notification(name, rule.provider, rule.alert, event, at, status_name, mark, key, occurrence.name)

    def _as_incident(
        self, occurrence: Occurrence, rule: AlertRule, event: Event, *, as_such: bool
    ) -> tuple[Event, Mark] | None:
        """The event as it is told, and what it is to an incident; None when it is no news."""
        if not as_such:
            return event, NO_INCIDENT
        step = self.incidents.step(rule, occurrence)
        if not step.told:
            return None
        incident = step.incident
        mark = Mark(incident.id, step.life) if incident is not None and step.life else NO_INCIDENT
        return as_told(event, incident, step.life), mark

    def _usable(self, rule: AlertRule) -> Provider | None:
        """The alert's provider; None when it is suspended, or when there is none that can be used."""
        provider = self._providers.get(rule.provider.namespace, rule.provider.name)
        if provider is None:
            fix = "create it, or correct spec.providerRef.name"
            missing = Problem(codes.REFERENCE_MISSING, f"Provider {rule.provider} does not exist", fix=fix)
            self._tell(rule.alert, DISPATCH_FAILED, str(missing))
            return None
        if provider.spec.suspend:
            return None
        problems = validate_provider(provider)
        if problems:
            self._tell(rule.alert, DISPATCH_FAILED, summarize(problems, 1000))
            return None
        return provider


def tells_incidents(alert: Alert, provider: Provider) -> bool:
    """Whether failures are told as incidents: the alert's word, then the provider's, then what its type is for."""
    type_ = provider.spec.type
    if type_ in COMMIT_STATUS_TYPES or type_ in CHANGE_REQUEST_TYPES:
        return False  # they show the state of one commit, whatever was before
    for said in (alert.spec.incidents, provider.spec.incidents):
        if said is not None:
            return said
    return type_ in CHAT_TYPES or type_ in PAGER_TYPES


def _by_source(rules: Iterable[AlertRule]) -> dict[tuple[str, str], list[AlertRule]]:
    """The rules by what they may want, so that an event is not held against every alert of the cluster."""
    found: dict[tuple[str, str], list[AlertRule]] = {}
    for rule in rules:
        for key in dict.fromkeys((source.kind, source.namespace) for source in rule.sources):
            found.setdefault(key, []).append(rule)
    return found
