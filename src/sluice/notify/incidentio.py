"""incident.io: an error fires an alert, anything else resolves that of the same object."""

from __future__ import annotations

from sluice.core.event import PROGRESSING, Event
from sluice.notify.message import Request, Target, bearer, post_json


def incidentio(event: Event, target: Target) -> tuple[Request, ...]:
    """One alert event."""
    url, login = target.need_address(), bearer(target.need_token())
    if event.reason == PROGRESSING:
        return ()
    metadata = event.metadata | {"severity": event.severity, "reason": event.reason}
    if event.reporting_controller:
        metadata["reportingController"] = event.reporting_controller
    body = {
        "title": f"{event.involved_object.short}: {event.reason}",
        "status": "firing" if event.is_error else "resolved",
        "deduplication_key": event.involved_object.uid,
        "description": event.message,
        "metadata": metadata,
    }
    return (post_json(url, body, login),)
