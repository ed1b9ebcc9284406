"""A Kustomization from its creation to its deletion: requests, suspension, order, status, finalizer."""

from __future__ import annotations

import pytest

from tests.operator_fixture import Bench, Sync, condition, config_map, deployment, poll

HELD = "finalizers: [example.com/hold]"


# --- requests and status --------------------------------------------------------------------------------------------


def test_a_request_is_answered_with_its_token(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    token = sync.request()
    sync.wait("handled", lambda k: k["status"].get("lastHandledReconcileAt") == token)
    assert sync.condition("Ready")["status"] == "True"


def test_a_request_is_answered_by_a_sync_that_fails(bench: Bench) -> None:
    sync, _ = bench.failing({"a.yaml": "a: [\n"}, "E202")
    sync.reconcile()


def test_a_revision_that_reached_nothing_leaves_observed_generation_at_what_was_reached(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    assert sync.status["observedGeneration"] == 1
    # A failure that is tried again has not observed the new generation; one that waits for somebody has (kstatus).
    sync.edit(path="./nowhere")
    failed = sync.wait("failed", lambda k: condition(k, "Ready").get("observedGeneration") == 2)
    assert condition(failed, "Ready")["status"] == "False"
    assert "E201" in condition(failed, "Ready")["message"]
    stalled = condition(failed, "Stalled").get("status") == "True"
    assert failed["status"]["observedGeneration"] == (2 if stalled else 1)


def test_conditions_carry_the_generation_they_speak_of(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.edit(interval="2h")
    found = sync.wait("generation 2", lambda k: condition(k, "Ready").get("observedGeneration") == 2)
    assert found["status"]["observedGeneration"] == 2


def test_history_has_a_snapshot_per_outcome_the_newest_first(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    first = sync.status["lastAppliedRevision"]
    bad = sync.push({"a.yaml": config_map("a") + "datas: {}\n"})
    sync.wait_failed(bad)
    good = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_ready(good)
    history = sync.status["history"]
    assert [(h["metadata"]["revision"], h["lastReconciledStatus"]) for h in history] == [
        (good, "ReconciliationSucceeded"),
        (bad, "ReconciliationFailed"),
        (first, "ReconciliationSucceeded"),
    ]
    assert all(h["digest"].startswith("sha256:") for h in history)
    assert all(h["totalReconciliations"] == 1 for h in history)


def test_history_keeps_five_snapshots(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a", "0")})
    for value in range(1, 7):
        sync.wait_ready(sync.push({"a.yaml": config_map("a", str(value))}))
    assert len(sync.status["history"]) == 5


def test_an_event_lists_what_changed_and_names_the_revision(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    revision = sync.push({"a.yaml": config_map("a", "2"), "b.yaml": None, "c.yaml": config_map("c")})
    sync.wait_ready(revision)
    where = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=involvedObject.name={sync.name}"

    def event() -> dict[str, dict[str, str]] | None:
        found = (bench.api.get(where) or {})["items"]
        mine = [
            e
            for e in found
            if e["metadata"].get("annotations", {}).get("kustomize.toolkit.fluxcd.io/revision") == revision
        ]
        return mine[0] if mine else None

    message = str(poll("the event", event)["message"])
    assert message.splitlines() == [
        f"ConfigMap/{sync.target}/a configured",
        f"ConfigMap/{sync.target}/c created",
        f"ConfigMap/{sync.target}/b deleted",
    ]


def test_the_inventory_in_status_has_flux_form(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")})
    assert sync.status["inventory"]["entries"] == [
        {"id": f"{sync.target}_a__ConfigMap", "v": "v1"},
        {"id": f"{sync.target}_web_apps_Deployment", "v": "v1"},
    ]


# --- suspension -----------------------------------------------------------------------------------------------------


def test_a_suspended_sync_writes_nothing_and_takes_the_newest_revision_when_it_resumes(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.edit(suspend=True)
    source = bench.api.get(sync.source_path) or {}
    revision = sync.push({"a.yaml": config_map("a", "2")})
    audit = bench.audit()
    poll(
        "the source has it",
        lambda: (bench.api.get(sync.source_path) or {})["status"]["artifact"]["revision"] == revision,
    )
    assert source["status"]["artifact"]["revision"] != revision
    sync.request()
    # Another sync's whole turn, made after it, ends before: had this one been given a turn, it would have run.
    bench.synced({"b.yaml": config_map("b")})
    assert sync.writes(audit) == []
    assert sync.config("a")["data"] == {"key": "1"}
    sync.edit(suspend=False)
    sync.wait_ready(revision)


# --- dependencies ---------------------------------------------------------------------------------------------------


def test_a_dependant_waits_and_is_woken_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.reconcilers.sync_schedule.DEPENDENCY_RETRY", 3600.0)
    base, top = bench.source(), bench.source()
    base_revision, top_revision = base.commit({"a.yaml": config_map("a")}), top.commit({"b.yaml": config_map("b")})
    for sync in (base, top):
        sync.create_source()
    top.create(dependsOn=[{"name": base.name}])
    ready = top.wait_condition("Ready", "False", "DependencyNotReady")
    assert f"dependency '{bench.namespace}/{base.name}' is not ready" in ready["message"]
    assert top.live("configmaps", "b") is None
    base.create()
    base.wait_ready(base_revision)
    top.wait_ready(top_revision)


def test_syncs_of_one_source_reach_a_revision_in_the_order_of_their_dependencies(bench: Bench) -> None:
    base = bench.source()
    files = {"base/a.yaml": config_map("a", "1"), "top/b.yaml": config_map("b", "1")}
    first = base.commit(files)
    base.create_source()
    top = Sync(bench, f"{base.name}-top", base.target, base.repo)
    shared = {"kind": "GitRepository", "name": base.name}
    top.create(path="./top", sourceRef=shared, dependsOn=[{"name": base.name}])
    base.create(path="./base")
    top.wait_ready(first)
    audit = bench.audit()
    second = base.push({"base/a.yaml": config_map("a", "2"), "top/b.yaml": config_map("b", "2")})
    top.wait_ready(second)
    assert [w.path[-1] for w in base.writes(audit) if not w.dry_run] == ["a", "b"]


def test_an_expression_says_when_a_dependency_is_ready_and_is_asked_again_when_that_changes(bench: Bench) -> None:
    base, top = bench.synced({"a.yaml": config_map("a")}), bench.source()
    revision = top.commit({"b.yaml": config_map("b")})
    top.create_source()
    same = "dep.metadata.labels['release'] == self.metadata.labels['release']"
    top.create(dependsOn=[{"name": base.name, "readyExpr": f"has(dep.metadata.labels) && {same}"}])
    bench.api.patch(top.path, {"metadata": {"labels": {"release": "2"}}})
    waiting = top.wait_condition("Ready", "False", "DependencyNotReady")
    assert "readyExpr has(dep.metadata.labels)" in waiting["message"]
    bench.api.patch(base.path, {"metadata": {"labels": {"release": "1"}}})
    top.wait_condition("Ready", "False", "DependencyNotReady")
    assert top.live("configmaps", "b") is None
    bench.api.patch(base.path, {"metadata": {"labels": {"release": "2"}}})
    top.wait_ready(revision)  # woken: it would look again by itself only after longer than this waits


def test_a_dependant_does_not_run_while_its_dependency_fails(bench: Bench) -> None:
    base = bench.source()
    base.commit({"base/a.yaml": config_map("a"), "top/b.yaml": config_map("b")})
    base.create_source()
    top = Sync(bench, f"{base.name}-top", base.target, base.repo)
    top.create(path="./top", sourceRef={"kind": "GitRepository", "name": base.name}, dependsOn=[{"name": base.name}])
    base.create(path="./base")
    top.wait_condition("Ready", "True")
    base.push({"base/a.yaml": config_map("a") + "datas: {}\n", "top/b.yaml": config_map("b", "2")})
    top.wait_condition("Ready", "False", "DependencyNotReady", "E204")
    assert top.config("b")["data"] == {"key": "1"}


def test_a_circle_of_dependencies_is_named_whole(bench: Bench) -> None:
    one, two = bench.source(), bench.source()
    for sync, other in ((one, two), (two, one)):
        sync.commit({"a.yaml": config_map("a")})
        sync.create_source()
        sync.create(dependsOn=[{"name": other.name}])
    for sync, other in ((one, two), (two, one)):
        ready = sync.wait_condition("Ready", "False", text="E317")
        assert f"{bench.namespace}/{sync.name}" in ready["message"]
        assert f"{bench.namespace}/{other.name}" in ready["message"]
    two.edit(dependsOn=None)
    two.wait_condition("Ready", "True")
    one.wait_condition("Ready", "True")


def test_a_dependency_that_does_not_exist_is_named(bench: Bench) -> None:
    sync = bench.source()
    sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create(dependsOn=[{"name": "nobody"}])
    sync.wait_condition("Ready", "False", "DependencyNotReady", f"{bench.namespace}/nobody")


# --- deletion -------------------------------------------------------------------------------------------------------


def test_deleting_a_sync_deletes_its_objects_and_its_record(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")})
    records = f"/api/v1/namespaces/{bench.namespace}/secrets?labelSelector=sluice.dev/record"
    before = {s["metadata"]["name"] for s in (bench.api.get(records) or {})["items"]}
    bench.api.delete(sync.path)
    sync.wait_gone()
    poll("a is gone", lambda: sync.live("configmaps", "a") is None)
    assert sync.live("apps/v1/deployments", "web") is None
    after = {s["metadata"]["name"] for s in (bench.api.get(records) or {})["items"]}
    assert len(before - after) == 1


def deleted(bench: Bench, **spec: object) -> Sync:
    sync = bench.synced({"a.yaml": config_map("a")}, **spec)
    bench.api.delete(sync.path)
    sync.wait_gone()
    return sync


def test_with_prune_off_the_objects_of_a_deleted_sync_stay(bench: Bench) -> None:
    assert deleted(bench, prune=False).live("configmaps", "a") is not None


def test_the_policy_orphan_leaves_the_objects_although_prune_is_on(bench: Bench) -> None:
    sync = deleted(bench, deletionPolicy="Orphan")
    assert sync.config("a")["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] == sync.name


def test_the_policy_delete_deletes_although_prune_is_off(bench: Bench) -> None:
    assert deleted(bench, deletionPolicy="Delete", prune=False).live("configmaps", "a") is None


def test_the_policy_wait_for_termination_stays_until_the_objects_are_gone(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a", extra=HELD)}, deletionPolicy="WaitForTermination")
    bench.api.delete(sync.path)
    poll("a is being deleted", lambda: sync.config("a")["metadata"].get("deletionTimestamp"))
    bench.synced({"b.yaml": config_map("b")})
    assert bench.api.get(sync.path) is not None
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"finalizers": None}})
    sync.wait_gone()


def test_the_policy_delete_does_not_wait_for_finalizers(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a", extra=HELD)}, deletionPolicy="Delete")
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.config("a")["metadata"]["deletionTimestamp"]
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"finalizers": None}})


def test_a_suspended_sync_deletes_nothing_when_it_is_deleted(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.edit(suspend=True)
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.live("configmaps", "a") is not None


def test_deleting_a_sync_leaves_what_is_not_proved_to_be_its_own(bench: Bench) -> None:
    sync = bench.synced(
        {
            "a.yaml": config_map("a"),
            "kept.yaml": config_map("kept", extra="annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}"),
        }
    )
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.live("configmaps", "a") is None
    assert sync.live("configmaps", "kept") is not None


def test_a_sync_that_never_ran_can_be_deleted(bench: Bench) -> None:
    sync = bench.source()
    sync.create()
    sync.wait_condition("Ready", "False", text="E105")
    bench.api.delete(sync.path)
    sync.wait_gone()


def test_a_sync_whose_spec_became_invalid_can_be_deleted_with_its_objects(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.edit(path="../../etc")
    sync.wait_condition("Ready", "False")
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.live("configmaps", "a") is None


def test_a_sync_deleted_in_the_middle_of_its_wait_is_gone_with_its_objects(bench: Bench) -> None:
    sync = bench.source()
    sync.commit({"web.yaml": deployment("web", "app:broken")})
    sync.create_source()
    sync.create(wait=True, timeout="5m")
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.live("apps/v1/deployments", "web") is None


def test_a_source_that_is_deleted_takes_nothing_with_it(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.api.delete(sync.source_path)
    poll("the source is gone", lambda: bench.api.get(sync.source_path) is None)
    sync.request()
    sync.wait_condition("Ready", "False", "ArtifactFailed", "E105")
    assert sync.live("configmaps", "a") is not None
    assert sync.inventory() == [f"{sync.target}_a__ConfigMap"]
