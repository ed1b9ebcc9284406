"""What others change of our objects is seen as it happens and set right; what is theirs is left to them."""

from __future__ import annotations

import pytest

from tests.operator_fixture import Bench, Json, config_map, deployment, poll

LABEL = "kustomize.toolkit.fluxcd.io/name"


def test_an_edited_field_is_set_right(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})


def test_a_deleted_object_is_made_again(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    uid = sync.config("a")["metadata"]["uid"]
    bench.api.delete(sync.at("configmaps", "a"))
    live = poll("a is there again", lambda: sync.live("configmaps", "a"))
    assert live["metadata"]["uid"] != uid
    # The new UID is the recorded one: it can be pruned.
    sync.wait_ready(sync.push({"a.yaml": None, "b.yaml": config_map("b")}))
    assert sync.live("configmaps", "a") is None


def test_a_deleted_object_of_a_sync_that_waits_for_health_is_made_again_and_told_as_drift(bench: Bench) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: $NS}\nspec: {ports: [{port: 80}]}\n"
    sync = bench.synced({"web.yaml": deployment("web", "nginx:slow-2s"), "service.yaml": service}, wait=True)
    bench.api.delete(sync.at("services", "web"))
    bench.api.delete(sync.at("apps/v1/deployments", "web"))
    where = f"/api/v1/namespaces/{sync.namespace}/events?fieldSelector=involvedObject.name={sync.name}"

    def told() -> str:
        found = (bench.api.get(where) or {})["items"]
        return "".join(each["message"] for each in found if each["reason"] == "DriftCorrected")

    poll("the Service is told of", lambda: f"Service {sync.target}/web was deleted" in told(), 60)


@pytest.mark.parametrize("labels", [{LABEL: "somebody"}, {LABEL: None}])
def test_a_changed_or_removed_owner_label_is_set_right(bench: Bench, labels: dict[str, str | None]) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"labels": labels}})
    poll("the label is right again", lambda: sync.config("a")["metadata"]["labels"].get(LABEL) == sync.name)


def test_a_label_of_ours_that_was_changed_is_set_right_on_a_kind_that_counts_generations(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", extra="labels: {tier: front}")})
    path = sync.at("apps/v1/deployments", "web")
    bench.api.patch(path, {"metadata": {"labels": {"tier": "back"}}})
    poll("tier is right again", lambda: (bench.api.get(path) or {})["metadata"]["labels"]["tier"] == "front")


def test_a_scaled_deployment_is_scaled_back(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", replicas=2)})
    path = sync.at("apps/v1/deployments", "web")
    bench.api.patch(path, {"spec": {"replicas": 5}})
    poll("two replicas", lambda: (bench.api.get(path) or {})["spec"]["replicas"] == 2)


def test_an_edit_in_a_nested_list_is_set_right(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")})
    path = sync.at("apps/v1/deployments", "web")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "evil:1"}]}}}}
    bench.api.patch(path, image)

    def images() -> list[str]:
        live = bench.api.get(path) or {}
        return [c["image"] for c in live["spec"]["template"]["spec"]["containers"]]

    poll("the image is right again", lambda: images() == ["nginx:1"])


def test_a_field_that_git_does_not_set_stays_with_who_set_it(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web").replace("  replicas: 1\n", "")})
    path = sync.at("apps/v1/deployments", "web")
    bench.api.patch(path, {"spec": {"replicas": 3}, "metadata": {"annotations": {"note": "mine"}}}, manager="hpa")
    sync.reconcile()
    live = bench.api.get(path) or {}
    assert live["spec"]["replicas"] == 3
    assert live["metadata"]["annotations"]["note"] == "mine"


def test_a_status_that_changes_is_no_drift(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", "app:slow-1s")})
    audit = bench.audit()
    path = sync.at("apps/v1/deployments", "web")
    poll("a new status", lambda: (bench.api.get(path) or {}).get("status", {}).get("availableReplicas") == 1)
    bench.synced({"b.yaml": config_map("b")})
    assert sync.writes(audit) == []


def test_a_correction_touches_only_the_object_that_drifted(bench: Bench) -> None:
    sync = bench.synced({f"{n}.yaml": config_map(n) for n in "abc"})
    audit = bench.audit()
    bench.api.patch(sync.at("configmaps", "b"), {"data": {"key": "edited"}})
    poll("b is right again", lambda: sync.config("b")["data"] == {"key": "1"})
    assert {w.path for w in sync.writes(audit)} == {sync.at("configmaps", "b")}


def test_a_sync_stays_ready_and_tells_of_a_correction_as_an_event(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    since = sync.condition("Ready")["lastTransitionTime"]
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})
    where = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=involvedObject.name={sync.name}"
    wanted = f"field .data.key of ConfigMap {sync.target}/a changed by kubectl-edit at 20"

    def told() -> list[Json]:
        events = (bench.api.get(where) or {})["items"]
        return [e for e in events if e["reason"] == "DriftCorrected" and e["message"].startswith(wanted)]

    poll("the event", told)
    ready = sync.condition("Ready")
    assert (ready["status"], ready["lastTransitionTime"]) == ("True", since)


def test_a_correction_is_one_dry_run_and_one_apply(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    audit = bench.audit()
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})
    sync.reconcile()
    path = sync.at("configmaps", "a")
    assert [(w.path, w.dry_run) for w in sync.writes(audit)] == [(path, True), (path, False)]


def test_a_correction_costs_no_record_and_how_it_left_the_object_is_in_the_next_one(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    audit = bench.audit()
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("it is told", lambda: sync.condition("Drifted").get("reason") == "DriftCorrected")
    assert not [w for w in audit.writes(bench.agent) if "/secrets/" in w.path]
    sync.reconcile()
    assert [w for w in audit.writes(bench.agent) if "/secrets/" in w.path]
    bench.operator.stop()
    audit = bench.audit()
    bench.operator.start()
    sync.reconcile()
    assert sync.writes(audit) == []


def test_after_a_correction_a_sync_that_waits_for_health_has_a_turn_and_others_have_none(bench: Bench) -> None:
    plain, waiting = bench.synced({"a.yaml": config_map("a")}), bench.synced({"a.yaml": config_map("a")}, wait=True)

    def turns() -> list[object]:
        told = [e.get("name") for e in bench.operator.logged if e.get("event") == "reconciled"]
        return [name for name in told if name in {plain.name, waiting.name}]

    # A turn is logged a moment after status says what it came to.
    poll("their first turns are logged", lambda: {plain.name, waiting.name} <= set(turns()))
    bench.operator.logged.clear()
    for sync in (plain, waiting):
        bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
        poll("a is right again", lambda sync=sync: sync.config("a")["data"] == {"key": "1"})  # type: ignore[misc]

    poll("health was looked at", lambda: waiting.name in turns())
    assert turns() == [waiting.name]


def test_two_writers_in_a_fight_are_slowed_down(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    audit = bench.audit()
    for number in range(6):
        bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": f"other-{number}"}})
        if number < 3:
            poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})
    corrections = [w for w in sync.writes(audit) if not w.dry_run]
    assert len(corrections) < 6
    poll("a is right in the end", lambda: sync.config("a")["data"] == {"key": "1"})


def test_drift_while_the_operator_is_down_is_found_when_it_comes_back(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b"), "web.yaml": deployment("web")})
    bench.operator.stop()
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    bench.api.delete(sync.at("configmaps", "b"))
    bench.api.patch(sync.at("apps/v1/deployments", "web"), {"spec": {"replicas": 3}})
    bench.operator.start()
    poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})
    poll("b is there again", lambda: sync.live("configmaps", "b"))
    path = sync.at("apps/v1/deployments", "web")
    poll("one replica", lambda: (bench.api.get(path) or {})["spec"]["replicas"] == 1)


def test_a_suspended_sync_corrects_nothing(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.edit(suspend=True)
    bench.operator.restart()
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    bench.synced({"b.yaml": config_map("b")})
    assert sync.config("a")["data"] == {"key": "edited"}
    sync.edit(suspend=False)
    poll("a is right again", lambda: sync.config("a")["data"] == {"key": "1"})


def test_a_rollout_that_kubectl_restarted_goes_on_through_turns_and_commits(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", "nginx:1")})
    path = sync.at("apps/v1/deployments", "web")
    mark = {"kubectl.kubernetes.io/restartedAt": "2026-01-02T03:04:05Z"}
    bench.api.patch(path, {"spec": {"template": {"metadata": {"annotations": mark}}}}, manager="kubectl-rollout")

    def marks() -> dict[str, str]:
        return dict((bench.api.get(path) or {})["spec"]["template"]["metadata"].get("annotations", {}))

    sync.reconcile()
    assert marks() == mark
    sync.wait_ready(sync.push({"web.yaml": deployment("web", "nginx:2")}))
    assert marks() == mark
    sync.reconcile()
    assert marks() == mark
