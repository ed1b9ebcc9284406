"""A hundred objects that fail at once: people get a few messages, programs every event, and syncs wait for neither."""

from __future__ import annotations

import re

import pytest

from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink, Received
from tests.operator_fixture import Bench, Sync, config_map, poll

pytestmark = pytest.mark.cluster

BROKEN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a\n"
MANY = 100
SOME = re.compile(r"^(\d+) events, of which this is the first: ")


def told_to_people(sink: NotificationSink, color: str) -> list[int]:
    """Of how many events each message of that colour tells."""
    texts = [
        attachment["text"]
        for request in sink.received
        if request.path == "/chat"
        for attachment in request.json["attachments"]
        if attachment["color"] == color
    ]
    return [int(match[1]) if (match := SOME.match(text)) else 1 for text in texts]


def told_to_programs(sink: NotificationSink, severity: str) -> set[str]:
    """The objects of whose events a program got one."""
    events = [request.json for request in sink.received if request.path == "/hook"]
    return {event["involvedObject"]["name"] for event in events if event["severity"] == severity}


def crowd(bench: Bench, sink: NotificationSink) -> tuple[Sync, set[str]]:
    """A source, so many Kustomizations of it, and a chat and a program that are told of all of them."""
    sync = bench.source()
    notifications = Notifications(bench, sync)
    names = {f"{sync.name}-{number}" for number in range(MANY)}
    everything = [{"kind": "Kustomization", "name": "*", "matchLabels": {"storm": sync.name}}]
    for type_, path in (("slack", "/chat"), ("generic", "/hook")):
        provider = notifications.provider(type_, address=f"{sink.url}{path}")
        notifications.alert(provider, eventSources=everything)
    return sync, names


def test_f126_a_storm_is_grouped_for_people_and_whole_for_programs(bench: Bench, sink: NotificationSink) -> None:
    sync, names = crowd(bench, sink)
    sync.commit({"a.yaml": BROKEN})
    sync.create_source()
    for name in sorted(names):
        sync.create(metadata={"name": name, "labels": {"storm": sync.name}})
    poll("programs were told of each", lambda: told_to_programs(sink, "error") == names)
    poll("people were told of each", lambda: sum(told_to_people(sink, "danger")) == MANY)
    assert len(told_to_people(sink, "danger")) < MANY / 2
    sync.push({"a.yaml": config_map("a")})
    # One of them has the object; the others are refused it, which is another cause than before.
    poll("people were told of the end of one", lambda: told_to_people(sink, "good"))


def test_f125_receivers_that_hang_fail_and_ask_to_wait_hold_up_no_sync(bench: Bench, sink: NotificationSink) -> None:
    def answer(request: Received) -> Answer:
        answers = {
            "/hang": Answer(hang=8.0),
            "/fail": Answer(status=500),
            "/busy": Answer(status=429, headers={"Retry-After": "3600"}),
            "/moved": Answer(status=301, headers={"Location": "http://elsewhere.example.com/"}),
        }
        return answers.get(request.path, Answer())

    sink.answer = answer
    sync = bench.source()
    notifications = Notifications(bench, sync)
    for path in ("hang", "fail", "busy", "moved", "well"):
        notifications.alert(notifications.provider("generic", address=f"{sink.url}/{path}"))
    sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    for value in ("2", "3", "4"):
        sync.wait_ready(sync.push({"a.yaml": config_map("a", value)}))

    def arrived(path: str) -> int:
        return len([r for r in sink.received if r.path == path and r.json["reason"] == "ReconciliationSucceeded"])

    poll("the one that is well got all", lambda: arrived("/well") >= 4)
    poll("the others were tried", lambda: min(arrived(f"/{path}") for path in ("hang", "fail", "busy", "moved")) >= 1)
    assert arrived("/busy") == 1
