"""alertmanager: an alert that Alertmanager ends by itself after its resolve_timeout."""

from __future__ import annotations

from sluice.core.event import Event
from sluice.notify.message import Request, Target, basic, bearer, post_json


def alertmanager(event: Event, target: Target) -> tuple[Request, ...]:
    """One alert, `Flux<Kind><Reason>`."""
    subject = event.involved_object
    metadata = dict(event.metadata)
    annotations = {"message": event.message}
    if "summary" in metadata:
        annotations["summary"] = metadata.pop("summary")
    labels = metadata | {
        "alertname": f"Flux{subject.kind}{event.reason.capitalize()}",
        "severity": event.severity,
        "reason": event.reason,
        "kind": subject.kind,
        "name": subject.name,
        "namespace": subject.namespace,
        "reportingcontroller": event.reporting_controller,
    }
    alert = {"status": "firing", "labels": labels, "annotations": annotations, "startsAt": event.timestamp}
    login = bearer(target.token)
    if target.username and target.password:
        login = basic(target.username, target.password)
    return (post_json(target.need_address(), [alert], login),)
