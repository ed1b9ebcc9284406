"""opsgenie: an alert, which another of the same object and reason does not open twice; an incident is one alert."""

from __future__ import annotations

import hashlib

from sluice.core.event import Event
from sluice.notify.message import Request, Target, post_json

MAX_NOTE = 25_000


def opsgenie(event: Event, target: Target) -> tuple[Request, ...]:
    """One alert. Told as incidents, the alert of an incident is closed with it."""
    login = {"Authorization": f"GenieKey {target.need_token()}"}
    if target.mark.life == "resolved":
        url = f"{target.need_address().rstrip('/')}/{target.mark.id}/close?identifierType=alias"
        return (post_json(url, {"note": event.message[:MAX_NOTE], "source": event.reporting_controller}, login),)
    subject = event.involved_object
    key = "/".join((target.provider_uid, subject.kind, subject.namespace, subject.name, event.reason))
    body = {
        "message": f"{subject.kind}/{subject.name}",
        "alias": target.mark.id or hashlib.sha256(key.encode()).hexdigest(),
        "description": event.message,
        "details": event.metadata | {"severity": event.severity},
    }
    return (post_json(target.need_address(), body, login),)
