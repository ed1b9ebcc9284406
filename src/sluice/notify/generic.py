"""generic and generic-hmac: the event itself, as JSON, with headers from the Secret; signed with the token."""

from __future__ import annotations

import hashlib
import hmac

import msgspec

from sluice.core.event import Event
from sluice.notify.message import Request, Target

COMPONENT_HEADER = "Gotk-Component"
SIGNATURE_HEADER = "X-Signature"


def generic(event: Event, target: Target) -> tuple[Request, ...]:
    """The event in Flux's form."""
    body = msgspec.json.encode(event)
    headers = {COMPONENT_HEADER: event.reporting_controller, **target.headers}
    return (Request(target.need_address(), body, headers=headers),)


def generic_hmac(event: Event, target: Target) -> tuple[Request, ...]:
    """The same, with the SHA-256 HMAC of the body in X-Signature."""
    (request,) = generic(event, target)
    signature = hmac.new(target.need_token().encode(), request.body, hashlib.sha256).hexdigest()
    headers = {**request.headers, SIGNATURE_HEADER: f"sha256={signature}"}
    return (Request(request.url, request.body, headers=headers),)
