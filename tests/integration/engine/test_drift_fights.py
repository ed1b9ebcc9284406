"""Somebody who keeps changing what git says is answered less and less often, and named."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sluice.core.fight import FIGHT_AFTER, FIRST_PAUSE
from tests.operator_fixture import Api, Bench, Sync, config_map, deployment, poll

SECONDS = 20.0


@contextmanager
def insisting(sync: Sync, path: str, body: dict[str, object], manager: str) -> Iterator[None]:
    """Another controller: puts its value back whenever it finds another."""
    stop = threading.Event()

    def insist() -> None:
        api = Api(sync.bench.cluster)
        while not stop.wait(0.1):
            api.patch(path, body, manager=manager)
        api.close()

    thread = threading.Thread(target=insist, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def test_a_fight_is_found_named_and_slowed_down(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web"), "a.yaml": config_map("a")})
    path = sync.at("apps/v1/deployments", "web")
    audit = bench.audit()
    with insisting(sync, path, {"spec": {"replicas": 3}}, "scaler"):
        told = sync.wait_condition("Drifted", "True", "FightDetected", seconds=60)["message"]
        assert f"field .spec.replicas of Deployment {sync.target}/web changed by scaler" in told
        assert "[E330]" in told
        assert "web.yaml:1" in told
        assert '{paths: ["/spec/replicas"], target: {kind: Deployment, name: web}}' in told
        before = len([w for w in sync.writes(audit) if not w.dry_run])
        assert before == FIGHT_AFTER
        # Another object of the same sync is set right at once meanwhile.
        bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
        poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})
        since = bench.audit()
        time.sleep(SECONDS)  # the claim is about what does not happen in it
        asked = [r for r in since.requests(bench.agent) if r.path == path]
    # The pause is a minute at least: at most one correction falls into this time, and nothing is asked before it.
    assert len([r for r in asked if r.verb == "patch" and not r.dry_run]) <= 1
    assert len(asked) <= 5
    where = f"/api/v1/namespaces/{sync.namespace}/events?fieldSelector=involvedObject.name={sync.name}"
    found = [e for e in (bench.api.get(where) or {})["items"] if e["reason"] == "FightDetected"]
    assert len(found) == 1


def test_who_deletes_an_object_that_is_fought_over_is_answered_at_once(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    path = sync.at("configmaps", "a")
    with insisting(sync, path, {"data": {"key": "theirs"}}, "other"):
        sync.wait_condition("Drifted", "True", "FightDetected", seconds=60)
    bench.api.delete(path)
    # Half of the pause that the fight has come to, and more than the machine needs.
    poll("a is there again", lambda: sync.live("configmaps", "a"), FIRST_PAUSE / 2)


def test_a_new_revision_does_not_wait_for_the_end_of_a_fight(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    path = sync.at("configmaps", "a")
    with insisting(sync, path, {"data": {"key": "theirs"}}, "other"):
        sync.wait_condition("Drifted", "True", "FightDetected", seconds=60)
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
    assert sync.config("a")["data"] == {"key": "2"}


def test_the_rule_that_the_message_names_ends_the_fight(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")})
    path = sync.at("apps/v1/deployments", "web")
    with insisting(sync, path, {"spec": {"replicas": 3}}, "scaler"):
        sync.wait_condition("Drifted", "True", "FightDetected", seconds=60)
        assert sync.condition("Drifted")["status"] == "True"
        sync.edit(ignore=[{"paths": ["/spec/replicas"], "target": {"kind": "Deployment", "name": "web"}}])
        sync.reconcile()
        audit = bench.audit()
        sync.reconcile()
        assert [w for w in sync.writes(audit) if not w.dry_run] == []
        assert sync.condition("Drifted") == {}
        poll("the other's value stands", lambda: (bench.api.get(path) or {})["spec"]["replicas"] == 3)
    sync.reconcile()
    assert (bench.api.get(path) or {})["spec"]["replicas"] == 3
