"""Calls to receivers as git hosts and registries send them, and their bodies with each value replaced."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator
from typing import Any

import msgspec

from sluice.core.webhook import Call

TOKEN = "a token of some length"
PUSH = b'{"ref":"refs/heads/main"}'
DOCKERHUB: dict[str, Any] = {"push_data": {"tag": "1.2"}, "repository": {"repo_name": "org/app"}}
QUAY: dict[str, Any] = {"docker_url": "quay.example.com/org/app", "updated_tags": ["1.2"]}
ACR: dict[str, Any] = {"id": "d1", "action": "push", "target": {"repository": "app", "tag": "1.2"}}
NEXUS: dict[str, Any] = {"timestamp": "2026-01-02T03:04:05Z", "action": "CREATED"}
CDEVENT: dict[str, Any] = {"context": {"type": "dev.cdevents.change.merged", "id": "d1"}, "subject": {"id": "x"}}
PUSHED = {"action": "INSERT", "digest": "gcr.example.com/org/app@sha256:00", "tag": "gcr.example.com/org/app:1.2"}
GCR: dict[str, Any] = {"message": {"data": base64.b64encode(msgspec.json.encode(PUSHED)).decode(), "messageId": "d1"}}
JSON_TYPES = {"dockerhub": DOCKERHUB, "quay": QUAY, "acr": ACR, "nexus": NEXUS, "cdevents": CDEVENT, "gcr": GCR}

SIGNED = ("generic-hmac", "github", "gitlab", "bitbucket", "harbor", "nexus")
PROOF = {
    "generic-hmac": "x-signature",
    "github": "x-hub-signature-256",
    "gitlab": "x-gitlab-token",
    "bitbucket": "x-hub-signature",
    "harbor": "authorization",
    "nexus": "x-nexus-webhook-signature",
}
_VALUES: list[Any] = [None, 1, [], {}, "", [{}], True]


def mac(body: bytes, algorithm: str = "sha256", token: str = TOKEN) -> str:
    """The signature in hex."""
    return hmac.new(token.encode(), body, algorithm).hexdigest()


def call(body: bytes, **headers: str) -> Call:
    """A call with those headers, whose names are given with `_` for `-`."""
    return Call({name.replace("_", "-").lower(): (value,) for name, value in headers.items()}, body)


def call_of(type_: str, body: bytes) -> Call:
    """As its caller sends it, with what proves it."""
    match type_:
        case "generic-hmac":
            return call(body, X_Signature=f"sha512={mac(body, 'sha512')}")
        case "github":
            signature = f"sha256={mac(body)}"
            return call(body, X_Hub_Signature_256=signature, X_GitHub_Event="push", X_GitHub_Delivery="d1")
        case "gitlab":
            return call(body, X_Gitlab_Token=TOKEN, X_Gitlab_Event="Push Hook", X_Gitlab_Event_UUID="d1")
        case "bitbucket":
            signature = f"sha256={mac(body)}"
            return call(body, X_Hub_Signature=signature, X_Event_Key="repo:refs_changed", X_Request_UUID="d1")
        case "harbor":
            return call(body, Authorization=TOKEN)
        case "nexus":
            return call(body, X_Nexus_Webhook_Signature=mac(body, "sha1"), X_Nexus_Webhook_Delivery="d1")
        case "cdevents":
            return call(body, Ce_Type="dev.cdevents.change.merged")
    return call(body)


def body_of(type_: str) -> bytes:
    """A body as a caller of that type sends it."""
    return msgspec.json.encode(JSON_TYPES[type_]) if type_ in JSON_TYPES else PUSH


def broken(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The body with each of its values replaced by each other sort of value, or left out."""
    yield from (((*path, repr(other)), other) for other in _VALUES)
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*path, key, "left out"), {k: v for k, v in value.items() if k != key}
            yield from ((where, {**value, key: other}) for where, other in broken(below, (*path, key)))
    if isinstance(value, list):
        for index, below in enumerate(value):
            for where, other in broken(below, (*path, str(index))):
                yield where, [*value[:index], other, *value[index + 1 :]]
