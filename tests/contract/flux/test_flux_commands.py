"""What each command of the `flux` command line needs, one test a command: it must tell the truth of a Sluice.

The requests and the fields looked at are those of the client's source (release 2.9).
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from functools import partial

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from sluice.api.install import InstallOptions, manifests
from sluice.runtime.logging import configure_logging
from tests.contract.flux.conftest import listed, verdict, wait_handled
from tests.operator_fixture import REQUESTED_AT, SOURCES, SYNCS, Bench, Json, condition, config_map, deployment, poll

pytestmark = pytest.mark.cluster
OWNER = "kustomize.toolkit.fluxcd.io"
PART_OF = "app.kubernetes.io/part-of"


def controllers() -> list[Json]:
    """The shipped Deployments that `flux` takes for its controllers."""
    shipped = manifests(InstallOptions(version="1.2.3"))
    return [
        each for each in shipped if each["kind"] == "Deployment" and each["metadata"]["labels"].get(PART_OF) == "flux"
    ]


def test_flux_get(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    source, item = listed(bench, sync, "GitRepository"), listed(bench, sync, "Kustomization")
    assert source["status"]["artifact"]["revision"] == item["status"]["lastAppliedRevision"]
    for each, word in ((source, "stored artifact"), (item, "Applied revision")):
        ready = condition(each, "Ready")
        assert (ready["status"], word in ready["message"]) == ("True", True)
        assert not each["spec"].get("suspend")


def test_flux_get_of_what_failed(bench: Bench) -> None:
    sync, message = bench.failing({"a.yaml": config_map("Not_A_Name")}, "Not_A_Name")
    ready = condition(listed(bench, sync, "Kustomization"), "Ready")
    assert (ready["status"], ready["message"]) == ("False", message)


def test_flux_reconcile(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    revision = sync.commit({"a.yaml": config_map("a", "2")})
    after: Json = {}
    for path in (sync.source_path, sync.path):  # --with-source: the source, and then the sync
        before = bench.api.get(path) or {}
        asked = {"metadata": {"annotations": {REQUESTED_AT: "2026-01-02T03:04:05.678901234Z"}}}
        bench.api.patch(path, asked, manager="flux")
        after = wait_handled(bench, path, before["status"].get("lastHandledReconcileAt", ""))
        assert verdict(after) == "Current"
        assert after["status"]["lastHandledReconcileAt"] == "2026-01-02T03:04:05.678901234Z"
    assert after["status"]["lastAppliedRevision"] == revision


def test_flux_reconcile_of_what_fails_ends_with_its_message(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    revision = sync.push({"a.yaml": "kind: ["})
    sync.wait_failed(revision)
    before = sync.status.get("lastHandledReconcileAt", "")
    sync.request()
    after = wait_handled(bench, sync.path, before)
    assert verdict(after) == "Failed"
    assert "a.yaml" in condition(after, "Ready")["message"]


def test_flux_suspend_and_resume(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.api.patch(sync.path, {"spec": {"suspend": True}}, manager="flux")
    revision = sync.push({"a.yaml": config_map("a", "2")})
    fetched = f"the source is at {revision}"
    poll(fetched, lambda: (bench.api.get(sync.source_path) or {})["status"]["artifact"]["revision"] == revision)
    assert listed(bench, sync, "Kustomization")["spec"]["suspend"] is True
    assert sync.config("a")["data"] == {"key": "1"}
    bench.api.patch(sync.path, {"spec": {"suspend": False}}, manager="flux")
    after = sync.wait("resumed", lambda item: verdict(item) == "Current")
    assert after["status"]["lastAppliedRevision"] == revision
    assert sync.config("a")["data"] == {"key": "2"}


def test_flux_events(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    path = f"/api/v1/namespaces/{sync.namespace}/events"

    def told(kind: str) -> list[Json]:
        selector = f"involvedObject.kind%3D{kind},involvedObject.name%3D{sync.name}"
        found = bench.api.get(f"{path}?fieldSelector={selector}")
        assert found is not None
        return list(found["items"])

    for kind in ("GitRepository", "Kustomization"):  # --for follows spec.sourceRef
        [*_, event] = poll(f"events of {kind}", partial(told, kind))
        assert event["involvedObject"]["apiVersion"].endswith("toolkit.fluxcd.io/v1")
        assert (event["type"], bool(event["reason"]), bool(event["message"])) == ("Normal", True, True)
        assert event["lastTimestamp"]


def test_flux_tree(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": deployment("web")})
    entries = sync.status["inventory"]["entries"]
    assert sorted((each["id"], each["v"]) for each in entries) == [
        (f"{sync.target}_a__ConfigMap", "v1"),
        (f"{sync.target}_web_apps_Deployment", "v1"),
    ]


def test_flux_trace(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")})
    sets = f"/apis/apps/v1/namespaces/{sync.target}/replicasets"
    below = poll("its ReplicaSet", lambda: (bench.api.get(sets) or {})["items"])[0]
    [owner] = below["metadata"]["ownerReferences"]
    assert f"{OWNER}/name" not in below["metadata"].get("labels", {})
    live = sync.live("apps/v1/deployments", owner["name"])
    assert live is not None
    labels = live["metadata"]["labels"]
    item = bench.api.get(f"{SYNCS}/namespaces/{labels[f'{OWNER}/namespace']}/kustomizations/{labels[f'{OWNER}/name']}")
    assert item is not None
    source = bench.api.get(f"{SOURCES}/namespaces/{sync.namespace}/gitrepositories/{item['spec']['sourceRef']['name']}")
    assert source is not None
    assert source["status"]["artifact"]["revision"] == item["status"]["lastAppliedRevision"]


def test_flux_diff_and_build(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")})
    for kind, name in (("configmaps", "a"), ("apps/v1/deployments", "web")):
        live = sync.live(kind, name)
        assert live is not None
        labels = {f"{OWNER}/name": sync.name, f"{OWNER}/namespace": sync.namespace}
        wanted = {key: live[key] for key in ("apiVersion", "kind")}
        wanted |= {"metadata": {"name": name, "namespace": sync.target, "labels": labels}}
        wanted |= {"data": {"key": "1"}} if name == "a" else {"spec": _deployed("web")}
        query = "fieldManager=kustomize-controller&force=true&dryRun=All"
        status, made = bench.api.request(
            "PATCH", f"{sync.at(kind, name)}?{query}", wanted, "application/apply-patch+yaml"
        )
        assert status == 200
        assert _stored(made) == _stored(live)


def _deployed(name: str) -> Json:
    """The spec of `deployment(name)`, as a client builds it."""
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}}
    return {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}


def _stored(item: Json) -> Json:
    """What a diff compares, and who manages it; Deployments change their status meanwhile."""
    managers = {
        (each["manager"], each["operation"])
        for each in item["metadata"]["managedFields"]
        if not each.get("subresource")
    }
    metadata = {key: item["metadata"].get(key) for key in ("labels", "generation", "uid")}
    return {**metadata, "managers": managers, "spec": item.get("spec"), "data": item.get("data")}


def test_flux_logs() -> None:
    [shipped] = controllers()
    pod = shipped["spec"]["template"]
    assert [each["name"] for each in pod["spec"]["containers"]] == ["manager"]
    assert shipped["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert "--log-encoding=console" not in pod["spec"]["containers"][0]["args"]
    stream = io.StringIO()
    configure_logging("info", "json", stream)
    with bound_contextvars(controllerKind="Kustomization", name="web", namespace="shop"):
        structlog.get_logger().error("not applied", error="no answer")
    line = json.loads(stream.getvalue())
    assert {key: line[key] for key in ("level", "msg", "error", "controllerKind", "name", "namespace")} == {
        "level": "error",
        "msg": "not applied",
        "error": "no answer",
        "controllerKind": "Kustomization",
        "name": "web",
        "namespace": "shop",
    }
    assert line["ts"].endswith("Z")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Logging is the process's: what a test sets up goes with it."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_flux_check(bench: Bench) -> None:
    [shipped] = controllers()
    assert shipped["metadata"]["namespace"] == "flux-system"
    crds = bench.api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions?labelSelector={PART_OF}%3Dflux")
    assert crds is not None
    stored = {each["metadata"]["name"]: each["status"]["storedVersions"] for each in crds["items"]}
    assert stored["gitrepositories.source.toolkit.fluxcd.io"] == ["v1"]
    assert stored["kustomizations.kustomize.toolkit.fluxcd.io"] == ["v1"]
    assert all(stored.values())
    [source] = [each for each in crds["items"] if each["spec"]["names"]["kind"] == "GitRepository"]
    assert source["metadata"]["labels"]["app.kubernetes.io/version"]


def test_flux_version() -> None:
    [shipped] = controllers()
    image, _, tag = shipped["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")
    assert (image.rpartition("/")[2], tag) == ("sluice", "v1.2.3")


def test_flux_stats(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    assert listed(bench, sync, "GitRepository")["status"]["artifact"]["size"] > 0
    bench.failing({"a.yaml": config_map("Not_A_Name")}, "Not_A_Name")
    every = bench.api.get(sync.path.rpartition("/")[0])
    assert every is not None
    assert "False" in {condition(each, "Ready")["status"] for each in every["items"]}


def test_flux_export(bench: Bench) -> None:
    sync = bench.source()
    sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create()
    written = [bench.api.get(path) or {} for path in (sync.source_path, sync.path)]
    sync.wait("applied", lambda item: verdict(item) == "Current")
    sync.reconcile()
    for before, kind in zip(written, ("GitRepository", "Kustomization"), strict=True):
        after = listed(bench, sync, kind)
        assert after["spec"] == before["spec"]
        assert after["metadata"].get("labels") == before["metadata"].get("labels")
        assert set(after["metadata"].get("annotations", {})) <= {REQUESTED_AT}
