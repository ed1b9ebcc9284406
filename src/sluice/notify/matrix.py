"""matrix: a message to a room. Its transaction id follows from the event, so that what is sent twice is shown once."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

import msgspec

from sluice.core.event import Event
from sluice.notify.message import Request, Target, bearer, named


def matrix(event: Event, target: Target) -> tuple[Request, ...]:
    """One message."""
    room = quote(target.need_channel("the id of a room"), safe="!:@#$")
    identity = hashlib.sha1(msgspec.json.encode(event), usedforsecurity=False).hexdigest()
    mark = "🚨" if event.is_error else "💫"
    fields = "".join(f"- {key}: {text}\n" for key, text in event.fields)
    body: dict[str, Any] = {
        "body": f"{mark} {event.involved_object.short}\n{event.message}\n{fields}",
        "msgtype": "m.text",
    }
    if target.mark.thread:
        body["m.relates_to"] = {"rel_type": "m.thread", "event_id": target.mark.thread}
    base = target.need_address().rstrip("/")
    url = f"{base}/_matrix/client/r0/rooms/{room}/send/m.room.message/{identity}"
    login = bearer(target.need_token())
    thread = _event_id if target.mark.life == "opened" else None
    return (Request(url, msgspec.json.encode(body), method="PUT", headers=login, thread=thread),)


def _event_id(answer: bytes) -> str:
    return named(answer, "event_id")
