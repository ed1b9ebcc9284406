"""A revision takes effect wholly, or the cluster is as it was and everyone knows why."""

from __future__ import annotations

from typing import Any

from tests.crd_text import crd_text
from tests.operator_fixture import FAILING_JOB, REQUESTED_AT, Audit, Bench, Sync, config_map, deployment, poll

POD = """apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: $NS}
spec:
  containers: [{name: main, image: "nginx:1", resources: {requests: {cpu: 100m}}}]
"""


def limit(bench: Bench, sync: Sync, what: str, hard: str) -> None:
    """Put a quota on the target namespace, and wait until it counts."""
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {what: hard}}}
    bench.api.create(sync.at("resourcequotas", "q").rpartition("/")[0], body)
    poll("the quota counts", lambda: (sync.live("resourcequotas", "q") or {}).get("status", {}).get("used"))


SLOW = "apps/v1/deployments"


def give_up(bench: Bench, path: str) -> None:
    """Let a Deployment that does not get ready be given up, now that what the test is about has happened."""
    bench.api.patch(path, {"spec": {"progressDeadlineSeconds": 1}}, manager="me")


def owners(found: dict[str, Any]) -> list[tuple[str, str, Any]]:
    managers = found["metadata"]["managedFields"]
    return sorted(
        (m["manager"], m["operation"], str(m["fieldsV1"])) for m in managers if m.get("subresource") != "status"
    )


def test_a_first_revision_that_fails_leaves_nothing(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"a.yaml": config_map("a"), "job.yaml": FAILING_JOB})
    sync.create_source()
    sync.create(wait=True)
    message = sync.wait_failed(revision, "migrate failed", reason="Undone")
    assert "[E303]" in message
    assert "job.yaml:6:56@" in message
    assert "as it was before the first revision" in message
    assert sync.condition("Stalled")["status"] == "True"
    assert sync.live("configmaps", "a") is None
    assert sync.live("batch/v1/jobs", "migrate") is None
    assert sync.inventory() == []


def test_forty_two_claims_of_cpu_under_a_quota_of_twenty_five_leave_none(bench: Bench) -> None:
    sync = bench.source()
    limit(bench, sync, "requests.cpu", "2500m")
    revision = sync.commit({f"{n}.yaml": POD.replace("NAME", f"p{n}") for n in range(42)})
    sync.create_source()
    sync.create()
    message = sync.wait_failed(revision, "quota", reason="Undone")
    assert "[E305]" in message
    poll("all pods gone", lambda: not [n for n in range(42) if sync.live("pods", f"p{n}") is not None])


def test_an_update_that_fails_gives_every_object_its_values_and_owners_back(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "d.yaml": deployment("web", replicas=1)}, wait=True)
    bench.api.patch(sync.at("apps/v1/deployments", "web"), {"metadata": {"annotations": {"seen": "yes"}}})
    before, web = sync.config("a"), sync.live("apps/v1/deployments", "web")
    assert web is not None
    revision = sync.push(
        {
            "a.yaml": config_map("a", "2"),
            "b.yaml": config_map("b"),
            "d.yaml": deployment("web", "nginx:2", replicas=1),
            "job.yaml": FAILING_JOB,
        }
    )
    sync.wait_failed(revision, reason="Undone")
    after, web_after = sync.config("a"), sync.live("apps/v1/deployments", "web")
    assert web_after is not None
    assert after["data"] == before["data"]
    assert owners(after) == owners(before)
    assert web_after["spec"] == web["spec"]
    assert web_after["metadata"]["uid"] == web["metadata"]["uid"]
    assert web_after["metadata"]["annotations"]["seen"] == "yes"
    assert sync.live("configmaps", "b") is None
    assert sync.live("batch/v1/jobs", "migrate") is None
    assert sync.status["lastAppliedRevision"] != revision


def test_replicas_that_an_autoscaler_owned_are_its_own_again_with_its_value(bench: Bench) -> None:
    without = deployment("web").replace("  replicas: 1\n", "")
    sync = bench.synced({"d.yaml": without})
    path = sync.at("apps/v1/deployments", "web")
    bench.api.patch(path, {"spec": {"replicas": 3}}, manager="hpa")
    before = bench.api.get(path)
    assert before is not None
    sync.edit(wait=True)
    sync.wait("the wait is known", lambda k: k["status"].get("observedGeneration") == 2)
    revision = sync.push({"d.yaml": deployment("web", replicas=1), "job.yaml": FAILING_JOB})
    sync.wait_failed(revision, reason="Undone")
    after = bench.api.get(path)
    assert after is not None
    assert after["spec"]["replicas"] == 3
    assert owners(after) == owners(before)


def test_an_undone_revision_is_not_tried_again_until_somebody_asks_or_git_changes(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True)
    bad = sync.push({"a.yaml": config_map("a", "2"), "job.yaml": FAILING_JOB})
    sync.wait_failed(bad, reason="Undone")
    audit = bench.audit()
    same = sync.push({"README.md": "no manifest of this sync changes\n"})
    sync.wait("the new commit was seen", lambda k: k["status"].get("lastAttemptedRevision") == same)
    assert sync.condition("Ready")["reason"] == "Undone"
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    sync.reconcile()
    assert any(w.verb == "patch" and not w.dry_run for w in sync.writes(audit)), "a person asked: it is tried again"
    good = sync.push({"job.yaml": None})
    sync.wait_ready(good)
    assert sync.config("a")["data"] == {"key": "2"}


def test_a_failure_that_is_remembered_is_told_as_it_was_when_it_was_new(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True)
    message = sync.wait_failed(sync.push({"job.yaml": FAILING_JOB}), "job.yaml:6:", reason="Undone")
    bench.operator.restart()
    look_again(sync)
    assert sync.message == message


def look_again(sync: Sync) -> None:
    """Wait for the first failing turn of an operator that has just started."""
    logged = sync.bench.operator.logged
    since = max(at for at, entry in enumerate(logged) if entry.get("event") == "leading")
    poll("it has a turn", lambda: [e for e in logged[since:] if e.get("event") == "not reconciled"
                                   and e.get("name") == sync.name])  # fmt: skip


def tries(sync: Sync, audit: Audit, name: str) -> int:
    """How many times an object that the bad revision adds was applied."""
    path = sync.at("configmaps", name)
    return len([w for w in sync.writes(audit) if w.verb == "patch" and w.path == path and not w.dry_run])


def test_a_request_made_while_the_revision_was_failing_is_answered_by_its_undo(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True)
    audit = bench.audit()
    bad = sync.push({"b.yaml": config_map("b"), "d.yaml": deployment("slow", "app:unready")})
    poll("it is under way", lambda: sync.live(SLOW, "slow"))
    token = sync.request()
    give_up(bench, sync.at(SLOW, "slow"))
    sync.wait_failed(bad, reason="Undone")
    sync.wait("the request is handled", lambda k: k["status"].get("lastHandledReconcileAt") == token)
    assert sync.condition("Ready")["reason"] == "Undone"
    assert tries(sync, audit, "b") == 1
    later = sync.request()
    poll("a request that came after it tries again", lambda: tries(sync, audit, "b") == 2 and sync.live(SLOW, "slow"))
    give_up(bench, sync.at(SLOW, "slow"))
    sync.wait("the later request is handled", lambda k: k["status"].get("lastHandledReconcileAt") == later)


def test_a_failed_revision_has_answered_the_request_that_fetched_it(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True)
    audit = bench.audit()
    bad = sync.commit({"b.yaml": config_map("b"), "job.yaml": FAILING_JOB})
    asked = {"metadata": {"annotations": {REQUESTED_AT: "one token for both"}}}
    bench.api.patch(sync.source_path, asked)
    sync.wait_failed(bad, reason="Undone")
    bench.api.patch(sync.path, asked)
    sync.wait("handled", lambda k: k["status"].get("lastHandledReconcileAt") == "one token for both")
    assert tries(sync, audit, "b") == 1


CLAIM = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: $NS}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


def test_a_claim_that_may_hold_data_is_kept_tracked_and_named(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"pvc.yaml": CLAIM, "job.yaml": FAILING_JOB})
    sync.create_source()
    sync.create(healthChecks=[{"apiVersion": "batch/v1", "kind": "Job", "name": "migrate", "namespace": sync.target}])
    message = sync.wait_failed(revision, reason="Undone")
    assert "disk is kept" in message
    assert sync.live("persistentvolumeclaims", "disk") is not None
    assert sync.inventory() == [f"{sync.target}_disk__PersistentVolumeClaim"]
    sync.reconcile()
    assert sync.condition("Ready")["reason"] == "Undone"
    assert "disk is kept" in sync.message, "another undo names it again"


def test_a_namespace_in_which_somebody_put_a_secret_is_kept(bench: Bench) -> None:
    sync = bench.source()
    place = f"{sync.target}-new"
    revision = sync.commit(
        {
            "ns.yaml": f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {place}}}\n",
            "a.yaml": config_map("a", namespace=place),
            "d.yaml": deployment("web", "nginx:unready").replace("$NS", place),
        }
    )
    sync.create_source()
    sync.create(healthChecks=[{"kind": "Deployment", "name": "web", "namespace": place}])
    poll("the namespace is there", lambda: bench.api.get(f"/api/v1/namespaces/{place}"))
    poll("the Deployment is there", lambda: bench.api.get(f"/apis/apps/v1/namespaces/{place}/deployments/web"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}}
    bench.api.create(f"/api/v1/namespaces/{place}/secrets", secret)
    give_up(bench, f"/apis/apps/v1/namespaces/{place}/deployments/web")
    message = sync.wait_failed(revision, reason="Undone")
    assert f"Namespace {place} is kept" in message
    assert "Secret" in message
    assert bench.api.get(f"/api/v1/namespaces/{place}/secrets/mine") is not None
    assert bench.api.get(f"/api/v1/namespaces/{place}/configmaps/a") is None
    assert sync.inventory() == [f"_{place}__Namespace"]


def test_an_object_that_was_unhealthy_without_us_is_reported_and_takes_nothing_back(bench: Bench) -> None:
    stuck = deployment("stuck", "app:unready").replace("  replicas", "  progressDeadlineSeconds: 1\n  replicas", 1)
    sync = bench.synced({"a.yaml": config_map("a"), "d.yaml": stuck})
    poll(
        "the Deployment has given up",
        lambda: "ProgressDeadlineExceeded" in str(sync.live("apps/v1/deployments", "stuck")),
    )
    sync.edit(wait=True)
    revision = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_failed(revision, "stuck failed", reason="HealthCheckFailed")
    assert sync.config("a")["data"] == {"key": "2"}


def test_stop_leaves_what_was_applied_and_says_so(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"a.yaml": config_map("a"), "job.yaml": FAILING_JOB})
    sync.create_source()
    sync.create(wait=True, onFailure="Stop")
    message = sync.wait_failed(revision, "migrate failed", reason="HealthCheckFailed")
    assert message.endswith(f"\nLeft: what was applied of {revision} stays in the cluster")
    assert sync.live("configmaps", "a") is not None
    assert len(sync.inventory()) == 2


def test_continue_applies_what_can_be_applied_and_prunes_nothing(bench: Bench) -> None:
    sync = bench.synced({"old.yaml": config_map("old")}, onFailure="Continue")
    limit(bench, sync, "count/secrets", "1")
    secrets = {
        f"{name}.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: $NS}}\n"
        for name in ("one", "two")
    }
    revision = sync.push({"old.yaml": None, **secrets, "d.yaml": deployment("web")})
    sync.wait_failed(revision, "quota", reason="ReconciliationFailed")
    assert [n for n in ("one", "two") if sync.live("secrets", n) is not None] != []
    assert sync.live("apps/v1/deployments", "web") is not None
    assert sync.live("configmaps", "old") is not None


def test_an_operator_killed_half_way_still_goes_back_to_before_the_first_attempt(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True)
    before = sync.config("a")
    sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b"), "d.yaml": deployment("web", "nginx:unready")})
    poll("the Deployment is there", lambda: sync.live("apps/v1/deployments", "web"))
    bench.operator.kill()
    bench.operator.start()
    revision = sync.push({"a.yaml": config_map("a", "3"), "d.yaml": None, "job.yaml": FAILING_JOB})
    sync.wait_failed(revision, reason="Undone", seconds=60)
    assert sync.config("a")["data"] == before["data"]
    assert owners(sync.config("a")) == owners(before)
    for kind, name in (("configmaps", "b"), ("apps/v1/deployments", "web"), ("batch/v1/jobs", "migrate")):
        assert sync.live(kind, name) is None, name


def test_a_revision_that_waits_for_health_is_taken_back_when_the_next_one_is_refused(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True, timeout="5m")
    before = sync.config("a")
    sync.push({"a.yaml": config_map("a", "2"), "d.yaml": deployment("web", "nginx:unready")})
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    revision = sync.push({"broken.yaml": "kind: [\n"})
    sync.wait_failed(revision, "[E202]", reason="BuildFailed")
    assert owners(sync.config("a")) == owners(before)
    assert sync.config("a")["data"] == before["data"]
    assert sync.live("apps/v1/deployments", "web") is None
    where = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=reason=Undone,involvedObject.name={sync.name}"
    poll("somebody is told", lambda: "[E326]" in str(bench.api.get(where)))
    # It had not failed: as soon as git can be applied again it is tried again.
    sync.push({"broken.yaml": None})
    poll("it is tried again", lambda: sync.live("apps/v1/deployments", "web"))


def test_killed_half_way_and_the_next_revision_refused_by_the_api_server_it_is_taken_back(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True, timeout="5m")
    sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b"), "d.yaml": deployment("web", "nginx:unready")})
    poll("the Deployment is there", lambda: sync.live("apps/v1/deployments", "web"))
    bench.operator.kill()
    bench.operator.start()
    revision = sync.push({"d.yaml": deployment("web").replace("replicas:", "replica:")})
    sync.wait_failed(revision, "[E204]")
    assert sync.config("a")["data"] == {"key": "1"}
    for kind, name in (("configmaps", "b"), ("apps/v1/deployments", "web")):
        assert sync.live(kind, name) is None, name


def test_a_revision_that_a_quota_undid_is_tried_again_when_the_quota_allows_more(bench: Bench) -> None:
    sync = bench.source()
    limit(bench, sync, "requests.cpu", "300m")
    revision = sync.commit({f"{n}.yaml": POD.replace("NAME", f"p{n}") for n in range(5)})
    sync.create_source()
    sync.create(retryInterval="1s")
    sync.wait_failed(revision, "[E305]", reason="Undone")
    poll("all pods gone", lambda: not [n for n in range(5) if sync.live("pods", f"p{n}") is not None])
    audit = bench.audit()
    looks = f"/namespaces/{sync.target}/resourcequotas"
    poll("it looks at the quota", lambda: len([r for r in audit.requests(bench.agent) if r.path.endswith(looks)]) > 2)
    assert [w for w in sync.writes(audit) if not w.dry_run] == [], "while the quota is as it was, nothing is tried"
    bench.api.patch(sync.at("resourcequotas", "q"), {"spec": {"hard": {"requests.cpu": "600m"}}})
    sync.wait_ready(revision)
    assert [n for n in range(5) if sync.live("pods", f"p{n}") is None] == []


def test_a_revision_that_was_undone_is_tried_again_when_a_variable_of_it_changes(bench: Bench) -> None:
    sync = bench.source()
    sync.create_source()
    place = f"/api/v1/namespaces/{bench.namespace}/configmaps"
    name = f"vars-{sync.name}"
    bench.api.create(place, {"kind": "ConfigMap", "metadata": {"name": name}, "data": {"image": "migrate:fail"}})
    revision = sync.commit({"a.yaml": config_map("a"), "job.yaml": FAILING_JOB.replace("migrate:fail", "${image}")})
    build = {"substituteFrom": [{"kind": "ConfigMap", "name": name}]}
    sync.create(wait=True, retryInterval="1s", postBuild=build)
    sync.wait_failed(revision, "migrate failed", reason="Undone")
    bench.api.patch(f"{place}/{name}", {"data": {"image": "migrate:complete"}})
    sync.wait_ready(revision)
    assert sync.live("configmaps", "a") is not None


def test_a_field_that_somebody_wrote_between_apply_and_undo_stays_and_is_named(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")}, wait=True, drift="Ignore")
    slow = deployment("slow", "app:unready")
    bad = sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b", "2"), "d.yaml": slow})
    sync.wait_condition("Reconciling", "True", text="Running health checks")
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited", "theirs": "yes"}})
    give_up(bench, sync.at(SLOW, "slow"))
    message = sync.wait_failed(bad, reason="Undone")
    assert sync.config("a")["data"] == {"key": "edited", "theirs": "yes"}
    assert sync.config("b")["data"] == {"key": "1"}
    assert f"ConfigMap {sync.target}/a is kept" in message, "also where all that the revision had changed is theirs now"
    assert "somebody else changed data.key since" in message
    assert message.endswith(", but for what is kept")


def test_a_crd_of_which_somebody_made_an_object_is_kept(bench: Bench) -> None:
    sync = bench.source()
    group = f"{sync.name}.example.com"
    crd = crd_text(group)
    files = {"crd.yaml": crd, "d.yaml": deployment("slow", "app:unready"), "a.yaml": config_map("a")}
    revision = sync.commit(files)
    sync.create_source()
    sync.create(wait=True)
    place = f"/apis/{group}/v1/namespaces/{sync.target}/things"
    theirs = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "theirs"}}
    poll("somebody makes one", lambda: bench.api.request("POST", place, theirs)[0] == 201)
    poll("the Deployment is there", lambda: sync.live(SLOW, "slow"))
    give_up(bench, sync.at(SLOW, "slow"))
    message = sync.wait_failed(revision, reason="Undone")
    assert f"CustomResourceDefinition things.{group} is kept" in message
    assert bench.api.get(f"{place}/theirs") is not None
    assert sync.live("configmaps", "a") is None
    assert sync.inventory() == [f"_things.{group}_apiextensions.k8s.io_CustomResourceDefinition"]
