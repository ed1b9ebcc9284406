"""grafana: an annotation on dashboards, in Graphite's form."""

from __future__ import annotations

from datetime import datetime

from sluice.core.event import Event
from sluice.notify.message import Request, Target, basic, bearer, post_json


def grafana(event: Event, target: Target) -> tuple[Request, ...]:
    """One annotation, tagged `flux`. The time is in seconds, as Flux sends it."""
    subject = event.involved_object
    tags = ["flux", event.reporting_controller]
    tags += [f"{key.replace(':', '|')}: {text.replace(':', '|')}" for key, text in event.fields]
    tags += [f"kind: {subject.kind}", f"name: {subject.name}", f"namespace: {subject.namespace}"]
    body = {"when": int(datetime.fromisoformat(event.timestamp).timestamp()), "text": subject.short, "tags": tags}
    login = bearer(target.token)
    if not login and target.username and target.password:
        login = basic(target.username, target.password)
    return (post_json(target.need_address(), body, login),)
