"""B104: what stands in the annotation that asks for a turn is written by whoever may annotate."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from sluice.api.kinds import MAX_REQUEST
from tests.image_objects import IMAGES
from tests.operator_fixture import (
    REQUESTED_AT,
    Bench,
    Json,
    LogCapture,
    Sync,
    bench_with,
    config_map,
    crds,
    log_capture,
    poll,
)

__all__ = ["crds", "log_capture"]
pytestmark = pytest.mark.cluster
MARKUP = "<script>alert(1)</script> \x1b[31m"


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    with bench_with(cluster, log_capture, tmp_path_factory) as opened:
        yield opened


@pytest.fixture(scope="module")
def sync(bench: Bench) -> Sync:
    made = bench.synced({"c.yaml": config_map("c", "1")})
    spec = {"imageRepositoryRef": {"name": "none"}, "policy": {"semver": {"range": "*"}}}
    metadata = {"name": made.name, "namespace": made.namespace}
    policy = {"apiVersion": "image.toolkit.fluxcd.io/v1", "kind": "ImagePolicy", "metadata": metadata, "spec": spec}
    bench.api.create(f"{IMAGES}/namespaces/{made.namespace}/imagepolicies", policy)
    return made


def path_of(sync: Sync, kind: str) -> str:
    policy = f"{IMAGES}/namespaces/{sync.namespace}/imagepolicies/{sync.name}"
    return {"GitRepository": sync.source_path, "Kustomization": sync.path, "ImagePolicy": policy}[kind]


def handled(bench: Bench, path: str) -> str:
    found = bench.api.get(path)
    assert found is not None
    return str(found["status"].get("lastHandledReconcileAt", ""))


def ask(bench: Bench, path: str, text: str) -> None:
    bench.api.patch(path, {"metadata": {"annotations": {REQUESTED_AT: text}}})


def ignored(bench: Bench, kind: str, name: str) -> list[Json]:
    found = bench.api.get(f"/api/v1/namespaces/{bench.namespace}/events")
    assert found is not None
    return [
        event
        for event in found["items"]
        if event["reason"] == "RequestIgnored" and event["involvedObject"]["kind"] == kind
        and event["involvedObject"]["name"] == name
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["x" * 65536, "<b>" * 86], ids=["64 KB", "a character too long"])
@pytest.mark.parametrize("kind", ["GitRepository", "Kustomization", "ImagePolicy"])
def test_b104_a_request_that_is_too_long_asks_for_nothing_and_an_event_says_so(
    bench: Bench, sync: Sync, kind: str, text: str
) -> None:
    path = path_of(sync, kind)
    before = len(ignored(bench, kind, sync.name))
    ask(bench, path, text)
    events = poll("it is told", lambda: (e := ignored(bench, kind, sync.name)) and len(e) > before and e)
    assert f"has {len(text)} characters, limit {MAX_REQUEST}" in events[-1]["message"]
    assert text[:100] not in events[-1]["message"]
    ask(bench, path, f"now {len(text)}")
    poll("the next one is heard", lambda: handled(bench, path) == f"now {len(text)}")
    found = bench.api.get(path)
    assert found is not None
    assert text not in str(found["status"])


def test_b104_a_request_with_markup_is_data(bench: Bench, sync: Sync) -> None:
    ask(bench, sync.path, MARKUP)
    poll("it is answered, word for word: clients compare", lambda: handled(bench, sync.path) == MARKUP)
