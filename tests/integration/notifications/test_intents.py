"""What somebody is to be told stands in the object's status: neither a dead process nor a lost disk takes it away."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from sluice.api.kinds import ObjectMeta
from sluice.api.notification_intent import MAX_INTENTS, MAX_MESSAGE, intent_of, is_recent, occurrence_of
from sluice.core.event import Event, InvolvedObject, Occurrence
from sluice.core.ids import NamespacedName
from sluice.reconcilers.notification_ledger import NAME
from sluice.runtime.notification_intents import NotificationIntents, subject_of
from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink
from tests.operator_fixture import Bench, Sync, config_map, poll

BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n"
DOWN = Answer(status=503)
KEY = NamespacedName("flux-system", "apps")
EVENT = Event(
    InvolvedObject("Kustomization", "flux-system", "apps", "u-1", "kustomize.toolkit.fluxcd.io/v1", "7"),
    "error",
    "2026-01-02T03:04:05Z",
    "not ready",
    "HealthCheckFailed",
    {"kustomize.toolkit.fluxcd.io/revision": "main@sha1:1"},
    "kustomize-controller",
)


def happened(number: int = 0, message: str = "not ready") -> Occurrence:
    """One event of the object; another number is another event."""
    event = msgspec.structs.replace(EVENT, message=message, reason=f"Failed{number}")
    return Occurrence(event, {"team": "pay"}, "E303 x")


def test_what_a_status_says_makes_the_event_again_under_its_own_name() -> None:
    meta = ObjectMeta(name="apps", namespace="flux-system", uid="u-1", labels={"team": "pay"}, resourceVersion="7")
    before = happened()
    again = occurrence_of(intent_of(before), "kustomize.toolkit.fluxcd.io/v1", "Kustomization", meta)
    assert again == replace(before, known_as=before.name)
    long = happened(message="x" * 5000)
    cut = occurrence_of(intent_of(long), "kustomize.toolkit.fluxcd.io/v1", "Kustomization", meta)
    assert (len(cut.event.message), cut.name) == (MAX_MESSAGE, long.name)


def test_only_what_our_key_has_sealed_for_that_very_object_is_told() -> None:
    intents = NotificationIntents()
    intents.add(happened())
    [unsealed] = intents.of("Kustomization", KEY)
    assert not intents.is_ours(unsealed, "u-1")
    intents.seal_with(b"k" * 32)
    intents.add(happened())
    [sealed] = intents.of("Kustomization", KEY)
    assert intents.is_ours(sealed, "u-1")
    assert not intents.is_ours(sealed, "u-2")
    assert not intents.is_ours(msgspec.structs.replace(sealed, message="all is well"), "u-1")
    assert not intents.is_ours(unsealed, "u-1")
    assert not intents.is_ours(msgspec.structs.replace(sealed, seal="é"), "u-1")


def test_a_status_names_the_last_few_events_and_none_that_is_settled() -> None:
    intents = NotificationIntents()
    made = [happened(number) for number in range(MAX_INTENTS + 3)]
    for each in made:
        intents.add(each)
    said = [each.id for each in intents.of("Kustomization", KEY)]
    assert said == [each.name for each in made[3:]]
    for each in made:
        intents.settle(subject_of(each), each.name)
    assert intents.of("Kustomization", KEY) == ()


@pytest.mark.parametrize(
    ("at", "recent"),
    [
        ("2026-01-02T03:04:05Z", True),
        ("2026-01-01T03:05:05Z", True),
        ("2026-01-01T03:03:05Z", False),
        ("2026-01-02T03:04:05", False),
        ("yesterday", False),
        ("", False),
    ],
)
def test_what_is_older_than_a_day_or_says_no_time_is_told_to_nobody(at: str, *, recent: bool) -> None:
    intent = msgspec.structs.replace(intent_of(happened()), at=at)
    assert is_recent(intent, datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)) is recent


# --- with a running operator ------------------------------------------------------------------------------------------


def lose_everything(bench: Bench) -> None:
    """Kill the process, and take its disk away."""
    bench.operator.kill()
    shutil.rmtree(bench.operator.settings.storage)


def ledger(bench: Bench) -> dict[str, Any]:
    """What the Secret says."""
    found = bench.api.get(f"/api/v1/namespaces/{bench.namespace}/secrets/{NAME}")
    assert found is not None
    return dict(json.loads(zlib.decompress(base64.b64decode(found["data"]["ledger"]))))


def intended(sync: Sync) -> list[str]:
    """Reasons of the events that the status names."""
    return [each["reason"] for each in sync.status.get("notifications", ())]


def failing_unheard(bench: Bench, sink: NotificationSink, **alert: Any) -> tuple[Sync, Notifications]:
    """A sync that fails while the receiver of that is down."""
    sink.answer = lambda _: DOWN
    sync = bench.synced({"a.yaml": config_map("a")})
    notifications = Notifications(bench, sync)
    notifications.alert(notifications.provider("generic", address=sink.url), eventSeverity="error", **alert)
    sync.wait_failed(sync.push({"a.yaml": BROKEN}))
    poll("it was tried", lambda: sink.events("BuildFailed"))
    return sync, notifications


@pytest.mark.cluster
def test_what_was_not_delivered_is_told_after_the_process_and_its_disk_are_gone(
    bench: Bench, sink: NotificationSink
) -> None:
    sync, _ = failing_unheard(bench, sink)
    assert intended(sync) == ["BuildFailed"]
    key = sink.received[0].headers["idempotency-key"]
    sync.edit(suspend=True)  # no turn of the next process makes the event anew
    lose_everything(bench)
    tries = len(sink.received)
    sink.answer = lambda _: Answer()
    bench.operator.start()
    poll("it was told", lambda: len(sink.received) > tries)
    assert sink.received[tries].headers["idempotency-key"] == key
    assert sink.bodies()[tries]["reason"] == "BuildFailed"


@pytest.mark.cluster
def test_what_was_delivered_is_not_told_again_although_the_disk_is_gone(bench: Bench, sink: NotificationSink) -> None:
    sync, _ = failing_unheard(bench, sink)
    sync.edit(suspend=True)
    sink.answer = lambda _: Answer()
    tries = len(sink.received)
    poll("it was told", lambda: len(sink.received) > tries)
    name = sink.received[-1].headers["idempotency-key"]
    poll("that is written down", lambda: name[:16] in ledger(bench).get("delivered", {}))
    assert intended(sync) == ["BuildFailed"]  # no request is made to take it away
    told = len(sink.received)
    lose_everything(bench)
    bench.operator.start()
    other = bench.synced({"b.yaml": config_map("b")})
    more = Notifications(bench, other)
    more.alert(more.provider("generic", address=sink.url))
    other.push({"b.yaml": config_map("b", "2")})
    poll("another event was told", lambda: [b for b in sink.bodies() if b["involvedObject"]["name"] == other.name])
    assert [b for b in sink.bodies()[told:] if b["involvedObject"]["name"] == sync.name] == []


@pytest.mark.cluster
def test_what_somebody_else_wrote_into_a_status_is_told_to_nobody(bench: Bench, sink: NotificationSink) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    notifications = Notifications(bench, sync)
    notifications.alert(notifications.provider("generic", address=sink.url))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    forged = {"id": "0" * 32, "at": now, "severity": "info", "reason": "Forged", "message": "all is well", "seal": "x"}
    bench.operator.stop()
    bench.api.patch(f"{sync.path}/status", {"status": {"notifications": [forged]}})
    bench.operator.start()
    sync.push({"a.yaml": config_map("a", "2")})
    poll("a true event was told", lambda: sink.events("ReconciliationSucceeded"))
    assert sink.events("Forged") == []


@pytest.mark.cluster
def test_that_an_event_was_told_costs_no_request_and_is_said_with_the_next_turn(
    bench: Bench, sink: NotificationSink
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    notifications = Notifications(bench, sync)
    notifications.alert(notifications.provider("generic", address=sink.url), eventSeverity="error")
    sync.wait_failed(sync.push({"a.yaml": BROKEN}))
    [told] = poll("it was told", lambda: sink.received)
    audit = bench.audit()
    poll("that is written down", lambda: told.headers["idempotency-key"][:16] in ledger(bench).get("delivered", {}))
    assert intended(sync) == ["BuildFailed"]
    assert [w for w in audit.writes(bench.agent) if w.path == f"{sync.path}/status"] == []
    sync.reconcile()
    poll("the turn said it", lambda: intended(sync) == [])


@pytest.mark.cluster
def test_what_proves_intents_can_not_be_written_by_a_sync(bench: Bench) -> None:
    forged = (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {NAME}, namespace: {bench.namespace}}}\nstringData: {{}}\n"
    )
    _, message = bench.failing({"a.yaml": forged}, "E316")
    assert NAME in message
    found = bench.api.get(f"/api/v1/namespaces/{bench.namespace}/secrets/{NAME}")
    assert found is not None
    assert found["metadata"]["labels"] == {"sluice.dev/record": "notifications"}
