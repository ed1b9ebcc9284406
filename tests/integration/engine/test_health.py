"""Ready means healthy when the sync asks for it, and waiting holds nobody else up."""

from __future__ import annotations

from tests.operator_fixture import Bench, condition, config_map, deployment

JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: $NS}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "app:TAG"}]
"""


def test_with_wait_a_sync_is_ready_once_its_objects_are_and_says_what_it_waits_for(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"web.yaml": deployment("web", "app:slow-3s")})
    sync.create_source()
    sync.create(wait=True)
    waiting = sync.wait("it waits", lambda k: "Running health checks" in condition(k, "Reconciling").get("message", ""))
    progress = condition(waiting, "Reconciling")
    assert (progress["status"], progress["reason"]) == ("True", "Progressing")
    assert "with a timeout of" in progress["message"]
    assert condition(waiting, "Ready")["status"] == "Unknown"
    found = sync.wait_ready(revision)
    live = sync.live("apps/v1/deployments", "web") or {}
    assert live["status"]["availableReplicas"] == 1
    healthy = next(c for c in found["status"]["conditions"] if c["type"] == "Healthy")
    assert (healthy["status"], healthy["reason"]) == ("True", "Succeeded")
    assert sync.condition("Reconciling") == {}


def test_without_wait_a_sync_is_ready_at_once_and_says_nothing_of_health(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", "app:broken")})
    assert sync.condition("Healthy") == {}


def test_prune_waits_for_health_and_what_is_not_healthy_prunes_nothing(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")}, wait=True)
    job = JOB.replace("TAG", "fail")
    message = sync.wait_failed(sync.push({"a.yaml": None, "job.yaml": job}), "E303", "Undone")
    assert f"Job {sync.target}/migrate at job.yaml:9:20@" in message
    assert "container main exits with 1 [E712]" in message
    assert sync.live("configmaps", "a") is not None
    assert f"{sync.target}_a__ConfigMap" in sync.inventory()
    healthy = sync.condition("Healthy")
    assert (healthy["status"], healthy["reason"]) == ("False", "HealthCheckFailed")


def test_a_job_must_complete(bench: Bench) -> None:
    sync = bench.synced({"job.yaml": JOB.replace("TAG", "1")}, wait=True)
    assert (sync.live("batch/v1/jobs", "migrate") or {})["status"]["succeeded"] == 1


def test_an_expression_of_the_user_says_when_a_kind_is_healthy_and_when_it_failed(bench: Bench) -> None:
    sync = bench.source()
    first = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    rule = {"apiVersion": "v1", "kind": "ConfigMap", "current": "data.key == '1'", "failed": "data.key == '3'"}
    sync.create(wait=True, timeout="30s", healthCheckExprs=[rule])
    sync.wait_ready(first)
    second = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    third = sync.push({"a.yaml": config_map("a", "3")})
    assert second != third
    message = sync.wait_failed(third, "E303", "Undone")
    assert "data.key == '3' is true" in message
    assert sync.config("a")["data"] == {"key": "1"}


def test_health_checks_wait_for_the_named_objects_only(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit(
        {"good.yaml": deployment("good", "app:slow-1s"), "bad.yaml": deployment("bad", "app:broken")}
    )
    sync.create_source()
    check = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "good", "namespace": sync.target}
    sync.create(healthChecks=[check])
    sync.wait_ready(revision)
    assert (sync.live("apps/v1/deployments", "good") or {})["status"]["availableReplicas"] == 1
    assert sync.condition("Healthy")["status"] == "True"


def test_a_health_check_may_name_an_object_that_comes_later(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create(healthChecks=[{"apiVersion": "v1", "kind": "ConfigMap", "name": "later", "namespace": sync.target}])
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "later"}}
    bench.api.create(sync.at("configmaps", "later").rpartition("/")[0], body)
    sync.wait_ready(revision)


def test_a_newer_revision_supersedes_the_wait(bench: Bench) -> None:
    sync = bench.source()
    sync.commit({"web.yaml": deployment("web", "app:broken")})
    sync.create_source()
    sync.create(wait=True, timeout="5m")
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    sync.wait_ready(sync.push({"web.yaml": deployment("web", "app:2")}))


def test_an_edited_spec_supersedes_the_wait_and_objects_of_both_are_tracked(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"one/web.yaml": deployment("web", "app:broken"), "two/a.yaml": config_map("a")})
    sync.create_source()
    sync.create(wait=True, timeout="5m", path="./one")
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    sync.edit(path="./two")
    sync.wait_ready(revision)
    assert sync.live("apps/v1/deployments", "web") is None, "what the superseded wait had applied is pruned"
    assert sync.inventory() == [f"{sync.target}_a__ConfigMap"]


def test_suspending_ends_the_wait(bench: Bench) -> None:
    sync = bench.source()
    sync.commit({"web.yaml": deployment("web", "app:broken")})
    sync.create_source()
    sync.create(wait=True, timeout="5m")
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    sync.edit(suspend=True)
    sync.push({"web.yaml": deployment("web", "app:2")})
    sync.edit(suspend=False)
    sync.wait_condition("Ready", "True")


def test_a_source_that_vanishes_during_the_wait_is_no_accident(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"web.yaml": deployment("web", "app:slow-3s")})
    sync.create_source()
    sync.create(wait=True)
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    bench.api.delete(sync.source_path)
    sync.wait(
        "the outcome of the wait",
        lambda k: k["status"].get("lastAppliedRevision") == revision
        or "E105" in str(k["status"].get("conditions")),
    )  # fmt: skip


def test_what_is_not_healthy_in_time_is_named_with_its_place_and_blocks_nobody(bench: Bench) -> None:
    slow = []
    for image, code in (("app:broken", "[E711]"), ("app:unready", "[E714]"), ("app:crash", "[E712]")):
        sync = bench.source()
        revision = sync.commit({"apps/web.yaml": deployment("web", image), "a.yaml": config_map("a")})
        sync.create_source()
        sync.create(wait=True, timeout="30s")
        slow.append((sync, revision, code))
    for sync, _, _ in slow:
        sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    bench.synced({"a.yaml": config_map("quick")}, wait=True)
    for sync, revision, code in slow:
        message = sync.wait_failed(revision, "E304", "Undone", seconds=90)
        assert f"Deployment {sync.target}/web at apps/web.yaml:11:" in message  # the line of the container
        assert code in message
        assert "is not healthy after" in message
        assert "ConfigMap" not in message
        assert sync.status.get("lastAppliedRevision") is None
        assert sync.condition("Stalled")["reason"] == "Undone"
