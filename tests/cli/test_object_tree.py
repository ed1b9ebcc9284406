"""`sluice tree` and `sluice trace`: from an app down to its pods, and from a pod up to its line in git."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Sluice
from tests.operator_fixture import Bench, Sync, config_map, deployment, poll

pytestmark = pytest.mark.cluster
LOOPBACK = "--git-allow-loopback"


@pytest.fixture(scope="module")
def sync(bench: Bench) -> Sync:
    """One app with an object that is well and one whose pods can't start."""
    files = {
        "apps/web.yaml": deployment("web", replicas=2),
        "apps/bad.yaml": config_map("a") + "---\n" + deployment("bad", "app:broken"),
    }
    made = bench.synced(files, path="./apps")
    poll("web runs", lambda: (made.live("apps/v1/deployments", "web") or {})["status"].get("availableReplicas") == 2)
    pods = f"/api/v1/namespaces/{made.target}/pods?labelSelector=app%3Dbad"
    poll("bad can't", lambda: "ImagePullBackOff" in str(bench.api.get(pods)))
    return made


def flat(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for item in items for each in (item, *flat(item["children"]))]


def test_a_tree_has_health_and_origin_for_every_node(cli: Sluice, sync: Sync) -> None:
    ran = cli("tree", sync.name, "-o", "json", LOOPBACK)
    assert ran.code == 0, ran.err
    assert ran.json["kind"] == "Tree"
    nodes = flat(ran.json["items"])
    kinds = [node["ref"]["kind"] for node in nodes]
    assert sorted(set(kinds)) == ["ConfigMap", "Deployment", "Pod", "ReplicaSet"]
    assert kinds.count("Pod") == 3
    by_name = {(n["ref"]["kind"], n["ref"]["name"]): n for n in nodes}
    assert by_name["Deployment", "web"]["health"]["status"] == "Current"
    assert by_name["Deployment", "bad"]["health"]["status"] == "InProgress"
    assert by_name["Deployment", "bad"]["origin"] == {"path": "apps/bad.yaml", "line": 7, "commit": sync.repo.head()}
    assert all(node["origin"]["commit"] == sync.repo.head() for node in nodes)
    assert all(node["health"]["status"] for node in nodes)


def test_people_see_the_pods_of_what_is_not_well_and_with_all_the_others(cli: Sluice, sync: Sync) -> None:
    ran = cli("tree", sync.name, LOOPBACK)
    assert ran.code == 0, ran.err
    assert ran.out.count("Pod/") == 1
    assert "can't pull image" in ran.out
    assert f"apps/web.yaml:1@{sync.repo.head()[:7]}" in ran.out
    assert cli("tree", sync.name, "--all", LOOPBACK).out.count("Pod/") == 3
    only = cli("tree", sync.name, "--problems", "--no-git").out
    assert "Deployment" in only
    assert "ConfigMap" not in only
    assert "yaml" not in only
    plain = cli("tree", sync.name, "--ascii", "--no-git").out
    assert plain.isascii()
    assert "configmap/a" in cli("tree", sync.name, "-o", "name", "--no-git").out.split()


def test_without_the_repository_a_tree_is_shown_without_files_and_says_so(cli: Sluice, sync: Sync) -> None:
    ran = cli("tree", sync.name, "-o", "json")
    assert ran.code == 0
    assert "[E723]" in ran.err
    assert all(node["origin"] is None for node in flat(ran.json["items"]))


def test_a_pod_is_traced_to_file_commit_and_author(cli: Sluice, sync: Sync) -> None:
    found = sync.bench.api.get(f"/api/v1/namespaces/{sync.target}/pods?labelSelector=app%3Dweb") or {}
    pod = found["items"][0]["metadata"]["name"]
    ran = cli("trace", f"pod/{pod}", "-n", sync.target, LOOPBACK)
    assert ran.code == 0, ran.err
    lines = {line[:8].strip(): line[8:] for line in ran.out.splitlines()}
    assert lines["object"].startswith(f"Pod/{pod} ← ReplicaSet/web-")
    assert lines["object"].endswith("← Deployment/web")
    assert lines["sync"].startswith(f"ks/{sync.name} ({sync.namespace})")
    assert lines["file"] == f"apps/web.yaml:1@{sync.repo.head()[:7]}"
    assert '"change" by ' in lines["commit"]
    [item] = cli("trace", "web", "--kind", "deployment", "-n", sync.target, "-o", "json", LOOPBACK).json["items"]
    assert item["origin"]["path"] == "apps/web.yaml"
    assert item["source"]["name"] == sync.name
    name = cli("trace", "deploy/web", "-n", sync.target, "--no-git", "-o", "name").out
    assert name == f"kustomization.kustomize.toolkit.fluxcd.io/{sync.name}\n"


def test_an_object_that_git_left_behind_is_told_as_that(cli: Sluice, bench: Bench) -> None:
    left = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")}, prune=False)
    left.wait_ready(left.push({"b.yaml": None}))
    ran = cli("trace", "cm/b", "-n", left.target, LOOPBACK)
    assert f"file    none: git does not have it at main@{left.repo.head()[:8]}; it was left in place" in ran.out
    assert "file    a.yaml:1@" in cli("trace", "cm/a", "-n", left.target, LOOPBACK).out


def test_an_object_of_nobody_is_exit_1_and_a_missing_one_7(cli: Sluice, sync: Sync, tmp_path: Path) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lonely"}}
    sync.bench.api.create(f"/api/v1/namespaces/{sync.target}/configmaps", body)
    ran = cli("trace", "cm/lonely", "-n", sync.target)
    assert (ran.code, ran.out, "[E718]" in ran.err) == (1, "", True)
    assert cli("trace", "cm/absent", "-n", sync.target).code == 7
    assert cli("trace", "cm", "-n", sync.target).code == 2


def test_an_object_that_a_finalizer_holds_is_shown_as_going(cli: Sluice, bench: Bench) -> None:
    held = config_map("held", extra="finalizers: [example.com/hold]")
    sync = bench.synced({"a.yaml": config_map("a"), "held.yaml": held})
    sync.wait_ready(sync.push({"held.yaml": None}))
    ran = cli("tree", sync.name, "--no-git")
    bench.api.patch(sync.at("configmaps", "held"), {"metadata": {"finalizers": None}})
    [line] = [line for line in ran.out.splitlines() if "held" in line]
    assert "is being deleted; held by example.com/hold" in line
    assert "✓" not in line


def test_before_its_first_revision_a_tree_says_that_nothing_is_listed_yet(cli: Sluice, bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"a.yaml": config_map("a", extra="labels: [no]")})
    sync.create_source()
    sync.create()
    sync.wait_failed(revision)
    assert "has no objects yet" in cli("tree", sync.name, "--no-git").err
