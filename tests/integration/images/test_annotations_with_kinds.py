"""Automation by annotations where there are CRDs: asked for by a flag, and in the repository of the owning sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from devcluster.cluster import Cluster
from devcluster.registry import Registry
from sluice.core.automation_flags import AutomationFlags
from tests.git_writing import git
from tests.image_objects import Images
from tests.operator_fixture import Bench, LogCapture, Sync, bench_with, condition, poll

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """An operator that automates annotated workloads, too."""
    automation = AutomationFlags(is_on=True, interval=2.0, scan_interval=0.5)
    changes = {"automation": automation, "registry_insecure_hosts": ("127.0.0.1",)}
    with bench_with(cluster, log_capture, tmp_path_factory, **changes) as opened:
        yield opened


def workload(image: str, *, namespace: str = "", name: str = "web") -> str:
    """An automated Deployment; without a namespace it is the sync that gives it one."""
    where = f", namespace: {namespace}" if namespace else ""
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}{where}, annotations: {{fluxcd.io/automated: "true", fluxcd.io/tag.main: "semver:~1"}}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec: {{containers: [{{name: main, image: "{image}"}}]}}
"""


def running(sync: Sync, name: str = "web") -> str:
    live = sync.live("apps/v1/deployments", name)
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"]) if live is not None else ""


def test_a_workload_is_updated_in_the_repository_of_the_sync_that_owns_it(bench: Bench, registry: Registry) -> None:
    sync = bench.source()
    images = Images.beside(sync, registry)
    images.push("1.0.0")
    first = sync.commit({"apps/web.yaml": workload(f"{images.image}:1.0.0")})
    sync.create_source()
    sync.create(path="./apps", targetNamespace=sync.target)
    sync.wait_ready(first)
    images.push("1.1.0")
    poll("1.1.0 runs", lambda: running(sync) == f"{images.image}:1.1.0")
    origin = bench.git.root / f"{sync.name}.git"
    mark = git(origin, "log", "-1", "--format=%(trailers:key=Sluice-Update,valueonly)", "main")
    assert mark.startswith(f"WorkloadAutomation/{sync.namespace}/{sync.name} ")


def test_a_repository_that_names_the_workload_of_another_changes_nothing(bench: Bench, registry: Registry) -> None:
    mine, theirs = bench.source(), bench.source()
    images = Images.beside(mine, registry)
    images.push("1.0.0")
    first = mine.commit({"web.yaml": workload(f"{images.image}:1.0.0", namespace="$NS")})
    mine.create_source()
    mine.create()
    mine.wait_ready(first)
    # Its sync applies nothing of it, for the workload is another's; its automation finds it in git all the same.
    other = theirs.commit({"web.yaml": workload(f"{images.image}:1.0.0", namespace=mine.target)})
    theirs.create_source()
    theirs.create(prune=False)
    theirs.wait("refused", lambda each: "E315" in condition(each, "Ready").get("message", ""))
    images.push("1.1.0")
    poll("1.1.0 runs", lambda: running(mine) == f"{images.image}:1.1.0")
    poll("it is told", lambda: any(told(entry, theirs) for entry in bench.operator.logged))
    assert git(bench.git.root / f"{theirs.name}.git", "rev-parse", "main").strip() == other.rpartition(":")[2]


def told(entry: Mapping[str, Any], sync: Sync) -> bool:
    """True where the automation of the sync's repository says that a workload does not run."""
    is_of = (entry.get("controllerKind"), entry.get("name")) == ("WorkloadAutomation", sync.name)
    return is_of and "E610" in str(entry)


def test_a_kustomization_gives_the_namespace_and_a_file_that_another_overlay_takes_is_told_of(
    bench: Bench, registry: Registry
) -> None:
    sync = bench.source()
    images = Images.beside(sync, registry)
    images.push("1.0.0")
    kustomization = f"namespace: {sync.target}\nresources: [web.yaml, ../base]\n"
    base = {
        "base/kustomization.yaml": "resources: [db.yaml]\n",
        "base/db.yaml": workload(f"{images.image}:1.0.0", name="db"),
        "test/kustomization.yaml": "namespace: test\nresources: [../base]\n",
    }
    first = sync.commit(
        {"apps/kustomization.yaml": kustomization, "apps/web.yaml": workload(f"{images.image}:1.0.0"), **base}
    )
    sync.create_source()
    sync.create(path="./apps")
    sync.wait_ready(first)
    images.push("1.1.0")
    poll("1.1.0 runs", lambda: running(sync) == f"{images.image}:1.1.0")
    told = f"{sync.target}:deployment/db"
    poll("it is told", lambda: any(told in str(entry) and "E558" in str(entry) for entry in bench.operator.logged))
    assert running(sync, "db") == f"{images.image}:1.0.0"
