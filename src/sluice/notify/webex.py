"""webex: a message in Markdown to one room."""

from __future__ import annotations

from dataclasses import replace

from sluice.core.event import Event
from sluice.notify.message import Request, Target, bearer, named, post_json


def webex(event: Event, target: Target) -> tuple[Request, ...]:
    """One message."""
    mark = "💣" if event.is_error else "✅"
    lines = [f"{mark} **{event.involved_object.short}**", event.message]
    lines += [f">**{key}**: {text}" for key, text in event.fields]
    body = {"markdown": "\n".join(lines) + "\n"}
    if target.channel:
        body["roomId"] = target.channel
    if target.mark.thread:
        body["parentId"] = target.mark.thread
    request = post_json(target.need_address(), body, bearer(target.need_token()))
    return (replace(request, thread=_message_id if target.mark.life == "opened" else None),)


def _message_id(answer: bytes) -> str:
    return named(answer, "id")
