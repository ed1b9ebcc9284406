"""pagerduty: an error triggers, anything else resolves; what went well is a change event too."""

from __future__ import annotations

from typing import Any

from sluice.core.event import PROGRESSING, Event
from sluice.notify.message import Request, Target, post_json


def pagerduty(event: Event, target: Target) -> tuple[Request, ...]:
    """One incident is one object: its UID is the key by which PagerDuty tells incidents apart."""
    origin, key = target.origin, target.need_channel("the routing key of the integration")
    if event.reason == PROGRESSING:
        return ()
    subject = event.involved_object
    summary = f"{event.description}: {subject.kind}/{subject.name}".lower()
    source = f"Flux {event.reporting_controller}"
    details = {"message": event.message, "metadata": event.metadata or None}
    incident: dict[str, Any] = {"routing_key": key, "event_action": "resolve", "dedup_key": subject.uid}
    if event.is_error:
        incident["event_action"] = "trigger"
        incident["payload"] = {
            "summary": summary,
            "source": source,
            "severity": "error",
            "timestamp": event.timestamp,
            "component": subject.name,
            "group": subject.kind,
            "custom_details": details,
        }
        return (post_json(f"{origin}/v2/enqueue", incident),)
    change = {"summary": summary, "source": source, "timestamp": event.timestamp, "custom_details": details}
    return (
        post_json(f"{origin}/v2/enqueue", incident),
        post_json(f"{origin}/v2/change/enqueue", {"routing_key": key, "payload": change}),
    )
