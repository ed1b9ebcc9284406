"""telegram: a message of a bot to a chat, or to one topic of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sluice.core.event import Event
from sluice.notify.message import Request, Target, named, post_json

API = "https://api.telegram.org"
# What means something in Telegram's MarkdownV2.
_SPECIAL = re.compile(r"[\\.\-_\[\]()~>`#+=|{}!*]")


def telegram(event: Event, target: Target) -> tuple[Request, ...]:
    """One message. The channel is a chat's id, or `id:topic`."""
    subject = event.involved_object
    mark = "🚨" if event.is_error else "💫"
    heading = f"{mark} {subject.kind.lower()}/{subject.name}/{subject.namespace}"
    fields = "".join(f"\\- *{_escape(key)}*: {_escape(text)}\n" for key, text in event.fields)
    chat, colon, topic = target.need_channel("the id of a chat").partition(":")
    body: dict[str, Any] = {
        "chat_id": chat,
        "text": f"*{_escape(heading)}*\n{_escape(event.message)}\n{fields}",
        "parse_mode": "MarkdownV2",
    }
    if colon and topic:
        body["message_thread_id"] = topic
    if target.mark.thread.isdecimal():
        body["reply_parameters"] = {"message_id": int(target.mark.thread), "allow_sending_without_reply": True}
    request = post_json(f"{API}/bot{target.need_token()}/sendMessage", body)
    return (replace(request, thread=_message_id if target.mark.life == "opened" else None),)


def _message_id(answer: bytes) -> str:
    return named(answer, "result", "message_id")


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", text)
