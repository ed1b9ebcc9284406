"""fluxctl with CRDs: a workload's repository is that of the Kustomization that applies it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from devcluster.registry import Registry
from tests.contract.fluxctl.conftest import WEB, Answer, Two, open_two
from tests.operator_fixture import LogCapture, poll

pytestmark = pytest.mark.cluster
BASE = {
    "base/web.yaml": WEB.replace("  namespace: $NS\n", ""),
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamespace: $NS\n",
}


@pytest.fixture(scope="module")
def two(
    cluster: Cluster,
    registry: Registry,
    crds: None,
    log_capture: LogCapture,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Two]:
    with open_two(cluster, registry, log_capture, tmp_path_factory.mktemp("crds"), dict(BASE), "./prod") as opened:
        yield opened


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


def test_a_commit_that_changes_a_base_beside_the_path_is_applied_only_once_it_is(two: Two) -> None:
    base = (two.other.repo.path / "base/web.yaml").read_text()
    source = {"URL": two.bench.git.url(two.syncs[1].name), "Branch": "main"}

    def push(old: str, new: str) -> str:
        assert old in base
        commit = two.other.commit({"base/web.yaml": base.replace(old, new)})
        two.other.ask("POST", "/v11/notify", body={"Kind": "git", "Source": source})
        return commit

    def refused(commit: str) -> Answer | None:
        answer = two.other.call("GET", "/v6/sync", ref=commit)
        assert answer.body != [], "it is not applied"
        fetched = answer.status == 200 or "[E632]" not in answer.body["help"]
        return answer if fetched and answer.status != 200 else None

    bad = push("replicas: 1", "replica: 1")
    answer = poll("it is told that it failed", lambda: refused(bad), 60)
    assert "base/web.yaml" in answer.body["help"]
    good = push("replicas: 1", "replicas: 2")
    poll("it is applied", lambda: two.other.call("GET", "/v6/sync", ref=good).body == [], 60)
    path = f"/apis/apps/v1/namespaces/{two.other.target}/deployments/web"
    assert (two.bench.api.get(path) or {})["spec"]["replicas"] == 2
