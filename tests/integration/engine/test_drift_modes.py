"""`spec.drift` and `sluice.dev/drift`: what others change is set right, told and left, or not looked at."""

from __future__ import annotations

import pytest

from tests.operator_fixture import Bench, Json, Sync, config_map, deployment, poll

WARN = 'annotations: {sluice.dev/drift: "Warn"}'
IGNORE = 'annotations: {sluice.dev/drift: "ignore"}'


def edit(sync: Sync, name: str = "a", value: str = "edited") -> None:
    sync.bench.api.patch(sync.at("configmaps", name), {"data": {"key": value}})


def events(sync: Sync, reason: str) -> list[str]:
    where = f"/api/v1/namespaces/{sync.namespace}/events?fieldSelector=involvedObject.name={sync.name}"
    return [e["message"] for e in (sync.bench.api.get(where) or {})["items"] if e["reason"] == reason]


def seen_by(sync: Sync, bench: Bench) -> None:
    """Return once the operator has settled what was changed before: a later change of another object was corrected."""
    other = bench.synced({"z.yaml": config_map("z")})
    edit(other, "z")
    poll("z is right again", lambda: other.config("z")["data"] == {"key": "1"})
    sync.reconcile()


def test_warn_tells_who_changed_what_and_writes_nothing(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, drift="Warn")
    audit = bench.audit()
    edit(sync)
    told = sync.wait_condition("Drifted", "True", "DriftDetected")["message"]
    assert f"field .data.key of ConfigMap {sync.target}/a changed by kubectl-edit at 20" in told
    assert "a.yaml:1" in told
    assert sync.condition("Ready")["status"] == "True"
    poll("the event", lambda: any("kubectl-edit" in m for m in events(sync, "DriftDetected")))
    sync.reconcile()
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    assert sync.config("a")["data"] == {"key": "edited"}


def test_drift_that_stands_is_looked_at_once_and_not_at_every_turn(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, drift="Warn")
    edit(sync)
    sync.wait_condition("Drifted", "True")
    audit = bench.audit()
    sync.reconcile()
    sync.reconcile()
    assert sync.writes(audit) == []
    assert sync.condition("Drifted")["status"] == "True"


def test_drift_that_is_undone_by_hand_is_told_no_more(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, drift="Warn")
    edit(sync)
    sync.wait_condition("Drifted", "True")
    edit(sync, value="1")
    sync.wait("no Drifted condition", lambda k: not [c for c in k["status"]["conditions"] if c["type"] == "Drifted"])


def test_a_deleted_object_is_told_and_not_made_again_with_warn(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")}, drift="Warn")
    bench.api.delete(sync.at("configmaps", "a"))
    sync.wait_condition("Drifted", "True", text=f"ConfigMap {sync.target}/a was deleted")
    sync.reconcile()
    assert sync.live("configmaps", "a") is None


def test_a_label_that_was_changed_is_told_with_warn_and_told_no_more_when_it_is_right(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", extra="labels: {tier: front}")}, drift="Warn")
    path = sync.at("apps/v1/deployments", "web")
    bench.api.patch(path, {"metadata": {"labels": {"tier": "back"}}})
    sync.wait_condition("Drifted", "True", text=".metadata.labels.tier of Deployment")
    bench.api.patch(path, {"metadata": {"labels": {"tier": "front"}}})
    sync.wait("no Drifted condition", lambda k: not [c for c in k["status"]["conditions"] if c["type"] == "Drifted"])


def test_a_field_that_was_removed_is_told_as_removed(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a") + "  other: x\n"}, drift="Warn")
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"other": None}})
    sync.wait_condition("Drifted", "True", text=f".data.other of ConfigMap {sync.target}/a removed by somebody")


def test_the_values_of_a_secret_are_in_no_status_and_no_event(bench: Bench) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: $NS}\nstringData: {password: hunter2}\n"
    sync = bench.synced({"s.yaml": secret}, drift="Warn")
    bench.api.patch(sync.at("secrets", "s"), {"stringData": {"password": "hunter3"}})
    told = sync.wait_condition("Drifted", "True", text=".data.password of Secret")["message"]
    told += "".join(events(sync, "DriftDetected"))
    assert "hunter" not in told
    assert "aHVudGVy" not in told


def test_ignore_asks_the_api_server_nothing(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")}, drift="Ignore")
    audit = bench.audit()
    edit(sync)
    bench.api.delete(sync.at("configmaps", "b"))
    seen_by(sync, bench)
    asked = [r for r in audit.requests(bench.agent) if f"/namespaces/{sync.target}/" in r.path]
    assert asked == []
    assert sync.config("a")["data"] == {"key": "edited"}
    assert sync.live("configmaps", "b") is None
    assert sync.condition("Drifted") == {}


@pytest.mark.parametrize("mode", ["Warn", "Ignore"])
def test_a_revision_that_changes_something_sets_all_drift_right(bench: Bench, mode: str) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b"), "c.yaml": config_map("c")}, drift=mode)
    edit(sync)
    bench.api.delete(sync.at("configmaps", "b"))
    seen_by(sync, bench)
    sync.wait_ready(sync.push({"c.yaml": config_map("c", "2")}))
    assert sync.config("a")["data"] == {"key": "1"}
    assert sync.config("b")["data"] == {"key": "1"}
    assert sync.condition("Drifted") == {}


def test_a_commit_that_changes_nothing_of_the_sync_leaves_what_is_only_told(bench: Bench) -> None:
    sync = bench.synced({"apps/a.yaml": config_map("a"), "note.txt": "1"}, drift="Warn", path="./apps")
    edit(sync)
    sync.wait_condition("Drifted", "True")
    sync.wait_ready(sync.push({"note.txt": "2"}))
    assert sync.config("a")["data"] == {"key": "edited"}
    assert sync.condition("Drifted")["status"] == "True"


@pytest.mark.parametrize(("annotation", "told"), [(WARN, True), (IGNORE, False)])
def test_an_annotation_sets_the_mode_of_one_object(bench: Bench, annotation: str, told: bool) -> None:
    sync = bench.synced({"a.yaml": config_map("a", extra=annotation), "b.yaml": config_map("b")})
    edit(sync)
    edit(sync, "b")
    poll("b is right again", lambda: sync.config("b")["data"] == {"key": "1"})
    sync.reconcile()
    assert sync.config("a")["data"] == {"key": "edited"}
    assert (sync.condition("Drifted").get("status") == "True") is told


def test_an_annotation_on_the_live_object_counts_too_and_its_removal_lets_git_win(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    note: Json = {"metadata": {"annotations": {"sluice.dev/drift": "Warn"}}, "data": {"key": "by night"}}
    bench.api.patch(sync.at("configmaps", "a"), note)
    sync.wait_condition("Drifted", "True", text="changed by kubectl-edit")
    assert sync.config("a")["data"] == {"key": "by night"}
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"annotations": {"sluice.dev/drift": None}}})
    poll("git wins", lambda: sync.config("a")["data"] == {"key": "1"})


def test_setting_the_mode_to_correct_sets_right_what_was_only_told(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, drift="Warn")
    edit(sync)
    sync.wait_condition("Drifted", "True")
    sync.edit(drift="Correct")
    poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})
    sync.wait_condition("Drifted", "False", "DriftCorrected", "changed by kubectl-edit")


def test_what_drifted_while_the_operator_was_down_is_told_when_it_comes_back(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, drift="Warn")
    bench.operator.stop()
    edit(sync)
    bench.operator.start()
    sync.wait_condition("Drifted", "True", text="changed by kubectl-edit")
    assert sync.config("a")["data"] == {"key": "edited"}


def test_a_mode_that_is_none_is_refused_where_it_stands(bench: Bench) -> None:
    _, message = bench.failing({"a.yaml": config_map("a", extra="annotations: {sluice.dev/drift: Maybe}")}, "E332")
    assert "Correct, Warn or Ignore" in message
    assert "a.yaml:" in message


def test_a_correction_is_told_in_status_with_who_and_when(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", replicas=1)})
    bench.api.patch(sync.at("apps/v1/deployments", "web"), {"spec": {"replicas": 4}}, manager="kubectl-scale")
    told = sync.wait_condition("Drifted", "False", "DriftCorrected")["message"]
    assert told.startswith(f"field .spec.replicas of Deployment {sync.target}/web changed by kubectl-scale at 20")


def test_a_change_of_what_is_not_ours_is_looked_at_and_not_written(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    audit = bench.audit()
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"theirs": "x"}})
    poll("it was looked at", lambda: sync.writes(audit))
    seen_by(sync, bench)
    assert [w.dry_run for w in sync.writes(audit)] == [True]
    sync.reconcile()
    assert len(sync.writes(audit)) == 1


def test_a_finished_job_that_its_ttl_removed_is_not_run_again(bench: Bench) -> None:
    job = """apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: $NS}
spec:
  ttlSecondsAfterFinished: 1
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: "job:1"}]
"""
    sync = bench.synced({"job.yaml": job, "a.yaml": config_map("a")}, wait=True, timeout="30s")
    bench.api.request("DELETE", sync.at("batch/v1/jobs", "once") + "?propagationPolicy=Background")
    poll("the Job is gone", lambda: sync.live("batch/v1/jobs", "once") is None)
    audit = bench.audit()
    seen_by(sync, bench)
    assert sync.live("batch/v1/jobs", "once") is None
    assert sync.writes(audit) == []
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
    assert sync.live("batch/v1/jobs", "once") is None


def test_an_object_made_again_just_as_it_was_is_still_the_syncs_own(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    live = sync.config("a")
    kept = {"name": "a", "labels": live["metadata"]["labels"]}
    bench.operator.stop()
    bench.api.delete(sync.at("configmaps", "a"))
    copy = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept, "data": live["data"]}
    made = bench.api.create(sync.at("configmaps", "a").rpartition("/")[0], copy)
    bench.operator.start()
    sync.reconcile()
    assert sync.config("a")["metadata"]["uid"] == made["metadata"]["uid"]
    sync.wait_ready(sync.push({"a.yaml": None}))
    assert sync.live("configmaps", "a") is None
