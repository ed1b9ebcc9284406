"""What happened to an object of ours, in the words and the JSON of Flux's events, so that parsers made for them hold.

An event is made where something is reported and never changed; what an alert adds makes another (`alert_routing`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

from sluice.core.problem import clip

# Flux's group of annotations on objects that ride along with their events.
EVENT_GROUP = "event.toolkit.fluxcd.io"
MAX_MESSAGE = 39_000
COMMIT = "commit"
CHANGE_REQUEST = "change_request"
COMMIT_STATUS = "commit_status"
UPDATE = "update"
PROGRESSING = "Progressing"
# In an event's metadata, and never told: what must come true before anybody is told of it.
AWAITS = "sluice.dev/awaits"
HEALTH = "health"

Severity: TypeAlias = Literal["info", "error"]

_HASH = re.compile(r"(?:^|[@/:])([0-9a-f]{64}|[0-9a-f]{40})$")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[a-z]+|[0-9]+|[^A-Za-z0-9]+")


class InvolvedObject(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The object that an event is about, as Kubernetes refers to objects."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    resource_version: str = ""

    @property
    def group(self) -> str:
        """The API group of its kind."""
        return self.api_version.rpartition("/")[0]

    @property
    def short(self) -> str:
        """How chat messages name it: `kustomization/apps.flux-system`."""
        return f"{self.kind.lower()}/{self.name}.{self.namespace}"


class Event(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One event. `timestamp` is RFC 3339 in UTC, to the second. `metadata` maps keys to texts for people."""

    involved_object: InvolvedObject
    severity: Severity
    timestamp: str
    message: str
    reason: str
    metadata: dict[str, str] = {}
    reporting_controller: str = ""
    reporting_instance: str = ""

    @property
    def is_error(self) -> bool:
        """True for what somebody should look at."""
        return self.severity == "error"

    @property
    def is_commit_status_update(self) -> bool:
        """True for what is said to the status of a commit only: that a revision is live, once more or at last."""
        return self.metadata.get(COMMIT_STATUS) == UPDATE

    @property
    def description(self) -> str:
        """The reason in small words.

        >>> Event(InvolvedObject(), "info", "", "", "ReconciliationSucceeded").description
        'reconciliation succeeded'
        """
        return " ".join(_WORD.findall(self.reason)).lower()

    @property
    def revision(self) -> str:
        """The revision that it is about, the most direct one that it names; empty when it names none."""
        return next((found for key in (COMMIT, "originRevision", "revision") if (found := self.metadata.get(key))), "")

    @property
    def commit(self) -> str:
        """The hash of the commit that it is about; empty when its revision is none."""
        return commit_of(self.revision)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The metadata in an order that does not change from one event to the next."""
        return sorted(self.metadata.items())


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event and the labels that its object had: alerts choose by them.

    `cause` tells one failure of an object from another; the reason does where nothing better is known. `known_as` is
    the name that the event had when it was recorded, where only a part of its message is left.
    """

    event: Event
    labels: Mapping[str, str] = field(default_factory=dict)
    cause: str = ""
    known_as: str = ""

    @property
    def name(self) -> str:
        """The same for the same event, also in another process; 32 hexadecimal digits."""
        return self.known_as or hashlib.sha256(msgspec.json.encode(self.event)).hexdigest()[:32]


def commit_of(revision: str) -> str:
    """The hash of the commit that a revision names; empty when it names none."""
    match = _HASH.search(revision)
    return match[1] if match else ""


def object_metadata(annotations: Mapping[str, str]) -> dict[str, str]:
    """Those annotations of an object that ride along with its events."""
    return {key: text for key, text in annotations.items() if key.startswith(f"{EVENT_GROUP}/")}


def clipped(message: str) -> str:
    """A message, no longer than an event may have it."""
    return clip(message, MAX_MESSAGE)
