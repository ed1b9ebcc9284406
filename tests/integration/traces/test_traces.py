"""What became of a revision, as a trace in a collector that speaks OTLP over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sluice.core.span import Span, trace_of
from sluice.notify.otlp import MAX_TOGETHER, MAX_WAITING, OtlpExporter
from tests.notification_sink import Answer, NotificationSink
from tests.operator_fixture import Bench, Sync, config_map, deployment, poll


def spans_in(collector: NotificationSink) -> list[dict[str, Any]]:
    return [
        span
        for body in collector.bodies()
        for resource in body["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def said_of(span: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in span["attributes"]}


def trace_for(sync: Sync, revision: str) -> str:
    return trace_of(f"GitRepository {sync.namespace}/{sync.name}", revision)[0]


def turns(collector: NotificationSink, trace: str, kind: str) -> list[dict[str, Any]]:
    return [
        span
        for span in spans_in(collector)
        if span["traceId"] == trace and said_of(span).get("controllerKind") == kind and span["name"] == "reconcile"
    ]


@pytest.mark.cluster
def test_a_revision_is_one_trace_from_its_fetch_to_its_health(bench: Bench, collector: NotificationSink) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True)
    revision = sync.push({"a.yaml": None, "b.yaml": config_map("b"), "web.yaml": deployment("web")})
    sync.wait_ready(revision)
    trace = trace_for(sync, revision)
    [applied] = poll("the sync is told", lambda: turns(collector, trace, "Kustomization"))
    [fetched] = turns(collector, trace, "GitRepository")
    assert applied["parentSpanId"] == fetched["spanId"]
    assert "parentSpanId" not in fetched
    below = {
        top["spanId"]: [span["name"] for span in spans_in(collector) if span.get("parentSpanId") == top["spanId"]]
        for top in (fetched, applied)
    }
    assert below[fetched["spanId"]] == ["fetch", "reconcile"]
    steps = list(dict.fromkeys(below[applied["spanId"]]))  # a stage is an apply of its own
    assert steps == ["render", "plan", "validate", "apply", "health", "prune"]
    said = said_of(applied)
    assert (said["name"], said["namespace"], said["revision"]) == (sync.name, sync.namespace, revision)
    assert {each["traceId"] for each in spans_in(collector) if each.get("parentSpanId") == applied["spanId"]} == {trace}
    assert collector.received[0].path == "/v1/traces"
    assert collector.received[0].headers["content-type"] == "application/json"
    logged = [each for each in bench.operator.logged if each.get("trace_id") == trace]
    assert {each["event"] for each in logged} >= {"reconciled"}


@pytest.mark.cluster
def test_a_revision_that_fails_says_where_and_an_idle_turn_says_nothing(
    bench: Bench, collector: NotificationSink
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    revision = sync.push({"a.yaml": "a: [\n"})
    sync.wait_failed(revision)
    trace = trace_for(sync, revision)
    [failed] = poll("the failure is told", lambda: turns(collector, trace, "Kustomization"))
    assert failed["status"]["code"] == 2
    [render] = [span for span in spans_in(collector) if span.get("parentSpanId") == failed["spanId"]]
    assert render["name"] == "render"
    assert failed["status"]["message"] in render["status"]["message"]
    good = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_ready(good)
    poll("the good one is told", lambda: turns(collector, trace_for(sync, good), "Kustomization"))
    sync.reconcile()
    later = sync.push({"a.yaml": config_map("a", "3")})
    sync.wait_ready(later)
    poll("the last one is told", lambda: turns(collector, trace_for(sync, later), "Kustomization"))
    assert len(turns(collector, trace_for(sync, good), "Kustomization")) == 1


def some(count: int, name: str = "x") -> tuple[Span, ...]:
    return tuple(Span("0" * 32, f"{number:016x}", "", name, 1, 2) for number in range(count))


async def test_a_collector_that_is_away_gets_all_later_and_nobody_waits_for_it() -> None:
    with NotificationSink() as sink:
        sink.answer = lambda _: Answer(503 if len(sink.received) < 3 else 200)
        exporter = OtlpExporter(sink.url + "/v1/traces", {}, pause=0.01)
        exporter.offer(some(MAX_TOGETHER + 10))
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = group.create_task(exporter.run())
            await asyncio.to_thread(poll, "all was sent", lambda: len(sink.received) >= 4)
            running.cancel()
        taken = [span["spanId"] for span in spans_in(sink)]
        assert len(set(taken)) == MAX_TOGETHER + 10
        assert sink.received[0].body == sink.received[2].body


async def test_what_waits_at_the_end_is_sent_and_what_is_too_much_is_dropped() -> None:
    with NotificationSink() as sink:
        exporter = OtlpExporter(sink.url, {"service.instance.id": "me"}, pause=60)
        exporter.offer(some(MAX_WAITING + 5))
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = group.create_task(exporter.run())
            await asyncio.sleep(0)
            running.cancel()
        taken = [span["spanId"] for span in spans_in(sink)]
        assert taken == [f"{number:016x}" for number in range(5, MAX_WAITING + 5)]


async def test_what_a_collector_refuses_is_not_sent_again() -> None:
    with NotificationSink() as sink:
        sink.answer = lambda _: Answer(400)
        exporter = OtlpExporter(sink.url, {}, pause=0.01)
        exporter.offer(some(1, "first"))
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            running = group.create_task(exporter.run())
            await asyncio.to_thread(poll, "the first was sent", lambda: sink.received)
            exporter.offer(some(1, "second"))
            await asyncio.to_thread(poll, "the second was sent", lambda: len(sink.received) >= 2)
            running.cancel()
        assert [span["name"] for span in spans_in(sink)] == ["first", "second"]
