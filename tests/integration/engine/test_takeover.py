"""A cluster that Flux ran is taken over in place: nothing changes, and everything is ours to keep in step."""

from __future__ import annotations

from typing import Any

from tests.operator_fixture import Bench, Sync, config_map, deployment

NAMES = ("a", "b", "c")


def left_by_flux(bench: Bench, *, wait: bool = False) -> tuple[Sync, str, dict[str, str]]:
    """Objects, source and Kustomization as Flux leaves them; returns the revision and the resourceVersions."""
    bench.operator.stop()
    sync = bench.source()
    revision = sync.commit({f"{n}.yaml": config_map(n) for n in NAMES} | {"web.yaml": deployment("web")})
    labels = {
        "kustomize.toolkit.fluxcd.io/name": sync.name,
        "kustomize.toolkit.fluxcd.io/namespace": bench.namespace,
    }
    for name in NAMES:
        metadata = {"name": name, "namespace": sync.target, "labels": labels}
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": "1"}}
        bench.api.apply(sync.at("configmaps", name), body, manager="kustomize-controller")
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "nginx:1"}]},
    }
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": sync.target, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template},
    }
    bench.api.apply(sync.at("apps/v1/deployments", "web"), web, manager="kustomize-controller")
    sync.create_source()
    sync.create(metadata={"finalizers": ["finalizers.fluxcd.io"]}, wait=wait)
    entries = [{"id": f"{sync.target}_{n}__ConfigMap", "v": "v1"} for n in NAMES]
    entries.append({"id": f"{sync.target}_web_apps_Deployment", "v": "v1"})
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "ReconciliationSucceeded",
        "message": f"Applied revision: {revision}",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 1,
    }
    status = {
        "conditions": [ready],
        "inventory": {"entries": entries},
        "lastAppliedRevision": revision,
        "lastAttemptedRevision": revision,
        "observedGeneration": 1,
    }
    bench.api.patch(f"{sync.path}/status", {"status": status}, manager="gotk-kustomize-controller")
    versions = {n: sync.config(n)["metadata"]["resourceVersion"] for n in NAMES}
    return sync, revision, versions


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
