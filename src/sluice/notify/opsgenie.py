"""opsgenie: an alert, which another of the same object and reason does not open twice."""

from __future__ import annotations

import hashlib

from sluice.core.event import Event
from sluice.notify.message import Request, Target, post_json


def opsgenie(event: Event, target: Target) -> tuple[Request, ...]:
    """One alert."""
    subject = event.involved_object
    key = "/".join((target.provider_uid, subject.kind, subject.namespace, subject.name, event.reason))
    body = {
        "message": f"{subject.kind}/{subject.name}",
        "alias": hashlib.sha256(key.encode()).hexdigest(),
        "description": event.message,
        "details": event.metadata | {"severity": event.severity},
    }
    return (post_json(target.need_address(), body, {"Authorization": f"GenieKey {target.need_token()}"}),)
