"""zoom: a message of an incoming webhook of Zoom Team Chat, in its rich form."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from sluice.core.event import Event
from sluice.notify.message import Request, Target, post_json


def zoom(event: Event, target: Target) -> tuple[Request, ...]:
    """One message."""
    url = target.need_address()
    query = urlsplit(url).query
    if not any(parse_qs(query).get("format", ())):
        url += ("&" if query else "?") + "format=full"
    body: list[dict[str, Any]] = [{"type": "message", "text": event.message}]
    if event.metadata:
        body.append({"type": "fields", "items": [{"key": key, "value": text} for key, text in event.fields]})
    head = {"text": event.involved_object.short, "sub_head": {"text": event.severity}}
    # The token stands there alone, without a scheme.
    login = {"Authorization": target.need_token()}
    return (post_json(url, {"content": {"head": head, "body": body}}, login),)
