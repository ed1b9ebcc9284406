"""matrix: a message to a room. Its transaction id follows from the event, so that what is sent twice is shown once."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

import msgspec

from sluice.core.event import Event
from sluice.notify.message import Request, Target, bearer


def matrix(event: Event, target: Target) -> tuple[Request, ...]:
    """One message."""
    room = quote(target.need_channel("the id of a room"), safe="!:@#$")
    identity = hashlib.sha1(msgspec.json.encode(event), usedforsecurity=False).hexdigest()
    mark = "🚨" if event.is_error else "💫"
    fields = "".join(f"- {key}: {text}\n" for key, text in event.fields)
    body = {"body": f"{mark} {event.involved_object.short}\n{event.message}\n{fields}", "msgtype": "m.text"}
    base = target.need_address().rstrip("/")
    url = f"{base}/_matrix/client/r0/rooms/{room}/send/m.room.message/{identity}"
    return (Request(url, msgspec.json.encode(body), method="PUT", headers=bearer(target.need_token())),)
