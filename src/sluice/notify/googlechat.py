"""googlechat: a card with the message and the fields."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from sluice.core.event import Event
from sluice.notify.message import Request, Target, post_json


def googlechat(event: Event, target: Target) -> tuple[Request, ...]:
    """One card, in red for an error."""
    text = f'<font color="#ff0000">{event.message}</font>' if event.is_error else event.message
    sections = [_section([{"textParagraph": {"text": text}, "keyValue": None}])]
    if event.metadata:
        sections.append(_section([{"textParagraph": None, "keyValue": _pair(*field)} for field in event.fields]))
    header = {
        "title": event.involved_object.short,
        "subtitle": event.reporting_controller,
        "imageUrl": None,
        "imageStyle": None,
    }
    url, body = target.need_address(), {"cards": [{"header": header, "sections": sections}]}
    if target.mark.id:
        # The thread is named by us: no answer has to be read for it.
        url += ("&" if urlsplit(url).query else "?") + "messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        return (post_json(url, body | {"thread": {"threadKey": target.mark.id}}),)
    return (post_json(url, body),)


def _section(widgets: list[dict[str, Any]]) -> dict[str, Any]:
    return {"header": "", "widgets": widgets}


def _pair(key: str, text: str) -> dict[str, Any]:
    return {"topLabel": key, "content": text, "contentMultiline": False, "bottomLabel": None, "icon": None}
