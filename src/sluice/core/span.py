"""One thing that was done, from when to when, and as part of what: a span, and its form in OTLP/HTTP JSON. Pure.

All that is done for one revision of one source is one trace, whoever does it: its id is made of both. The form is that
of the OpenTelemetry protocol 1.x; ids are in hex, and 64-bit numbers are text, as its mapping to JSON asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Attribute: TypeAlias = str | int | bool
_INTERNAL, _ERROR = 1, 2


@dataclass(frozen=True, slots=True)
class Span:
    """Times are nanoseconds since 1970. `parent` is empty for what nothing else holds, `error` where it went well."""

    trace: str
    id: str
    parent: str
    name: str
    began: int
    ended: int
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    error: str = ""


def trace_of(source: str, revision: str) -> tuple[str, str]:
    """The ids of the trace of a revision, and of the span in it that stands for the fetching, and holds the others.

    >>> trace_of("GitRepository/flux-system/fleet", "main@sha1:00") == trace_of("GitRepository/flux-system/fleet", "x")
    False
    """
    digest = hashlib.sha256(f"{source}\0{revision}".encode()).hexdigest()
    return digest[:32], digest[32:48]


def otlp_of(spans: Sequence[Span], resource: Mapping[str, Attribute], version: str) -> dict[str, Any]:
    """The body of a request to `/v1/traces`."""
    scope = {"name": "sluice", "version": version}
    one = {"resource": {"attributes": _attributes(resource)}}
    return {"resourceSpans": [{**one, "scopeSpans": [{"scope": scope, "spans": [_span(span) for span in spans]}]}]}


def _span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace,
        "spanId": span.id,
        **({"parentSpanId": span.parent} if span.parent else {}),
        "name": span.name,
        "kind": _INTERNAL,
        "startTimeUnixNano": str(span.began),
        "endTimeUnixNano": str(span.ended),
        "attributes": _attributes(span.attributes),
        "status": {"code": _ERROR, "message": span.error} if span.error else {},
    }


def _attributes(attributes: Mapping[str, Attribute]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Attribute) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
