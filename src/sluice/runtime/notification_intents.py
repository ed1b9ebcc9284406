"""Which events of each object somebody is still to be told, for the object's own status to say: see decisions/0014.

Writing a status costs one request; what is said here is folded into the write that ends a turn anyway, and what need
not be said any more goes with the next one.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TypeAlias

import msgspec

from sluice.api.notification_intent import MAX_INTENTS, NotificationIntent, intent_of
from sluice.core.event import Occurrence
from sluice.core.ids import NamespacedName

Subject: TypeAlias = tuple[str, NamespacedName]


class NotificationIntents:
    """The events of all objects that are not settled. Bounded by object: what came first goes first."""

    def __init__(self) -> None:
        self._open: dict[Subject, dict[str, NotificationIntent]] = {}
        self._key = b""

    def seal_with(self, key: bytes) -> None:
        """From now on what is said carries a proof made with this key."""
        self._key = key

    def is_ours(self, intent: NotificationIntent, uid: str) -> bool:
        """True for what a process with our key has said of that very object."""
        return bool(self._key) and hmac.compare_digest(self._seal(intent, uid).encode(), intent.seal.encode())

    def _seal(self, intent: NotificationIntent, uid: str) -> str:
        plain = msgspec.json.encode((uid, msgspec.structs.replace(intent, seal="")), order="sorted")
        return hmac.new(self._key, plain, hashlib.sha256).hexdigest()[:32]

    def add(self, occurrence: Occurrence) -> None:
        """Somebody is to be told of it."""
        waiting = self._open.setdefault(subject_of(occurrence), {})
        intent = intent_of(occurrence)
        seal = self._seal(intent, occurrence.event.involved_object.uid) if self._key else ""
        waiting[occurrence.name] = msgspec.structs.replace(intent, seal=seal)
        while len(waiting) > MAX_INTENTS:
            del waiting[next(iter(waiting))]

    def settle(self, subject: Subject, name: str) -> None:
        """Everybody was told of it, or nobody will be."""
        waiting = self._open.get(subject)
        if waiting is not None and waiting.pop(name, None) is not None and not waiting:
            del self._open[subject]

    def of(self, kind: str, key: NamespacedName) -> tuple[NotificationIntent, ...]:
        """What the object's status is to say, the oldest first."""
        return tuple(self._open.get((kind, key), {}).values())

    def knows(self, subject: Subject, name: str) -> bool:
        """True while the event is not settled."""
        return name in self._open.get(subject, {})


def subject_of(occurrence: Occurrence) -> Subject:
    """The object that the event is about."""
    involved = occurrence.event.involved_object
    return involved.kind, NamespacedName(involved.namespace, involved.name)
