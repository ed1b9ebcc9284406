"""Kubernetes Events about our own kinds: one per transition, written in the background, repeats dropped."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import structlog

from sluice.api.kinds import ObjectMeta
from sluice.core.errors import SluiceError
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
    """The object that an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str

    @staticmethod
    def of(api_version: str, kind: str, meta: ObjectMeta) -> Subject:
        """An object of ours, by its metadata."""
        return Subject(api_version, kind, meta.namespace, meta.name, meta.uid, meta.resourceVersion)


class EventRecorder:
    """Takes events at once and sends them when it can. Losing one loses no state: status holds the same words."""

    def __init__(self, client: KubeClient, component: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._component = component
        self._now = now
        self._waiting: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue(MAX_WAITING)
        self._last: dict[str, bytes] = {}

    def record(
        self,
        subject: Subject,
        kind: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        annotations: dict[str, str] | None = None,
    ) -> None:
        """Queue one event; the same reason and message as the object's last event is dropped.

        A subject without a UID lives in no cluster (flag mode): the log says the same.
        """
        if not subject.uid:
            return
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
                "annotations": annotations or {},
            },
            "involvedObject": {
                "apiVersion": subject.api_version,
                "kind": subject.kind,
                "namespace": subject.namespace,
                "name": subject.name,
                "uid": subject.uid,
                "resourceVersion": subject.resource_version,
            },
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
