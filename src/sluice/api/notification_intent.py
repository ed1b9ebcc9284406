"""What an object's status says of events that people are still to be told: the only copy that outlives a lost disk."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias

from sluice.api.kinds import ApiStruct, ObjectMeta
from sluice.api.schema import doc
from sluice.core.event import Event, InvolvedObject, Occurrence
from sluice.core.notification import MAX_AGE
from sluice.core.problem import clip

FIELD = "notifications"
# What a status holds of one object's events, at most: it is no place for long texts.
MAX_INTENTS = 8
MAX_MESSAGE = 1024
MAX_METADATA = 2048


class NotificationIntent(ApiStruct, frozen=True, kw_only=True):
    """One event that somebody is to be told of."""

    id: Annotated[str, doc("Names the event; notifications made of it carry keys made of this.")]
    at: Annotated[str, doc("When it happened.", format="date-time")]
    severity: Annotated[str, doc("Whether something failed.", enum=["info", "error"])]
    reason: Annotated[str, doc("Why, as one word.")]
    message: Annotated[str, doc("The message, cut to 1024 characters.")]
    cause: Annotated[str, doc("What tells this failure from another of the object.")] = ""
    controller: Annotated[str, doc("Which of Flux's controllers it is told as.")] = ""
    metadata: Annotated[dict[str, str], doc("The event's metadata.")] = {}
    seal: Annotated[str, doc("Proves that the operator wrote this: status can be written by others.")] = ""


# The field `status.notifications` of every kind that has it.
StatusNotifications: TypeAlias = Annotated[
    tuple[NotificationIntent, ...], doc("Extension of Sluice: events that somebody is still to be told of.")
]


def intent_of(occurrence: Occurrence) -> NotificationIntent:
    """The event, as far as a status holds it."""
    event = occurrence.event
    small = sum(len(key) + len(text) for key, text in event.metadata.items()) <= MAX_METADATA
    kept = {key: text for key, text in event.metadata.items() if small or key.endswith("/revision")}
    return NotificationIntent(
        id=occurrence.name,
        at=event.timestamp,
        severity=event.severity,
        reason=event.reason,
        message=clip(event.message, MAX_MESSAGE),
        cause=occurrence.cause,
        controller=event.reporting_controller,
        metadata=kept,
    )


def occurrence_of(intent: NotificationIntent, api_version: str, kind: str, meta: ObjectMeta) -> Occurrence:
    """The event of an object, as an earlier process left it in the object's status."""
    involved = InvolvedObject(kind, meta.namespace, meta.name, meta.uid, api_version, meta.resourceVersion)
    event = Event(
        involved_object=involved,
        severity="error" if intent.severity == "error" else "info",
        timestamp=intent.at,
        message=intent.message,
        reason=intent.reason,
        metadata=intent.metadata,
        reporting_controller=intent.controller,
    )
    return Occurrence(event, meta.labels, intent.cause, intent.id)


def is_recent(intent: NotificationIntent, now: datetime) -> bool:
    """False for what is too old to be told, and for what says no time."""
    try:
        return (now - datetime.fromisoformat(intent.at)).total_seconds() <= MAX_AGE
    except (ValueError, TypeError):
        return False
