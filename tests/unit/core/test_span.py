"""Spans in the form that collectors take, and the ids that put one revision's spans together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.span import Span, otlp_of, trace_of


def test_a_span_has_the_form_of_the_protocols_json() -> None:
    whole = Span("0a" * 16, "0b" * 8, "", "reconcile", 1, 2**63, {"name": "apps", "objects": 3, "dry": True})
    part = Span("0a" * 16, "0c" * 8, "0b" * 8, "apply", 2, 3, error="refused [E301]")
    body = otlp_of((whole, part), {"service.name": "sluice"}, "1.0")
    [resource] = body["resourceSpans"]
    assert resource["resource"] == {"attributes": [{"key": "service.name", "value": {"stringValue": "sluice"}}]}
    [scope] = resource["scopeSpans"]
    assert scope["scope"] == {"name": "sluice", "version": "1.0"}
    assert scope["spans"] == [
        {
            "traceId": "0a" * 16,
            "spanId": "0b" * 8,
            "name": "reconcile",
            "kind": 1,
            "startTimeUnixNano": "1",
            "endTimeUnixNano": "9223372036854775808",
            "attributes": [
                {"key": "name", "value": {"stringValue": "apps"}},
                {"key": "objects", "value": {"intValue": "3"}},
                {"key": "dry", "value": {"boolValue": True}},
            ],
            "status": {},
        },
        {
            "traceId": "0a" * 16,
            "spanId": "0c" * 8,
            "parentSpanId": "0b" * 8,
            "name": "apply",
            "kind": 1,
            "startTimeUnixNano": "2",
            "endTimeUnixNano": "3",
            "attributes": [],
            "status": {"code": 2, "message": "refused [E301]"},
        },
    ]


@given(st.text(), st.text(), st.text(), st.text())
def test_a_trace_is_one_sources_one_revision(source: str, revision: str, other: str, another: str) -> None:
    trace, top = trace_of(source, revision)
    assert (len(bytes.fromhex(trace)), len(bytes.fromhex(top))) == (16, 8)
    if "\0" not in source + other:
        assert (trace_of(other, another) == (trace, top)) == ((source, revision) == (other, another))
