"""Requests for a turn that are too long to be one: nobody acts on them, and an event says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sluice.api.kinds import MAX_REQUEST, REQUESTED_AT, ObjectMeta
from sluice.kube.resource import Resource
from sluice.kube.watch import EventType
from sluice.runtime.event_recorder import EventRecorder, Subject

REQUEST_IGNORED = "RequestIgnored"


class _Item(Protocol):
    @property
    def metadata(self) -> ObjectMeta: ...


def tell_long_requests(recorder: EventRecorder, resource: Resource) -> Callable[[EventType, _Item, _Item | None], None]:
    """What a watch of a kind of ours is to call: one event for each such request."""

    def changed(event: EventType, item: _Item, old: _Item | None) -> None:
        asked = item.metadata.annotations.get(REQUESTED_AT, "")
        before = old.metadata.annotations.get(REQUESTED_AT, "") if old is not None else ""
        if len(asked) > MAX_REQUEST and asked != before and event is not EventType.DELETED:
            subject = Subject.of(resource.api_version, resource.kind, item.metadata)
            recorder.record(
                subject,
                "Warning",
                REQUEST_IGNORED,
                f"the annotation {REQUESTED_AT} has {len(asked)} characters, limit {MAX_REQUEST}: it asks for nothing; "
                "fix: write the time, or use `flux reconcile` or `sluice sync`",
                severity="info",
            )

    return changed
