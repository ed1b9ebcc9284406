"""msteams: an adaptive card for workflows, or the older message card for connectors of webhook.office.com."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from sluice.core.event import Event
from sluice.notify.message import Request, Target, post_json

OLD_HOSTS = ".webhook.office.com"


def msteams(event: Event, target: Target) -> tuple[Request, ...]:
    """One card."""
    host = urlsplit(target.need_address()).hostname or ""
    body = _message_card(event) if host.endswith(OLD_HOSTS) else _adaptive_card(event)
    return (post_json(target.address, body),)


def _message_card(event: Event) -> dict[str, Any]:
    subject = event.involved_object.short
    return {
        "@type": "MessageCard",
        "@context": "http://schema.org/extensions",
        "themeColor": "FF0000" if event.is_error else "0076D7",
        "summary": subject,
        "sections": [
            {
                "activityTitle": event.message,
                "activitySubtitle": subject,
                "facts": [{"name": key, "value": text} for key, text in event.fields],
            }
        ],
    }


def _adaptive_card(event: Event) -> dict[str, Any]:
    message = {"type": "TextBlock", "text": event.message, "wrap": True}
    if event.is_error:
        message["color"] = "attention"
    title = {
        "type": "TextBlock",
        "text": event.involved_object.short,
        "size": "large",
        "weight": "bolder",
        "wrap": True,
    }
    # The summary is what people look for first.
    fields = sorted(event.fields, key=lambda field: field[0] != "summary")
    facts: dict[str, Any] = {"type": "FactSet"}
    if fields:
        facts["facts"] = [{"title": key, "value": text} for key, text in fields]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "Container", "items": [title, message, facts]}],
        "msteams": {"width": "Full"},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [attachment]}
