"""Incidents: an object's failure from its first report to its end, told once each time that people must know more.

Pure. An incident is (object, cause, first bad revision). It is *opened* by a failure, *changed* by another cause, and
*resolved* when the object is well again; the same failure said once more is no news. What is neither a failure nor its
end (a warning, a correction) is passed on as it is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Literal, TypeAlias

import msgspec

from sluice.core.condition import RECONCILIATION_SUCCEEDED, SUCCEEDED
from sluice.core.event import Event, clipped

Life: TypeAlias = Literal["", "opened", "changed", "resolved"]
NEW_ARTIFACT = "NewArtifact"
# The reason of an event that is made of an object's deletion, to end its incidents and for nothing else.
DELETED = "Deleted"
# An event with one of these reasons says that its object is as it should be.
_WELL = frozenset({SUCCEEDED, RECONCILIATION_SUCCEEDED, NEW_ARTIFACT, DELETED})


class Sign(Enum):
    """What an event says of its object's state."""

    FAILED = auto()
    WELL = auto()
    NEITHER = auto()


class Incident(msgspec.Struct, frozen=True, omit_defaults=True):
    """One failure, as one alert tells it.

    `revision` is the first bad one and `since` its time (RFC 3339); `told_by` names the event that was told last, so
    that the same event, read again after a crash, has the same effect. `thread` is the service's name for the thread
    that tells of it, empty until it has answered.
    """

    id: str
    cause: str
    revision: str
    since: str
    told_by: str
    life: Life = "opened"
    thread: str = ""

    @property
    def is_open(self) -> bool:
        """False once the object is well again, and only that is still to be told."""
        return self.life != "resolved"


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a notification says of the incident that it belongs to; `life` is empty when it belongs to none."""

    id: str = ""
    life: Life = ""
    thread: str = ""


NO_INCIDENT = Mark()


@dataclass(frozen=True, slots=True)
class Report:
    """One event, as far as incidents go by it. `about` names the alert and the object, `name` the event itself."""

    about: str
    name: str
    sign: Sign
    cause: str
    revision: str
    at: str


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a report: the incident from now on, and what is told (`life`); nothing unless `told`."""

    incident: Incident | None
    told: bool
    life: Life = ""


def sign_of(event: Event) -> Sign:
    """What the event says of its object."""
    if event.is_error:
        return Sign.FAILED
    return Sign.WELL if event.reason in _WELL else Sign.NEITHER


def step(known: Incident | None, report: Report) -> Step:
    """The next state. The report that was told last is told again in the same way: somebody asks after a crash."""
    if known is not None and known.told_by == report.name:
        return Step(known, told=True, life=known.life)
    standing = known if known is not None and known.is_open else None
    if report.sign is Sign.FAILED:
        return _failed(standing, report)
    if report.sign is Sign.WELL and standing is not None:
        over = msgspec.structs.replace(standing, life="resolved", told_by=report.name)
        return Step(over, told=True, life="resolved")
    return Step(known, told=True)


def _failed(standing: Incident | None, report: Report) -> Step:
    if standing is None:
        parts = (report.about, report.cause, report.revision, report.name)
        name = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
        begun = Incident(name, report.cause, report.revision, report.at, report.name)
        return Step(begun, told=True, life="opened")
    if standing.cause == report.cause:
        return Step(standing, told=False)
    other = msgspec.structs.replace(standing, cause=report.cause, life="changed", told_by=report.name)
    return Step(other, told=True, life="changed")


def as_told(event: Event, incident: Incident | None, life: Life) -> Event:
    """The event with words for where in the incident's life it stands; as it is where it belongs to none."""
    if incident is None or life in {"", "opened"}:
        return event
    if life == "changed":
        text = f"Fails for another cause than before: {event.message}"
    else:
        text = f"Resolved after {_since(incident.since, event.timestamp)}: {event.message}"
    return msgspec.structs.replace(event, message=clipped(text))


def _since(begun: str, ended: str) -> str:
    """A time that people read: two units at most."""
    seconds = max(int((datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds()), 0)
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            return f"{whole} {unit}" + (f" {rest // part} {smaller}" if rest // part else "")
    return f"{seconds} s"
