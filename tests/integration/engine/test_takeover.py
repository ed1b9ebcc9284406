"""A cluster that Flux or fluxd ran is taken over in place: nothing changes, and everything is ours to keep in step.

The way back is as short: what Flux would send then changes nothing either.
"""

from __future__ import annotations

from tests.flux_objects import (
    CHECKSUM,
    LAST_APPLIED,
    MARK,
    NAMES,
    apply_as_flux,
    apply_as_fluxd,
    identities,
    left_by_flux,
    notes_on,
    owners,
    pods,
    uids,
)
from tests.operator_fixture import Bench, config_map, deployment


def test_taking_over_changes_no_object_and_the_sync_stays_ready(bench: Bench) -> None:
    sync, revision, versions = left_by_flux(bench)
    bench.operator.start()
    sync.reconcile()
    sync.wait_ready(revision)
    assert {n: sync.config(n)["metadata"]["resourceVersion"] for n in NAMES} == versions
    assert sync.condition("Ready")["lastTransitionTime"] == "2026-01-01T00:00:00Z"
    assert len(sync.inventory()) == 4
    web = sync.live("apps/v1/deployments", "web") or {}
    assert web["metadata"]["generation"] == 1


def test_after_a_takeover_what_left_git_is_pruned(bench: Bench) -> None:
    sync, _, _ = left_by_flux(bench)
    revision = sync.commit({"a.yaml": None, "web.yaml": None})
    bench.operator.start()
    sync.wait_ready(revision)
    assert sync.live("configmaps", "a") is None
    assert sync.live("apps/v1/deployments", "web") is None
    assert sync.live("configmaps", "b") is not None


def test_at_a_takeover_an_object_without_our_labels_is_not_pruned_although_status_names_it(bench: Bench) -> None:
    sync, _, _ = left_by_flux(bench)
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"labels": None}})
    revision = sync.commit({"a.yaml": None})
    bench.operator.start()
    sync.wait_ready(revision)
    assert sync.live("configmaps", "a") is not None


def test_at_a_takeover_an_entry_that_is_no_id_is_passed_over(bench: Bench) -> None:
    sync, revision, _ = left_by_flux(bench)
    entries = [{"id": "rubbish", "v": "v1"}, {"id": f"{sync.target}_a__ConfigMap", "v": "v1"}]
    bench.api.patch(f"{sync.path}/status", {"status": {"inventory": {"entries": entries}}}, manager="flux")
    bench.operator.start()
    sync.reconcile()
    sync.wait_ready(revision)
    assert len(sync.inventory()) == 4


def test_a_sync_deleted_after_its_takeover_takes_its_objects_with_it(bench: Bench) -> None:
    sync, _, _ = left_by_flux(bench)
    bench.api.delete(sync.path)
    bench.operator.start()
    sync.wait_gone()
    assert [n for n in NAMES if sync.live("configmaps", n)] == []


def test_a_takeover_restarts_no_pod_deletes_nothing_and_leaves_every_field_its_owner(bench: Bench) -> None:
    sync, revision, _ = left_by_flux(bench, wait=True)
    running, before = pods(sync), identities(sync)
    owned = {n: owners(sync.config(n)) for n in NAMES}
    audit = bench.audit()
    bench.operator.start()
    sync.reconcile()
    sync.wait_ready(revision)
    assert pods(sync) == running
    assert identities(sync) == before
    assert {n: owners(sync.config(n)) for n in NAMES} == owned
    assert [w for w in audit.writes(bench.agent) if w.verb == "delete"] == []


def test_given_back_what_flux_sends_changes_nothing(bench: Bench) -> None:
    sync, _, _ = left_by_flux(bench)
    bench.operator.start()
    sync.wait_ready(sync.push({f"{n}.yaml": config_map(n, "2") for n in NAMES}))
    running, before = pods(sync), identities(sync)
    bench.operator.stop()
    live = {n: sync.config(n) for n in NAMES}
    apply_as_flux(sync, "2")
    assert {n: sync.config(n) for n in NAMES} == live, "Flux finds what it would have written"
    assert pods(sync) == running
    assert identities(sync) == before
    assert {(m, o) for found in live.values() for m, o, _ in owners(found)} == {("kustomize-controller", "Apply")}
    keys = {key for found in live.values() for key in {**found["metadata"]["labels"], **notes_on(found)}}
    assert keys == {"kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"}
    left = sync.get()
    assert left["metadata"]["finalizers"] == ["finalizers.fluxcd.io"]
    assert not [key for key in notes_on(left) if "sluice" in key]
    assert {(e["id"], e["v"]) for e in left["status"]["inventory"]["entries"]} == {
        *((f"{sync.target}_{n}__ConfigMap", "v1") for n in NAMES),
        (f"{sync.target}_web_apps_Deployment", "v1"),
    }
    bench.operator.start()


# --- fluxd ------------------------------------------------------------------------------------------------------------


def test_what_fluxd_applied_is_taken_over_and_given_back_without_a_restart(bench: Bench) -> None:
    sync = bench.source()
    apply_as_fluxd(sync)
    running, before = pods(sync), uids(sync)
    assert MARK in sync.config("a")["metadata"]["labels"]
    audit = bench.audit()
    revision = sync.commit({f"{n}.yaml": config_map(n) for n in NAMES} | {"web.yaml": deployment("web")})
    sync.create_source()
    sync.create(wait=True)
    sync.wait_ready(revision)
    assert pods(sync) == running
    assert uids(sync) == before
    assert [w for w in audit.writes(bench.agent) if w.verb == "delete"] == []
    for name in NAMES:
        live = sync.config(name)
        assert {(m, o) for m, o, _ in owners(live)} == {("kustomize-controller", "Apply")}
        assert MARK not in live["metadata"]["labels"]
        assert not {CHECKSUM, LAST_APPLIED} & notes_on(live).keys()
    bench.operator.stop()
    apply_as_fluxd(sync)
    assert pods(sync) == running
    assert uids(sync) == before
    assert sync.config("a")["metadata"]["labels"][MARK] == "sha256.JIYo7"
    bench.operator.start()


def test_a_first_revision_that_fails_gives_fluxd_its_objects_back_with_their_marks(bench: Bench) -> None:
    sync = bench.source()
    apply_as_fluxd(sync)
    running, before = pods(sync), uids(sync)
    marks = {n: (sync.config(n)["metadata"]["labels"], notes_on(sync.config(n))) for n in NAMES}
    owned = {n: owners(sync.config(n)) for n in NAMES}
    bad = deployment("bad", "app:unready").replace("  replicas", "  progressDeadlineSeconds: 1\n  replicas", 1)
    files = {f"{n}.yaml": config_map(n, "2") for n in NAMES}
    revision = sync.commit(files | {"web.yaml": deployment("web"), "bad.yaml": bad})
    sync.create_source()
    sync.create(wait=True)
    sync.wait_failed(revision, reason="Undone", seconds=40)
    assert {n: (sync.config(n)["metadata"]["labels"], notes_on(sync.config(n))) for n in NAMES} == marks
    assert {n: owners(sync.config(n)) for n in NAMES} == owned
    assert {n: sync.config(n)["data"]["key"] for n in NAMES} == dict.fromkeys(NAMES, "1")
    assert pods(sync) == running
    assert uids(sync) == before
