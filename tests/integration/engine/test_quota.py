"""Quotas are computed ahead of the first write, and cost nothing where nothing is created."""

from __future__ import annotations

import pytest

from tests.operator_fixture import Audit, Bench, Sync, config_map, deployment, poll

pytestmark = pytest.mark.cluster


def limit(bench: Bench, sync: Sync, what: str, hard: str) -> None:
    """Put a quota on the target namespace, and wait until it counts."""
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {what: hard}}}
    bench.api.create(sync.at("resourcequotas", "q").rpartition("/")[0], body)
    poll("the quota counts", lambda: (sync.live("resourcequotas", "q") or {}).get("status", {}).get("used"))


def secret(name: str) -> str:
    """An empty Secret: a namespace has none of its own."""
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: $NS}}\n"


def lists(audit: Audit, bench: Bench, sync: Sync) -> int:
    """How often the operator asked for the quotas of the target namespace."""
    return sum(f"{sync.target}/resourcequotas" in w.path for w in audit.requests(bench.agent))


def test_more_objects_than_a_quota_has_room_for_are_refused_before_any_write(bench: Bench) -> None:
    sync = bench.source()
    limit(bench, sync, "count/secrets", "25")
    audit = bench.audit()
    revision = sync.commit({f"{n:02}.yaml": secret(f"c{n:02}") for n in range(42)})
    sync.create_source()
    sync.create(retryInterval="1s")
    message = sync.wait_failed(revision, "E305", reason="ReconciliationFailed")
    assert "17 problems" in message
    assert f"Secret {sync.target}/c25 at 25.yaml:" in message
    assert f"Secret {sync.target}/c41 at 41.yaml:" in message
    assert "c24 " not in message
    assert "count/secrets: hard 25, used 0, and this revision wants 42 more" in message
    assert not sync.writes(audit), "not so much as a dry-run"
    bench.api.patch(sync.at("resourcequotas", "q"), {"spec": {"hard": {"count/secrets": "42"}}})
    sync.wait_ready(revision)


def test_pods_without_room_are_a_warning_and_the_revision_is_applied(bench: Bench) -> None:
    sync = bench.source()
    limit(bench, sync, "pods", "1")
    revision = sync.commit({"web.yaml": deployment("web", replicas=3)})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)

    def warned() -> bool:
        events = bench.api.get(f"/api/v1/namespaces/{sync.namespace}/events") or {}
        found = [e for e in events["items"] if e["involvedObject"]["name"] == sync.name]
        return any("W405" in e["message"] and "pods: hard 1, used 0, and they ask for 3" in e["message"] for e in found)

    poll("the warning is an event", warned)


def test_quotas_are_asked_for_only_when_something_is_created(bench: Bench) -> None:
    audit = bench.audit()
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    assert lists(audit, bench, sync) == 1
    audit = bench.audit()
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
    sync.wait_ready(sync.push({"b.yaml": None}))
    sync.reconcile()
    assert lists(audit, bench, sync) == 0


def test_continue_creates_what_has_room(bench: Bench) -> None:
    sync = bench.source()
    limit(bench, sync, "count/secrets", "1")
    revision = sync.commit({"a.yaml": secret("a"), "b.yaml": secret("b")})
    sync.create_source()
    sync.create(onFailure="Continue")
    sync.wait_failed(revision, "E305")
    assert sum(sync.live("secrets", name) is not None for name in "ab") == 1
