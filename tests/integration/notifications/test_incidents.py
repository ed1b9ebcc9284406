"""People are told of a failure once, of another cause, and of its end, in one thread where the service has them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sluice.core.egress import parse_egress
from sluice.core.event import Event, InvolvedObject
from sluice.core.incident import Mark
from sluice.notify.delivery import deliver
from sluice.notify.message import Request, Target
from sluice.notify.providers import BUILDERS
from sluice.notify.transport import Route, Transport
from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink
from tests.operator_fixture import Bench, config_map, poll

BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n"
REFUSED = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: $NS}\ndatta: {}\n"
FAILED = Event(
    InvolvedObject("Kustomization", "flux-system", "apps", "u-1"), "error", "2026-01-02T03:04:05Z", "no", "BuildFailed"
)
WELL = msgspec.structs.replace(FAILED, severity="info", message="Resolved after 2 min", reason="Succeeded")
SERVICES: dict[str, dict[str, Any]] = {
    "slack": {"address": "https://slack.com/api/chat.postMessage", "token": "x", "channel": "ops"},
    "telegram": {"token": "x", "channel": "-100"},
    "webex": {"address": "https://webexapis.com/v1/messages", "token": "x", "channel": "room"},
    "matrix": {"address": "https://matrix.org", "token": "x", "channel": "!room:matrix.org"},
    "googlechat": {"address": "https://chat.googleapis.com/v1/spaces/s/messages?key=k"},
    "opsgenie": {"address": "https://api.opsgenie.com/v2/alerts", "token": "x"},
}
ANSWERS = {
    "slack": (b'{"ok":true,"ts":"1503435956.000247"}', "1503435956.000247", "thread_ts"),
    "telegram": (b'{"ok":true,"result":{"message_id":42}}', "42", "reply_parameters"),
    "webex": (b'{"id":"Y2lzY28"}', "Y2lzY28", "parentId"),
    "matrix": (b'{"event_id":"$abc"}', "$abc", "m.relates_to"),
}


def request_of(type_: str, event: Event, mark: Mark) -> Request:
    """The one request for an event of an incident."""
    [request] = BUILDERS[type_](event, Target(type_, mark=mark, **SERVICES[type_]))
    return request


@pytest.mark.parametrize("type_", ANSWERS)
def test_what_follows_on_an_incident_goes_below_its_first_message(type_: str) -> None:
    answer, name, field = ANSWERS[type_]
    opened = request_of(type_, FAILED, Mark("i", "opened"))
    assert opened.thread is not None
    assert opened.thread(answer) == name
    assert field not in json.loads(opened.body)
    resolved = request_of(type_, WELL, Mark("i", "resolved", name))
    assert name in str(json.loads(resolved.body)[field])
    assert resolved.thread is None


@pytest.mark.parametrize("type_", ANSWERS)
@pytest.mark.parametrize("answer", [b"", b"[]", b"null", b'{"result":[],"id":{}}', b"\xff", b'{"ts":true}'])
def test_an_answer_that_names_no_message_begins_no_thread(type_: str, answer: bytes) -> None:
    opened = request_of(type_, FAILED, Mark("i", "opened"))
    assert opened.thread is not None
    assert opened.thread(answer) == ""


def test_slacks_channel_sees_the_end_that_is_in_the_thread_too() -> None:
    body = json.loads(request_of("slack", WELL, Mark("i", "resolved", "1.2")).body)
    assert (body["thread_ts"], body["reply_broadcast"]) == ("1.2", True)
    assert json.loads(request_of("slack", FAILED, Mark("i", "changed", "1.2")).body)["reply_broadcast"] is False


def test_google_chat_is_told_the_name_of_the_thread() -> None:
    for event, mark in ((FAILED, Mark("i", "opened")), (WELL, Mark("i", "resolved"))):
        request = request_of("googlechat", event, mark)
        assert request.url.endswith("?key=k&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
        assert json.loads(request.body)["thread"] == {"threadKey": "i"}


def test_opsgenies_alert_is_closed_with_its_incident() -> None:
    opened = request_of("opsgenie", FAILED, Mark("i", "opened"))
    closed = request_of("opsgenie", WELL, Mark("i", "resolved"))
    assert json.loads(opened.body)["alias"] == "i"
    assert closed.url == "https://api.opsgenie.com/v2/alerts/i/close?identifierType=alias"


async def test_the_answer_to_the_first_message_is_what_the_delivery_returns(sink: NotificationSink) -> None:
    sink.answer = lambda _: Answer(body=b'{"id":"Y2lzY28"}')
    target = Target("webex", sink.url, token="x", channel="room", mark=Mark("i", "opened"))
    async with Transport(parse_egress(("127.0.0.0/8",)), "sluice/test") as transport:
        assert await deliver(FAILED, target, transport, Route(), key="k") == "Y2lzY28"


# --- with a running operator ------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_a_failure_is_told_once_then_its_other_cause_then_its_end_in_one_thread(
    bench: Bench, sink: NotificationSink
) -> None:
    sink.answer = lambda _: Answer(body=b'{"id":"first"}')
    sync = bench.synced({"a.yaml": config_map("a")})
    notifications = Notifications(bench, sync)
    secret = notifications.secret(token="hunter9-of-webex")
    provider = notifications.provider("webex", address=sink.url, channel="room", secretRef={"name": secret})
    notifications.alert(provider, eventSeverity="error")
    sync.wait_failed(sync.push({"a.yaml": BROKEN}))
    poll("the failure was told", lambda: len(sink.received) == 1)
    sync.wait_failed(sync.push({"a.yaml": "# more\n" + BROKEN}))  # fails as before, on another line
    sync.wait_failed(sync.push({"a.yaml": REFUSED}))
    poll("the other cause was told", lambda: len(sink.received) == 2)
    fixed = sync.push({"a.yaml": config_map("a")})
    sync.wait_ready(fixed)
    poll("the end was told, though the alert wants errors only", lambda: len(sink.received) == 3)
    opened, changed, resolved = sink.bodies()
    assert "E202" in opened["markdown"]
    assert "Fails for another cause than before: " in changed["markdown"]
    assert "Resolved after " in resolved["markdown"]
    assert [body.get("parentId") for body in (opened, changed, resolved)] == [None, "first", "first"]


@pytest.mark.cluster
def test_whoever_opts_out_gets_every_event_as_flux_sends_it(bench: Bench, sink: NotificationSink) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    notifications = Notifications(bench, sync)
    provider = notifications.provider("slack", address=sink.url, incidents=False)
    notifications.alert(provider, eventMetadata={"who": "events"})
    notifications.alert(provider, eventMetadata={"who": "incidents"}, incidents=True)
    for lines in (1, 2):
        sync.wait_failed(sync.push({"a.yaml": "# more\n" * lines + BROKEN}))
    fixed = sync.push({"a.yaml": config_map("a")})
    sync.wait_ready(fixed)

    def told(who: str) -> list[str]:
        attachments = [body["attachments"][0] for body in sink.bodies()]
        return [a["text"] for a in attachments if {"title": "who", "value": who, "short": False} in a["fields"]]

    poll("all is told", lambda: len(told("events")) == 3 and len(told("incidents")) == 2)
    assert told("events")[-1] == f"Applied revision: {fixed}"
    assert told("incidents")[-1].startswith("Resolved after ")


@pytest.mark.cluster
def test_an_incident_of_before_a_restart_is_resolved_after_it_and_not_opened_twice(
    bench: Bench, sink: NotificationSink
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    notifications = Notifications(bench, sync)
    notifications.alert(notifications.provider("slack", address=sink.url))
    sync.wait_failed(sync.push({"a.yaml": BROKEN}))
    poll("the failure was told", lambda: len(sink.received) == 1)
    bench.operator.restart()
    sync.reconcile()
    sync.wait_ready(sync.push({"a.yaml": config_map("a")}))
    poll("the end was told", lambda: len(sink.received) == 2)
    assert sink.bodies()[1]["attachments"][0]["text"].startswith("Resolved after ")


@pytest.mark.cluster
def test_with_an_object_its_incident_ends_and_one_of_the_same_name_begins_another(
    bench: Bench, sink: NotificationSink
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    notifications = Notifications(bench, sync)
    notifications.alert(notifications.provider("slack", address=sink.url))
    notifications.alert(notifications.provider("generic", address=f"{sink.url}/hook"))

    def told() -> list[str]:
        return [r.json["attachments"][0]["text"] for r in sink.received if r.path == "/"]

    sync.wait_failed(sync.push({"a.yaml": BROKEN}))
    poll("the failure was told", lambda: len(told()) == 1)
    bench.api.delete(sync.path)
    sync.wait_gone()
    poll("its end was told", lambda: len(told()) == 2)
    sync.create()
    poll("the next failure was told", lambda: len(told()) == 3)
    assert told()[1].startswith("Resolved after ")
    assert told()[1].endswith(": Kustomization was deleted")
    assert "E202" in told()[2]
    assert [b for b in sink.bodies() if b.get("reason") == "Deleted"] == []
