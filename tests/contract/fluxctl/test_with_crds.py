"""fluxctl with CRDs: a workload's repository is that of the Kustomization that applies it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.registry import Registry
from tests.contract.fluxctl.conftest import WEB, Fluxd, settings_of
from tests.operator_fixture import Bench, LogCapture, OpenBench, Sync, crds, free_port, poll

__all__ = ["crds"]
pytestmark = pytest.mark.cluster
BASE = {
    "base/web.yaml": WEB.replace("  namespace: $NS\n", ""),
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamespace: $NS\n",
}


@dataclass
class Two:
    """Two repositories, each with a Deployment of its own."""

    bench: Bench
    one: Fluxd
    other: Fluxd
    syncs: tuple[Sync, Sync]


@pytest.fixture(scope="module")
def two(
    cluster: Cluster,
    registry: Registry,
    crds: None,
    log_capture: LogCapture,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Two]:
    root, home, port = tmp_path_factory.mktemp("crds"), f"flux-{secrets.token_hex(3)}", free_port()
    create_namespace(cluster, home)
    with OpenBench(cluster, root, log_capture, settings_of(home, root, port, None)) as bench:
        made = []
        for number, files in enumerate(({"web.yaml": WEB}, BASE)):
            sync = bench.source(f"s{number}-{secrets.token_hex(2)}")
            fluxd = Fluxd(port, bench.operator, bench.api, sync.repo, registry, sync.target, sync.name)
            fluxd.push("1.0.0", "1.1.0")
            revision = fluxd.commit(dict(files))
            fluxd.has_begun = True
            sync.create_source()
            sync.create(path="./prod" if number else "./")
            sync.wait_ready(f"main@sha1:{revision}")
            made.append((fluxd, sync))
        yield Two(bench, made[0][0], made[1][0], (made[0][1], made[1][1]))


def test_workloads_have_the_policies_of_their_own_repository(two: Two) -> None:
    assert two.one.service()["Policies"] == {"tag.main": "semver:~1"}
    assert two.other.service()["Policies"] == {"tag.main": "semver:~1"}, "written in a base outside of the path"
    assert two.other.service()["ReadOnly"] == ""


def test_a_workload_that_no_sync_applies_is_not_in_a_repository(two: Two) -> None:
    labels = {"app": "loose"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "nginx:1"}]}}
    path = f"/apis/apps/v1/namespaces/{two.bench.namespace}/deployments"
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    two.bench.api.create(
        path, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "loose"}, "spec": spec}
    )

    def reason() -> str:
        found = two.one.ask("GET", "/v6/services", namespace=two.bench.namespace) or []
        return next((str(each["ReadOnly"]) for each in found if each["ID"].endswith("/loose")), "")

    assert poll("it is listed", reason) == "NotInRepo"


def test_a_release_goes_to_the_repository_of_the_workload(two: Two) -> None:
    spec = {"ServiceSpecs": [two.one.workload], "ImageSpec": "<all latest>", "Kind": "execute", "Excludes": None}
    done = two.one.update("image", spec)
    assert done["StatusString"] == "succeeded", done
    commit = done["Result"]["revision"]
    two.one.wait_applied(commit)
    assert two.one.running().endswith(":1.1.0")
    assert two.other.running().endswith(":1.0.0")
    two.one.repo.git("pull", "-q", "--ff-only", "origin", "main")
    assert two.one.repo.head() == commit


def test_a_sync_is_of_the_repository_that_git_repo_config_tells_of(two: Two) -> None:
    config = two.one.ask("POST", "/v9/git-repo-config", body=False)
    assert config["remote"]["url"] == two.bench.git.url(two.syncs[0].name), "the first by name"
    commit = two.one.commit({"x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: $NS}\n"})
    done = two.one.update("sync", {})
    assert done["Result"]["revision"] == commit
    two.one.wait_applied(commit)


def test_a_key_that_a_git_repository_names_is_not_replaced(two: Two) -> None:
    refused = two.one.call("POST", "/v6/identity.pub")
    assert (refused.status, refused.body["type"]) == (422, "user")
