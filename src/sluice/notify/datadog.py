"""datadog: an event, tagged as Datadog's own integrations tag theirs."""

from __future__ import annotations

from datetime import datetime

from sluice.core.event import Event
from sluice.notify.message import Request, Target, post_json


def datadog(event: Event, target: Target) -> tuple[Request, ...]:
    """One event. The token is an API key."""
    subject = event.involved_object
    tags = [
        f"flux_reporting_controller:{event.reporting_controller}",
        f"flux_reason:{event.reason}",
        f"kube_kind:{subject.kind}",
        f"kube_name:{subject.name}",
        f"kube_namespace:{subject.namespace}",
        *(f"{key}:{text}" for key, text in event.fields),
    ]
    body = {
        "title": f"Events from the {subject.kind} {subject.name}/{subject.namespace}",
        "text": event.message,
        "tags": [tag.lower() for tag in tags],
        "source_type_name": "fluxcd",
        "date_happened": int(datetime.fromisoformat(event.timestamp).timestamp()),
        "alert_type": event.severity,
    }
    return (post_json(f"{target.origin}/api/v1/events", body, {"DD-API-KEY": target.need_token()}),)
