"""Undo of what can't be changed back: a replaced object is put back in its place, or it is named and blocks nobody."""

from __future__ import annotations

from tests.integration.engine.test_served_versions import CRDS, GROUP, Kind
from tests.integration.engine.test_undo import owners
from tests.operator_fixture import FAILING_JOB, Bench, Sync, config_map, deployment, poll

WEB = "apps/v1/deployments"
FORCE = 'annotations: {kustomize.toolkit.fluxcd.io/force: "enabled"}'


def selector(sync: Sync) -> object:
    web = sync.live(WEB, "web")
    return web and web["spec"]["selector"]["matchLabels"]


def test_an_object_that_was_replaced_is_replaced_again_by_what_it_was(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web"), "a.yaml": config_map("a")}, force=True, wait=True)
    before = sync.live(WEB, "web") or {}
    bad = sync.push({"web.yaml": deployment("web", app="other"), "job.yaml": FAILING_JOB})
    message = sync.wait_failed(bad, reason="Undone")
    assert "kept" not in message
    after = sync.live(WEB, "web") or {}
    assert after["spec"] == before["spec"]
    assert owners(after) == owners(before)
    # What leaves git leaves the object, and what it is now is the sync's own.
    sync.wait_ready(sync.push({"web.yaml": deployment("web").replace("  replicas: 1\n", ""), "job.yaml": None}))
    fields = str(owners(sync.live(WEB, "web") or {}))
    assert "f:replicas" not in fields
    sync.wait_ready(sync.push({"web.yaml": None}))
    poll("web is gone", lambda: sync.live(WEB, "web") is None)


def test_an_adopted_object_that_was_replaced_comes_back_as_it_was(bench: Bench) -> None:
    sync = bench.source()
    text = deployment("web").replace("$NS", sync.target)
    path = bench.root / f"{sync.name}.yaml"
    path.write_text(text)
    bench.cluster.kubectl("apply", "--server-side", "--field-manager=somebody", "-f", str(path))
    before = sync.live(WEB, "web") or {}
    bad = sync.commit({"web.yaml": deployment("web", app="other"), "job.yaml": FAILING_JOB})
    sync.create_source()
    sync.create(force=True, wait=True)
    sync.wait_failed(bad, reason="Undone")
    after = sync.live(WEB, "web") or {}
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("labels") is None
    assert owners(after) == owners(before)
    assert sync.inventory() == []


def test_killed_after_a_replacement_it_still_goes_back(bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web"), "a.yaml": config_map("a")}, force=True, wait=True)
    sync.push({"web.yaml": deployment("web", "nginx:unready", app="other")})
    poll("it is replaced", lambda: selector(sync) == {"app": "other"})
    bench.operator.kill()
    bench.operator.start()
    sync.wait_failed(sync.push({"broken.yaml": "kind: [\n"}), "[E202]", reason="BuildFailed", seconds=60)
    assert selector(sync) == {"app": "web"}


def test_a_job_that_was_replaced_is_not_run_again(bench: Bench) -> None:
    job = FAILING_JOB.replace("migrate:fail", "migrate:1").replace("name: migrate", f"name: migrate, {FORCE}")
    sync = bench.synced({"job.yaml": job, "a.yaml": config_map("a")}, wait=True)
    bad = sync.push({"job.yaml": job.replace("migrate:1", "migrate:fail"), "a.yaml": config_map("a", "2")})
    message = sync.wait_failed(bad, reason="Undone")
    assert "migrate is kept" in message
    assert "would run again" in message
    assert sync.config("a")["data"] == {"key": "1"}
    sync.wait_ready(sync.push({"job.yaml": job.replace("migrate:1", "migrate:2")}))
    sync.wait_ready(sync.push({"job.yaml": None}))
    poll("the Job is gone", lambda: sync.live("batch/v1/jobs", "migrate") is None)


def test_what_the_api_server_does_not_let_be_taken_back_is_named_and_blocks_nothing(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")}, wait=True)
    sealed = config_map("a", "2") + "immutable: true\n"
    bad = sync.push({"a.yaml": sealed, "b.yaml": config_map("b", "2"), "job.yaml": FAILING_JOB})
    message = sync.wait_failed(bad, reason="Undone")
    assert f"ConfigMap {sync.target}/a is kept" in message
    assert "immutable" in message
    assert sync.config("b")["data"] == {"key": "1"}
    # Git decides what becomes of it: as it is now, or made anew.
    sync.wait_ready(sync.push({"a.yaml": sealed, "job.yaml": None, "b.yaml": config_map("b", "3")}))
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "4", extra=FORCE)}))
    assert sync.config("a")["data"] == {"key": "4"}


def test_what_was_in_a_namespace_that_somebody_deleted_is_named_and_blocks_nothing(bench: Bench) -> None:
    sync = bench.source()
    place = f"{sync.target}-other"
    bench.api.create("/api/v1/namespaces", {"metadata": {"name": place}})
    files = {"a.yaml": config_map("a"), "far.yaml": config_map("far", namespace=place)}
    revision = sync.commit(files)
    sync.create_source()
    sync.create(wait=True, timeout="5m", retryInterval="1s")
    sync.wait_ready(revision)
    slow = deployment("slow", "app:unready").replace("  replicas", "  progressDeadlineSeconds: 8\n  replicas", 1)
    bad = sync.push(
        {"a.yaml": config_map("a", "2"), "far.yaml": config_map("far", "2", namespace=place), "d.yaml": slow}
    )
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    bench.api.delete(f"/api/v1/namespaces/{place}")
    poll("the namespace is gone", lambda: bench.api.get(f"/api/v1/namespaces/{place}") is None)
    message = sync.wait_failed(bad, reason="Undone", seconds=40)
    assert "far is kept" in message
    assert sync.config("a")["data"] == {"key": "1"}
    # Git says what is to be there, and brings the namespace along.
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {place}}}\n"
    sync.wait_ready(sync.push({"d.yaml": None, "ns.yaml": namespace}))
    assert bench.api.get(f"/api/v1/namespaces/{place}/configmaps/far") is not None


def test_what_is_of_a_kind_that_somebody_uninstalled_is_named_and_blocks_nothing(bench: Bench) -> None:
    kind = Kind()
    kind.install(bench, kind.definition("v1", stored="v1"))
    sync = bench.source()
    good = sync.commit({"a.yaml": config_map("a"), "one.yaml": kind.object("v1"), "d.yaml": deployment("slow")})
    sync.create_source()
    checked = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "slow", "namespace": sync.target}
    sync.create(healthChecks=[checked], timeout="5m", retryInterval="1s")
    sync.wait_ready(good)
    slow = deployment("slow", "app:unready").replace("  replicas", "  progressDeadlineSeconds: 8\n  replicas", 1)
    bad = sync.push({"a.yaml": config_map("a", "2"), "one.yaml": kind.object("v1", "2"), "d.yaml": slow})
    sync.wait_condition("Reconciling", "True", "Progressing", "Running health checks")
    bench.api.delete(f"{CRDS}/{kind.plural}.{GROUP}")
    message = sync.wait_failed(bad, reason="Undone", seconds=40)
    assert "one is kept" in message
    assert sync.config("a")["data"] == {"key": "1"}
    sync.wait_ready(sync.push({"d.yaml": deployment("slow"), "one.yaml": None}))
