"""sentry: errors as events, the rest as transactions, in the envelopes that Sentry's own clients send."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

import msgspec

from sluice.core.event import Event
from sluice.notify.message import Request, Target

CONTENT_TYPE = "application/x-sentry-envelope"


def sentry(event: Event, target: Target) -> tuple[Request, ...]:
    """One envelope. The address is a DSN, `https://<key>@<host>/<project>`; the channel is the environment."""
    parts = urlsplit(target.need_address())
    path, _, project = parts.path.rstrip("/").rpartition("/")
    if not parts.username or not project:
        target.refuse_address("a DSN, https://<key>@<host>/<project>")
    port = f":{parts.port}" if parts.port else ""
    # The same event has the same id: what is sent twice is kept once.
    name = hashlib.sha256(msgspec.json.encode(event)).hexdigest()[:32]
    item = _error(event) if event.is_error else _transaction(event, name)
    item |= {"event_id": name, "platform": "other"}
    if target.channel:
        item["environment"] = target.channel
    payload = msgspec.json.encode(item)
    kind = "event" if event.is_error else "transaction"
    head = {"event_id": name, "sent_at": event.timestamp}
    lines = (head, {"type": kind, "length": len(payload)})
    envelope = b"\n".join((*(msgspec.json.encode(line) for line in lines), payload, b""))
    login = f"Sentry sentry_version=7, sentry_client=sluice, sentry_key={parts.username}"
    url = f"{parts.scheme}://{parts.hostname}{port}{path}/api/{project}/envelope/"
    return (Request(url, envelope, headers={"X-Sentry-Auth": login}, content_type=CONTENT_TYPE),)


def _title(event: Event) -> str:
    subject = event.involved_object
    return f"{subject.kind}: {subject.namespace}/{subject.name}"


def _error(event: Event) -> dict[str, Any]:
    return {
        "timestamp": event.timestamp,
        "level": "error",
        "server_name": event.reporting_controller,
        "transaction": _title(event),
        "contexts": {"metadata": event.metadata},
        "message": event.message,
    }


def _transaction(event: Event, name: str) -> dict[str, Any]:
    subject = event.involved_object
    tags = {
        "flux_involved_object_kind": subject.kind,
        "flux_involved_object_namespace": subject.namespace,
        "flux_involved_object_name": subject.name,
        "flux_reporting_controller": event.reporting_controller,
        "flux_reporting_instance": event.reporting_instance,
        "flux_reason": event.reason,
    }
    trace = {"trace_id": name, "span_id": name[:16], "op": "event"}
    span = trace | {"start_timestamp": event.timestamp, "timestamp": event.timestamp, "tags": tags | event.metadata}
    return {
        "type": "transaction",
        "transaction": _title(event),
        "message": event.message,
        "contexts": {"trace": trace},
        "tags": tags | event.metadata,
        "start_timestamp": event.timestamp,
        "timestamp": event.timestamp,
        "spans": [span],
    }
