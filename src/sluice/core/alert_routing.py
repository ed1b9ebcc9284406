"""An event and the rules of alerts → which of them are told, and the event as each is told it. Pure; Flux's rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from sluice.core.event import CHANGE_REQUEST, COMMIT, EVENT_GROUP, PROGRESSING, Event
from sluice.core.ids import NamespacedName
from sluice.core.regular_expression import RegularExpression

# Keys of the object's own group that are of no use to people.
_INTERNAL = frozenset({"checksum", "digest", "token"})
ANY_NAME = "*"


@dataclass(frozen=True, slots=True)
class EventSource:
    """Objects whose events are wanted; `name` `*` is any."""

    kind: str
    namespace: str
    name: str
    labels: tuple[tuple[str, str], ...] = ()

    def holds(self, event: Event, labels: Mapping[str, str]) -> bool:
        """True for an event of one of the objects, which has these labels."""
        subject = event.involved_object
        return self.means(subject.kind, subject.namespace, subject.name, labels)

    def means(self, kind: str, namespace: str, name: str, labels: Mapping[str, str]) -> bool:
        """True for one of the objects."""
        return (
            (kind, namespace) == (self.kind, self.namespace)
            and self.name in {ANY_NAME, name}
            and all(labels.get(key) == value for key, value in self.labels)
        )


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert, ready to be asked. `metadata` is added to its events; `summary` is the old way for one part of it."""

    alert: NamespacedName
    provider: NamespacedName
    sources: tuple[EventSource, ...]
    errors_only: bool = False
    included: tuple[RegularExpression, ...] = ()
    excluded: tuple[RegularExpression, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    summary: str = ""

    def wants(self, event: Event, labels: Mapping[str, str]) -> bool:
        """True when the alert tells the event."""
        if self.errors_only and not event.is_error:
            return False
        if not any(source.holds(event, labels) for source in self.sources):
            return False
        if self.included and not any(pattern.matches(event.message) for pattern in self.included):
            return False
        return not any(pattern.matches(event.message) for pattern in self.excluded)


@dataclass(frozen=True, slots=True)
class Told:
    """An event as one alert tells it, and the keys of its metadata that more than one had a word for."""

    event: Event
    conflicts: tuple[str, ...] = ()


def told_by(rule: AlertRule, event: Event) -> Told:
    """The event with the metadata of the object, the alert and the controller, of which the later goes before."""
    group = event.involved_object.group
    own = {key: text for key, text in _of_group(event, group).items() if key not in _INTERNAL}
    summary = {"summary": rule.summary} if rule.summary else {}
    layers = (_of_group(event, EVENT_GROUP), dict(rule.metadata), summary, own)
    merged: dict[str, str] = {}
    conflicts: set[str] = set()
    for layer in layers:
        conflicts |= merged.keys() & layer.keys()
        merged |= layer
    return Told(msgspec.structs.replace(event, metadata=merged), tuple(sorted(conflicts)))


def _of_group(event: Event, group: str) -> dict[str, str]:
    prefix = f"{group}/"
    return {key.removeprefix(prefix): text for key, text in event.metadata.items() if key.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class Audience:
    """What a type of provider listens to."""

    commit_status: bool = False
    change_request: bool = False
    everything: bool = False

    def hears(self, event: Event) -> bool:
        """True when an event, as told by an alert, is for providers of this type.

        A commit's status is set by failures of a revision, by events that name a commit, and by those that say only
        that a revision is live; the last are for no other type, but for webhooks that get everything.
        """
        if self.commit_status:
            wanted = event.is_error or event.is_commit_status_update or bool(event.metadata.get(COMMIT))
            return wanted and event.reason != PROGRESSING and bool(event.revision)
        if self.change_request:
            return bool(event.metadata.get(CHANGE_REQUEST))
        return self.everything or not event.is_commit_status_update


def repeat_key(event: Event) -> bytes:
    """Equal for events that say the same of one object: Flux tells only the first of them for some minutes."""
    subject = event.involved_object
    revisions = [
        text for key, text in event.fields if key.endswith(("/originRevision", "/revision", "/token", "/commit_status"))
    ]
    parts = (subject.name, subject.namespace, subject.kind, event.message, *revisions)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
