"""What others call us with: whether a call is theirs, which event it tells, and which delivery it is. Pure.

The checks are those of Flux's receivers, with two differences: no SHA-1 but Nexus', which has nothing else, and a
signature counts only when it stands there once. The body is looked at only after the check of its signature.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

MAX_BODY = 1024 * 1024
_HASHES = {"sha256": "sha256", "sha512": "sha512"}


class Refused(Exception):
    """The call is not accepted; the text is for our log, and never for the caller."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it came. Names of headers are in lower case; each has all of its values."""

    headers: Mapping[str, tuple[str, ...]]
    body: bytes

    def one(self, name: str) -> str:
        """The value of a header that must stand there once. Raises Refused."""
        values = self.headers.get(name, ())
        if len(values) != 1:
            raise Refused(f"header {name} stands there {len(values)} times")
        return values[0]

    def maybe(self, name: str) -> str:
        """The first value of a header, or nothing."""
        return next(iter(self.headers.get(name, ())), "")

    def json(self) -> Any:
        """The body as JSON. Raises Refused when it is none, or nested too deep."""
        return _json(self.body)


@dataclass(frozen=True, slots=True)
class Told:
    """What an accepted call says. `event` is empty where the caller has none; `delivery` where it is not numbered."""

    event: str = ""
    delivery: str = ""
    ping: bool = False


def check_call(type_: str, token: str, call: Call) -> Told:
    """Check a call to a receiver of that type. Raises Refused for what is not the caller's, or not as it should be."""
    return _CHECKS[type_](token, call)


def content_of(type_: str, call: Call) -> Any:
    """What a filter sees of an accepted call: its body, of Pub/Sub's the message in it. Raises Refused."""
    return _pushed(call.json()) if type_ == "gcr" else call.json()


def counts(events: tuple[str, ...], told: Told) -> bool:
    """Whether an event is one of those that a receiver listens to; without a list, all are."""
    return not events or told.event.lower() in {event.lower() for event in events}


def _signed(token: str, call: Call, header: str) -> None:
    """A header `<hash>=<hex>` with the HMAC of the body."""
    name, separator, digest = call.one(header).partition("=")
    if not separator or name not in _HASHES:
        raise Refused(f"{header} names no hash that is accepted")
    _same(hmac.new(token.encode(), call.body, _HASHES[name]).hexdigest(), digest, header)


def _same(expected: str, given: str, header: str) -> None:
    if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
        raise Refused(f"{header} is wrong")


def _generic(token: str, call: Call) -> Told:
    return Told()


def _generic_hmac(token: str, call: Call) -> Told:
    _signed(token, call, "x-signature")
    return Told()


def _github(token: str, call: Call) -> Told:
    _signed(token, call, "x-hub-signature-256")
    event = call.one("x-github-event")
    return Told(event, call.maybe("x-github-delivery"), ping=event == "ping")


def _gitlab(token: str, call: Call) -> Told:
    _same(token, call.one("x-gitlab-token"), "x-gitlab-token")
    return Told(call.one("x-gitlab-event"), call.maybe("x-gitlab-event-uuid"))


def _bitbucket(token: str, call: Call) -> Told:
    _signed(token, call, "x-hub-signature")
    event = call.one("x-event-key")
    return Told(event, call.maybe("x-request-uuid"), ping=event == "diagnostics:ping")


def _harbor(token: str, call: Call) -> Told:
    _same(token, call.one("authorization"), "authorization")
    return Told()


def _nexus(token: str, call: Call) -> Told:
    header = "x-nexus-webhook-signature"
    _same(hmac.new(token.encode(), call.body, "sha1").hexdigest(), call.one(header), header)
    _text_at(call.json(), "timestamp")
    return Told(call.maybe("x-nexus-webhook-id"), call.maybe("x-nexus-webhook-delivery"))


def _dockerhub(token: str, call: Call) -> Told:
    body = call.json()
    _text_at(body, "push_data", "tag")
    _text_at(body, "repository", "repo_name")
    return Told()


def _quay(token: str, call: Call) -> Told:
    body = call.json()
    _text_at(body, "docker_url")
    if not isinstance(body.get("updated_tags"), list):
        raise Refused("the body has no list updated_tags")
    return Told()


def _acr(token: str, call: Call) -> Told:
    body = call.json()
    event = _text_at(body, "action")
    _text_at(body, "target", "repository")
    _text_at(body, "target", "tag")
    return Told(event, _text_at(body, "id"))


def _gcr(token: str, call: Call) -> Told:
    # Whose call it is, its bearer token has proved: core.caller_token.
    body = call.json()
    pushed = _pushed(body)
    if not isinstance(pushed, dict):
        raise Refused("message.data is no map")
    return Told(delivery=_text_at(body, "message", "messageId"))


def _generic_oidc(token: str, call: Call) -> Told:
    return Told()


def _pushed(body: Any) -> Any:
    """The JSON that a Pub/Sub message carries. Raises Refused."""
    try:
        data = base64.b64decode(_text_at(body, "message", "data"), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("message.data is not base64") from None
    return _json(data)


def _json(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(f"the body can't be read: {error}") from None


def _cdevents(token: str, call: Call) -> Told:
    type_ = call.one("ce-type")
    body = call.json()
    if _text_at(body, "context", "type") != type_:
        raise Refused("ce-type is another than the body's context.type")
    _text_at(body, "subject", "id")
    return Told(type_, _text_at(body, "context", "id"))


def _text_at(body: Any, *path: str) -> str:
    """The text at that path of a JSON body. Raises Refused when it is not there, or something else is."""
    node = body
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    if not isinstance(node, str) or not node:
        raise Refused(f"the body has no text {'.'.join(path)}")
    return node


_CHECKS: dict[str, Callable[[str, Call], Told]] = {
    "generic": _generic,
    "generic-hmac": _generic_hmac,
    "github": _github,
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
    "harbor": _harbor,
    "dockerhub": _dockerhub,
    "quay": _quay,
    "nexus": _nexus,
    "acr": _acr,
    "cdevents": _cdevents,
    "gcr": _gcr,
    "generic-oidc": _generic_oidc,
}
