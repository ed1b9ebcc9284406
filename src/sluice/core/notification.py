"""An event on its way to one provider, and how many become one message where people would drown in them. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from sluice.core.event import Event, clipped
from sluice.core.ids import NamespacedName
from sluice.core.incident import NO_INCIDENT, Mark
from sluice.core.problem import clip

# From so many on, what waits for a chat is told in one message; of so many the first line is shown.
GROUP_FROM = 5
LINES = 20
LINE = 200
MAX_AGE = 24 * 3600.0


class Notification(msgspec.Struct, frozen=True):
    """One event as one alert tells it. `made_at` is in seconds since 1970; `id` tells a repeat from another event.

    `status_name` is the name of the status of a commit where the provider has one of its own. `mark` is what it tells
    of an incident, which `about` finds. `event_name` is the event's own.
    """

    id: str
    provider: NamespacedName
    alert: NamespacedName
    event: Event
    made_at: float
    status_name: str = ""
    mark: Mark = NO_INCIDENT
    about: str = ""
    event_name: str = ""


def notification_id(event_name: str, provider: NamespacedName, alert: NamespacedName) -> str:
    """The same for the same event to the same provider, also in another process."""
    return hashlib.sha256("\0".join((event_name, str(provider), str(alert))).encode()).hexdigest()[:32]


def together(waiting: Sequence[Notification], *, chat: bool) -> int:
    """How many of those that wait go as one message: all that are alike in severity at the head, or only the first.

    Only the parts of a storm are grouped, and only for people; programs get every event by itself.
    """
    if not chat or len(waiting) < GROUP_FROM:
        return 1
    severity = waiting[0].event.severity
    count = next((i for i, each in enumerate(waiting) if each.event.severity != severity), len(waiting))
    return count if count >= GROUP_FROM else 1


def as_one(events: Sequence[Event]) -> Event:
    """One event in place of many: about the first one's object, with a line for each."""
    if len(events) == 1:
        return events[0]
    first = events[0]
    lines = [f"{len(events)} events, of which this is the first: {first.message}"]
    lines += [_line(event) for event in events[1 : LINES + 1]]
    if len(events) > LINES + 1:
        lines.append(f"and {len(events) - LINES - 1} more")
    return msgspec.structs.replace(first, message=clipped("\n".join(lines)))


def _line(event: Event) -> str:
    return f"- {event.involved_object.short}: {clip(event.message.partition(chr(10))[0], LINE)}"


def is_expired(notification: Notification, now: float) -> bool:
    """True when it is too old to be of use to anybody."""
    return now - notification.made_at > MAX_AGE
