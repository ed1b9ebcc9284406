"""Events about our own kinds: one per transition, repeats dropped; written to the cluster in the background.

They are offered to whoever notifies people of them, too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec
import structlog

from sluice.api.kinds import ObjectMeta
from sluice.core.errors import SluiceError
from sluice.core.event import Event, InvolvedObject, Occurrence, Severity, clipped, object_metadata
from sluice.core.problem import clip
from sluice.core.timestamp import rfc3339
from sluice.kube.client import KubeClient
from sluice.kube.well_known import EVENTS

# The API server refuses a longer message; a queue this long means that it is not answering.
MAX_MESSAGE = 1024
MAX_WAITING = 1000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that an event is about. `metadata` is what its annotations add to its events."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    metadata: Mapping[str, str] = field(default_factory=dict, compare=False)

    @staticmethod
    def of(api_version: str, kind: str, meta: ObjectMeta) -> Subject:
        """An object of ours, by its metadata."""
        more = object_metadata(meta.annotations)
        return Subject(api_version, kind, meta.namespace, meta.name, meta.uid, meta.resourceVersion, meta.labels, more)

    @property
    def involved(self) -> InvolvedObject:
        """The object, as events refer to it."""
        return InvolvedObject(self.kind, self.namespace, self.name, self.uid, self.api_version, self.resource_version)


class EventRecorder:
    """Takes events at once and sends them when it can. Losing one loses no state: status holds the same words."""

    def __init__(
        self,
        client: KubeClient,
        component: str,
        now: Callable[[], datetime],
        offer: Callable[[Occurrence], None] | None = None,
        instance: str = "",
    ) -> None:
        self._client = client
        self._component = component
        self._now = now
        self._offer = offer
        self._instance = instance
        self._waiting: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(MAX_WAITING)
        self._last: dict[str, bytes] = {}

    def record(
        self,
        subject: Subject,
        kind: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        annotations: Mapping[str, str] | None = None,
        *,
        severity: Severity | None = None,
        cause: str = "",
    ) -> None:
        """Queue one event; the same reason and message as the object's last event is dropped.

        A subject without a UID lives in no cluster (flag mode): the log says the same. People are notified of a
        warning as of an error, unless `severity` says that nothing failed. `cause` tells failures of one object apart.
        """
        if not subject.uid:
            return
        annotations = {**subject.metadata, **(annotations or {})}
        digest = hashlib.sha256(f"{reason}\n{message}\n{annotations}".encode()).digest()
        if self._last.get(subject.uid) == digest:
            return
        self._last[subject.uid] = digest
        now = self._now()
        stamp = rfc3339(now)
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{subject.name[:200]}.{now.timestamp():.6f}",
                "namespace": subject.namespace or "default",
                "annotations": annotations,
            },
            "involvedObject": subject.involved,
            "type": kind,
            "reason": reason,
            "message": clip(message, MAX_MESSAGE),
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }
        try:
            self._waiting.put_nowait((subject.namespace or "default", body))
        except asyncio.QueueFull:
            log.warning("event dropped: too many are waiting", reason=reason, name=subject.name)
        severity = severity or ("error" if kind == "Warning" else "info")
        self.notify(subject, severity, reason, message, annotations, cause=cause)

    def notify(
        self,
        subject: Subject,
        severity: Severity,
        reason: str,
        message: str,
        annotations: Mapping[str, str],
        *,
        cause: str = "",
    ) -> None:
        """Offer an event to those who notify people, and write none to the cluster."""
        if self._offer is None or not subject.uid:
            return
        event = Event(
            involved_object=subject.involved,
            severity=severity,
            timestamp=rfc3339(self._now()),
            message=clipped(message),
            reason=reason,
            metadata={**subject.metadata, **annotations},
            reporting_controller=self._component,
            reporting_instance=self._instance,
        )
        self._offer(Occurrence(event, subject.labels, cause or reason))

    def forget(self, uid: str) -> None:
        """Drop what is remembered of an object that is gone."""
        self._last.pop(uid, None)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            namespace, body = await self._waiting.get()
            try:
                await self._client.create(EVENTS, namespace, msgspec.json.encode(body), manager=self._component)
            except SluiceError as error:
                log.warning("event not written", reason=body["reason"], error=str(error))
