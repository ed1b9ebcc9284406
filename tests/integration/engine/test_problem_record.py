"""`status.problem`: every part of a failure, in the object that failed, for as long as it fails."""

from __future__ import annotations

import pytest

from tests.operator_fixture import Bench, Sync, condition, config_map, deployment

pytestmark = pytest.mark.cluster
BROKEN = deployment("web").replace("replicas:", "replica:")


def test_a_failure_has_its_parts_in_the_status_keeps_its_since_and_goes_once_it_is_mended(bench: Bench) -> None:
    sync = bench.source()
    sync.create_source()
    sync.create()
    waiting = Sync(bench, f"{sync.name}-b", sync.target, sync.repo)
    waiting.create(sourceRef={"kind": "GitRepository", "name": sync.name}, dependsOn=[{"name": sync.name}])
    revision = sync.push({"web.yaml": BROKEN})
    message = sync.wait_failed(revision, "E204")
    [first] = sync.get()["status"]["problem"]
    assert first["title"] in message
    assert first["code"] == "E204"
    assert first["object"] == {"group": "apps", "kind": "Deployment", "namespace": sync.target, "name": "web"}
    assert (first["file"], first["line"], first["commit"]) == ("web.yaml", 5, sync.repo.head())
    assert first["fix"] == 'did you mean "replicas"?'
    assert first["waits"] == [f"{sync.namespace}/{waiting.name}"]

    again = sync.reconcile()["status"]["problem"]
    assert again == [first]

    sync.wait_ready(sync.push({"web.yaml": deployment("web")}))
    assert "problem" not in sync.get()["status"]
    assert condition(sync.get(), "Ready")["status"] == "True"


def test_a_source_that_fails_names_who_reads_it(bench: Bench) -> None:
    sync = bench.source()
    sync.commit({"a.yaml": config_map("a")})
    sync.create_source(ref={"branch": "mian"})
    sync.create()
    sync.wait_condition("Ready", "False", "ArtifactFailed", "E105")
    source = bench.api.get(sync.source_path) or {}
    [problem] = source["status"]["problem"]
    assert (problem["code"], problem["waits"]) == ("E102", [f"{sync.namespace}/{sync.name}"])
    assert problem["since"] == condition(source, "Ready")["lastTransitionTime"]
