"""What the operator stands on is deleted under it: the CRDs, its namespace, its records. Nothing of anybody's goes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from devcluster import Cluster, ClusterOptions
from devcluster.fixture import create_namespace
from devcluster.registry import Registry
from tests.image_objects import KINDS, Images
from tests.operator_fixture import (
    SOURCES,
    SYNCS,
    Bench,
    LogCapture,
    OpenBench,
    Sync,
    condition,
    config_map,
    install_crds,
    poll,
    settings_for,
    with_settings,
)

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
KUSTOMIZATIONS = f"{CRD}/kustomizations.kustomize.toolkit.fluxcd.io"
GIT_REPOSITORIES = f"{CRD}/gitrepositories.source.toolkit.fluxcd.io"
AB = {"a.yaml": config_map("a"), "b.yaml": config_map("b")}
RECORD = "sluice.dev/record"


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A cluster of this module's own: others need the CRDs."""
    with Cluster.start(ClusterOptions(audit=True)) as running:
        install_crds(running)
        yield running


@pytest.fixture
def bench(own_cluster: Cluster, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(own_cluster, name)
    root = tmp_path_factory.mktemp("ground")
    with OpenBench(own_cluster, root, log_capture, settings_for(name, root)) as opened:
        yield opened
        opened.operator.stop()
        # What is left of it would hold up the next test's deletion of a CRD.
        for api, kind in ((SYNCS, "kustomizations"), (SOURCES, "gitrepositories")):
            for item in (opened.api.get(f"{api}/{kind}") or {"items": []})["items"]:
                meta = item["metadata"]
                path = f"{api}/namespaces/{meta['namespace']}/{kind}/{meta['name']}"
                opened.api.patch(path, {"metadata": {"finalizers": None}})


def delete_crd(bench: Bench, path: str) -> None:
    bench.api.delete(path)
    poll(f"{path} is gone", lambda: bench.api.get(path) is None)


def uids(sync: Sync) -> dict[str, Any]:
    return {name: sync.config(name)["metadata"]["uid"] for name in "ab"}


def comes_back(sync: Sync, before: dict[str, Any]) -> None:
    """The Kustomization is made again at a commit without b: its record knows both objects still."""
    revision = sync.commit({"b.yaml": None})
    if sync.bench.api.get(sync.source_path) is None:
        sync.create_source()
    else:
        sync.request(sync.source_path)
    sync.create()
    sync.wait_ready(revision)
    assert sync.live("configmaps", "b") is None
    assert sync.config("a")["metadata"]["uid"] == before["a"]
    assert sync.inventory() == [f"{sync.target}_a__ConfigMap"]


def test_the_crds_deleted_under_a_running_operator_are_no_order_to_prune_and_it_goes_on_when_they_are_back(
    bench: Bench,
) -> None:
    sync = bench.synced(AB)
    before, audit = uids(sync), bench.audit()
    delete_crd(bench, KUSTOMIZATIONS)
    delete_crd(bench, GIT_REPOSITORIES)
    poll("it is said", lambda: any("E604" in str(entry.get("error")) for entry in bench.operator.logged))
    assert uids(sync) == before
    assert sync.writes(audit) == []
    bench.operator.check()
    install_crds(bench.cluster)
    comes_back(sync, before)


def test_the_crds_deleted_while_the_operator_was_down_are_no_order_to_prune_either(bench: Bench) -> None:
    sync = bench.synced(AB)
    before, audit = uids(sync), bench.audit()
    bench.operator.stop()
    bench.api.delete(KUSTOMIZATIONS)
    poll("it waits for the finalizer", lambda: sync.get()["metadata"].get("deletionTimestamp"))
    bench.operator.start()
    poll("it is gone", lambda: bench.api.get(KUSTOMIZATIONS) is None)
    assert uids(sync) == before
    assert sync.writes(audit) == []
    install_crds(bench.cluster)
    comes_back(sync, before)


def test_a_kustomization_that_comes_back_deleted_with_its_crd_is_orphaned_and_not_pruned(bench: Bench) -> None:
    sync = bench.synced(AB)
    before, audit = uids(sync), bench.audit()
    bench.operator.stop()
    bench.api.delete(KUSTOMIZATIONS)
    poll("it waits for the finalizer", lambda: sync.get()["metadata"].get("deletionTimestamp"))
    deleted = sync.get()["metadata"]["deletionTimestamp"]
    bench.api.patch(KUSTOMIZATIONS, {"metadata": {"finalizers": None}})
    poll("the CRD is gone by force", lambda: bench.api.get(KUSTOMIZATIONS) is None)
    poll("a second has passed", lambda: _later(bench, deleted))
    install_crds(bench.cluster)
    poll("what was in it is there again", lambda: bench.api.get(sync.path))
    bench.operator.start()
    sync.wait_gone()
    assert uids(sync) == before
    assert sync.writes(audit) == []
    comes_back(sync, before)


def _later(bench: Bench, than: str) -> bool:
    """True when the API server's clock has passed that second."""
    name = f"clock-{secrets.token_hex(3)}"
    made = bench.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    bench.api.delete(f"/api/v1/namespaces/{name}")
    return bool(made["metadata"]["creationTimestamp"] > than)


def test_the_crd_of_the_source_deleted_leaves_the_objects_and_says_what_is_missing(bench: Bench) -> None:
    sync = bench.synced(AB)
    before, audit = uids(sync), bench.audit()
    delete_crd(bench, GIT_REPOSITORIES)
    sync.request()
    sync.wait_condition("Ready", "False", text="E105")
    assert uids(sync) == before
    assert sync.writes(audit) == []
    install_crds(bench.cluster)
    revision = sync.commit({"b.yaml": None})
    sync.create_source()
    sync.wait_ready(revision)
    assert sync.config("a")["metadata"]["uid"] == before["a"]


def test_the_crds_of_the_image_kinds_deleted_stop_nothing_else_and_are_followed_again_when_they_are_back(
    bench: Bench, registry: Registry
) -> None:
    sync = bench.synced(AB)
    images = Images.beside(sync, registry)
    images.push("1.0.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.0.0")
    for kind in KINDS.values():
        delete_crd(bench, f"{CRD}/{kind}.image.toolkit.fluxcd.io")
    poll("it is said", lambda: any("E604" in str(entry.get("error")) for entry in bench.operator.logged))
    sync.wait_ready(sync.push({"b.yaml": None}))
    install_crds(bench.cluster)
    images.push("1.1.0")
    images.scan()
    images.choose()
    images.wait_chosen("1.1.0")


def test_the_operators_namespace_deleted_leaves_every_object(bench: Bench) -> None:
    sync = bench.synced(AB)
    before, audit = uids(sync), bench.audit()
    bench.api.delete(f"/api/v1/namespaces/{bench.namespace}")
    poll("it is gone", lambda: bench.api.get(f"/api/v1/namespaces/{bench.namespace}") is None, 60)
    poll("the operator has ended and said why", lambda: bench.operator.failure, 60)
    assert "was deleted, perhaps with its namespace" in repr(bench.operator.failure)
    with pytest.raises(AssertionError, match=f"namespace {bench.namespace} does not exist"):
        bench.operator.start()
    bench.operator.failure = None
    assert uids(sync) == before
    assert sync.writes(audit) == []


def lost_record(bench: Bench, **spec: Any) -> Sync:
    """A sync elsewhere whose record went with the operator's namespace; b has left git since."""
    home = f"home-{secrets.token_hex(3)}"
    create_namespace(bench.cluster, home)
    bench.operator.stop()
    bench.operator.settings = with_settings(bench, watch_namespace="")
    bench.operator.start()
    sync = bench.source()
    sync.home = home
    revision = sync.commit(AB)
    sync.create_source()
    sync.create(**spec)
    sync.wait_ready(revision)
    stray = {"kustomize.toolkit.fluxcd.io/name": sync.name, "kustomize.toolkit.fluxcd.io/namespace": home}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray", "labels": stray}}
    bench.api.apply(sync.at("configmaps", "stray"), body, manager="kustomize-controller")
    bench.operator.stop()
    secrets_path = f"/api/v1/namespaces/{bench.namespace}/secrets"
    for item in (bench.api.get(f"{secrets_path}?labelSelector={RECORD}") or {})["items"]:
        bench.api.delete(f"{secrets_path}/{item['metadata']['name']}")
    sync.commit({"b.yaml": None})
    return sync


def set_status(sync: Sync, **fields: Any) -> None:
    body = {"status": fields}
    status, answer = sync.bench.api.request("PATCH", f"{sync.path}/status", body, "application/merge-patch+json")
    assert status == 200, answer


@pytest.mark.parametrize("inventory", ["told in status", "proved by the last revision", "garbage in status"])
def test_a_lost_record_is_rebuilt_as_far_as_it_can_be_proved_and_the_rest_is_told_and_left(
    bench: Bench, inventory: str
) -> None:
    sync = lost_record(bench)
    if inventory == "proved by the last revision":
        set_status(sync, inventory=None)
    if inventory == "garbage in status":
        ids = ["nonsense", f"{sync.target}_kube-root-ca.crt__ConfigMap", "x" * 4000]
        set_status(sync, inventory={"entries": [{"id": each, "v": "../v1"} for each in ids]})
    bench.operator.start()
    revision = f"main@sha1:{sync.repo.git('rev-parse', 'HEAD')}"
    sync.wait_ready(revision)
    assert sync.live("configmaps", "b") is None
    assert sync.live("configmaps", "stray") is not None
    assert sync.live("configmaps", "kube-root-ca.crt") is not None
    assert f"ConfigMap {sync.target}/stray" in sync.message
    assert "[W408]" in sync.message
    bench.api.delete(sync.at("configmaps", "stray"))
    sync.wait("it is told no longer", lambda k: "W408" not in condition(k, "Ready")["message"])


def test_with_record_and_status_lost_what_git_has_is_ours_again_and_the_rest_is_told_and_left(bench: Bench) -> None:
    sync = lost_record(bench)
    set_status(sync, inventory=None, lastAppliedRevision=None, history=None, conditions=None)
    bench.operator.start()
    revision = f"main@sha1:{sync.repo.git('rev-parse', 'HEAD')}"
    sync.wait_ready(revision)
    assert sync.inventory() == [f"{sync.target}_a__ConfigMap"]
    for name in ("b", "stray"):
        assert f"ConfigMap {sync.target}/{name}" in sync.message
        assert sync.live("configmaps", name) is not None
    sync.wait_ready(sync.push({"b.yaml": config_map("b")}))
    assert f"{sync.target}/b," not in sync.message, "git has it again"
    sync.wait_ready(sync.push({"b.yaml": None}))
    assert sync.live("configmaps", "b") is None
