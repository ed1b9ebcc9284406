"""The annotations on an object, in git or on the live one, that steer what is done with it."""

from __future__ import annotations

from tests.operator_fixture import Bench, config_map, deployment, poll

SSA = "kustomize.toolkit.fluxcd.io/ssa"
RECONCILE = "kustomize.toolkit.fluxcd.io/reconcile"
FORCE = "kustomize.toolkit.fluxcd.io/force"


def note(key: str, value: str) -> str:
    return f"annotations: {{{key}: {value}}}"


def test_if_not_present_creates_once_and_never_updates(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a", extra=note(SSA, "IfNotPresent"))})
    before = sync.config("a")
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2", extra=note(SSA, "IfNotPresent"))}))
    after = sync.config("a")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert sync.inventory() == [f"{sync.target}_a__ConfigMap"]


def test_if_not_present_leaves_an_object_of_somebody_else_alone(bench: Bench) -> None:
    sync = bench.source()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": "theirs"}}
    before = bench.api.create(sync.at("configmaps", "a").rpartition("/")[0], body)
    revision = sync.commit({"a.yaml": config_map("a", extra=note(SSA, "IfNotPresent"))})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    assert sync.config("a")["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_merge_keeps_the_fields_that_kubectl_set(bench: Bench) -> None:
    sync = bench.source()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"theirs": "1"}}
    bench.api.apply(sync.at("configmaps", "a"), body, manager="kubectl")
    revision = sync.commit({"a.yaml": config_map("a", extra=note(SSA, "Merge"))})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    assert sync.config("a")["data"] == {"theirs": "1", "key": "1"}


def test_without_merge_the_fields_that_kubectl_set_are_taken_over_and_undone(bench: Bench) -> None:
    sync = bench.source()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"theirs": "1"}}
    bench.api.apply(sync.at("configmaps", "a"), body, manager="kubectl")
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    assert sync.config("a")["data"] == {"key": "1"}


def test_ignore_neither_applies_nor_deletes(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b", extra=note(SSA, "Ignore"))})
    assert sync.live("configmaps", "b") is None
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2", extra=note(SSA, "Ignore"))}))
    assert sync.config("a")["data"] == {"key": "1"}
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"annotations": {SSA: "Ignore"}}})
    sync.wait_ready(sync.push({"a.yaml": None}))
    assert sync.live("configmaps", "a") is not None


def test_reconcile_disabled_in_git_stops_updates(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    audit = bench.audit()
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2", extra=note(RECONCILE, "disabled"))}))
    assert sync.writes(audit) == []
    assert f"{sync.target}_a__ConfigMap" in sync.inventory()


def test_reconcile_disabled_on_the_live_object_stops_updates_corrections_and_prune(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    mine = {"metadata": {"annotations": {RECONCILE: "disabled"}}, "data": {"key": "mine"}}
    bench.api.patch(sync.at("configmaps", "a"), mine)
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b", "2")}))
    sync.reconcile()
    assert sync.config("a")["data"] == {"key": "mine"}
    sync.wait_ready(sync.push({"a.yaml": None}))
    assert sync.config("a")["data"] == {"key": "mine"}


def test_taking_reconcile_disabled_off_again_brings_the_object_back_in_step(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    mine = {"metadata": {"annotations": {RECONCILE: "disabled"}}, "data": {"key": "mine"}}
    bench.api.patch(sync.at("configmaps", "a"), mine)
    sync.reconcile()
    assert sync.config("a")["data"] == {"key": "mine"}
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"annotations": {RECONCILE: None}}})
    poll("a is back in step", lambda: sync.config("a")["data"] == {"key": "1"})


def test_an_immutable_field_is_refused_with_its_place_in_git(bench: Bench) -> None:
    sync = bench.synced({"apps/web.yaml": deployment("web"), "a.yaml": config_map("a")})
    uid = (sync.live("apps/v1/deployments", "web") or {})["metadata"]["uid"]
    audit = bench.audit()
    revision = sync.push({"apps/web.yaml": deployment("web", app="other"), "a.yaml": config_map("a", "2")})
    message = sync.wait_failed(revision, "E301")
    assert f"Deployment {sync.target}/web at apps/web.yaml:6:3" in message
    assert f"@{revision.rpartition(':')[2][:7]}" in message
    assert "kustomize.toolkit.fluxcd.io/force" in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    assert (sync.live("apps/v1/deployments", "web") or {})["metadata"]["uid"] == uid
    assert sync.condition("Stalled").get("status") == "True"


def test_the_force_annotation_recreates_an_object_whose_immutable_field_changed(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", extra=note(FORCE, "Enabled")), "a.yaml": config_map("a")})
    uid = (sync.live("apps/v1/deployments", "web") or {})["metadata"]["uid"]
    sync.wait_ready(sync.push({"web.yaml": deployment("web", app="other", extra=note(FORCE, "Enabled"))}))
    live = sync.live("apps/v1/deployments", "web") or {}
    assert live["metadata"]["uid"] != uid
    assert live["spec"]["selector"]["matchLabels"] == {"app": "other"}
    # And it is kept in step afterwards: its new UID is the recorded one.
    sync.wait_ready(sync.push({"web.yaml": None}))
    poll("web is gone", lambda: sync.live("apps/v1/deployments", "web") is None)


def test_spec_force_recreates_every_object_whose_immutable_field_changed(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web"), "a.yaml": config_map("a")}, force=True)
    uid = (sync.live("apps/v1/deployments", "web") or {})["metadata"]["uid"]
    keeps = sync.config("a")["metadata"]["uid"]
    sync.wait_ready(sync.push({"web.yaml": deployment("web", app="other"), "a.yaml": config_map("a", "2")}))
    assert (sync.live("apps/v1/deployments", "web") or {})["metadata"]["uid"] != uid
    assert sync.config("a")["metadata"]["uid"] == keeps


def test_waves_order_what_kinds_do_not(bench: Bench) -> None:
    sync = bench.source()
    files = {
        "a.yaml": config_map("a", extra='annotations: {sluice.dev/wave: "2"}'),
        "b.yaml": config_map("b", extra='annotations: {sluice.dev/wave: "-1"}'),
        "c.yaml": config_map("c"),
    }
    audit = bench.audit()
    revision = sync.commit(files)
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    assert [w.path[-1] for w in sync.writes(audit) if not w.dry_run] == ["b", "c", "a"]
