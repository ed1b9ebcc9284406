"""otel: a span for each event, sent to an OpenTelemetry collector as OTLP over HTTP, in its JSON form.

Names of traces and spans follow from what happened, as Flux's do, so that controllers that know nothing of each other
make one trace: of an alert and a revision, in which a source's span is the parent of those that apply it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sluice.core.event import Event
from sluice.notify.message import Request, Target, basic, bearer, post_json

SCOPE = "flux:notification-controller"
SOURCES = frozenset({"GitRepository", "HelmChart", "OCIRepository", "Bucket", "ExternalArtifact"})
_INTERNAL, _OK, _ERROR = 1, 1, 2


def otel(event: Event, target: Target) -> tuple[Request, ...]:
    """One span, which begins and ends when the event happened; none for a HelmRepository, as in Flux."""
    if event.involved_object.kind == "HelmRepository":
        return ()
    alert = target.alert
    resource = [
        ("service.name", f"{alert.namespace}/{alert.name}"),
        ("service.namespace", alert.namespace),
        ("service.instance.id", alert.uid),
    ]
    spans = {"scope": {"name": SCOPE}, "spans": [_span(event, target)]}
    body = {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [spans]}]}
    return (post_json(_endpoint(target), body, {**_login(target), **target.headers}),)


def _endpoint(target: Target) -> str:
    url = urlsplit(target.need_address())
    return urlunsplit(url._replace(path=url.path if url.path.strip("/") else "/v1/traces"))


def _login(target: Target) -> dict[str, str]:
    if target.username and target.password:
        return basic(target.username, target.password)
    return bearer(target.token or target.password)


def _span(event: Event, target: Target) -> dict[str, Any]:
    subject, revision = event.involved_object, event.revision or "unknown"
    at = str(int(datetime.fromisoformat(event.timestamp).timestamp()) * 1_000_000_000)
    named = [(f"object.{key}", getattr(subject, key)) for key in ("uid", "kind", "name", "namespace")]
    span = {
        "traceId": _id(target.alert.uid, revision, 16),
        "spanId": _id(subject.uid, revision, 8),
        "name": f"{subject.kind}: {subject.namespace}/{subject.name}",
        "kind": _INTERNAL,
        "startTimeUnixNano": at,
        "endTimeUnixNano": at,
        "attributes": _attributes([*named, *event.fields]),
        "status": {"code": _ERROR, "message": event.message} if event.is_error else {"code": _OK},
    }
    if target.parent_uid and subject.kind not in SOURCES:
        span["parentSpanId"] = _id(target.parent_uid, revision, 8)
    return span


def _id(uid: str, revision: str, size: int) -> str:
    return hashlib.sha256(f"{uid}:{revision}".encode()).digest()[:size].hex()


def _attributes(pairs: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": text}} for key, text in pairs]
