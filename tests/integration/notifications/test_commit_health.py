"""A commit counts as live at its git host once what it changed is healthy, also where the sync waits for nothing."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.notification_objects import Notifications
from tests.notification_sink import Answer, NotificationSink, Received
from tests.operator_fixture import Bench, Sync, config_map, poll

pytestmark = pytest.mark.cluster

# A claim that no class can serve stays Pending until somebody says that it is bound.
CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: $NS}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: by-hand
  resources: {requests: {storage: 1Gi}}
"""

# It exits again and again, and is never ready.
CRASHING = """apiVersion: v1
kind: Pod
metadata: {name: web, namespace: $NS}
spec:
  containers: [{name: main, image: "app:crash"}]
"""


def host(request: Received) -> Answer:
    """A git host that has no status yet."""
    return Answer(body=b"[]") if request.method == "GET" else Answer(status=201)


def shown(sink: NotificationSink, revision: str) -> list[tuple[str, str]]:
    """States and descriptions that were set for a commit."""
    commit = revision.partition(":")[2]
    found = [r for r in sink.received if r.method == "POST" and r.path.endswith(f"/statuses/{commit}")]
    return [(r.json["state"], r.json["description"]) for r in found]


def watched(bench: Bench, sink: NotificationSink) -> Sync:
    """A repository whose host shows how its commits are."""
    sink.answer = host
    sync = bench.source()
    notifications = Notifications(bench, sync)
    secret = notifications.secret(token="hunter9-of-gitea")
    provider = notifications.provider("gitea", address=f"{sink.url}/org/fleet", secretRef={"name": secret})
    notifications.alert(provider)
    return sync


def bind(bench: Bench, sync: Sync) -> None:
    """Make the claim healthy."""
    bound: dict[str, Any] = {"status": {"phase": "Bound", "accessModes": ["ReadWriteOnce"]}}
    bench.api.patch(f"{sync.at('persistentvolumeclaims', 'data')}/status", bound)


def test_success_is_shown_once_what_the_commit_changed_is_healthy(bench: Bench, sink: NotificationSink) -> None:
    sync = watched(bench, sink)
    revision = sync.commit({"a.yaml": CLAIM})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    other = bench.synced({"b.yaml": config_map("b")})  # everybody's events have had their turn
    other.reconcile()
    assert shown(sink, revision) == []
    bind(bench, sync)
    poll("the status was set", lambda: shown(sink, revision))
    assert shown(sink, revision) == [("success", "reconciliation succeeded")]


def test_failure_is_shown_when_what_the_commit_changed_fails(bench: Bench, sink: NotificationSink) -> None:
    sync = watched(bench, sink)
    revision = sync.commit({"a.yaml": CRASHING})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    poll("the status was set", lambda: shown(sink, revision))
    assert shown(sink, revision) == [("failure", "health check failed")]


def test_of_a_commit_that_another_followed_nothing_is_said_any_more(bench: Bench, sink: NotificationSink) -> None:
    sync = watched(bench, sink)
    first = sync.commit({"a.yaml": CLAIM})
    sync.create_source()
    sync.create()
    sync.wait_ready(first)
    second = sync.push({"b.yaml": config_map("b")})
    sync.wait_ready(second)
    poll("the second was shown", lambda: shown(sink, second))
    bind(bench, sync)
    third = sync.push({"b.yaml": config_map("b", "2")})
    poll("the third was shown", lambda: shown(sink, third))
    assert shown(sink, first) == []


def test_the_next_process_waits_on_although_the_disk_is_gone(bench: Bench, sink: NotificationSink) -> None:
    sync = watched(bench, sink)
    revision = sync.commit({"a.yaml": CLAIM})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    bench.operator.kill()
    shutil.rmtree(bench.operator.settings.storage)
    bench.operator.start()
    sync.reconcile()
    assert shown(sink, revision) == []
    bind(bench, sync)
    poll("the status was set", lambda: shown(sink, revision))
    assert shown(sink, revision) == [("success", "reconciliation succeeded")]
