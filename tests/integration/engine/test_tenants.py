"""Kustomizations that name a service account: their objects are that account's business, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.operator_fixture import FAILING_JOB, Bench, Json, Sync, condition, config_map, deployment, poll

RBAC = "/apis/rbac.authorization.k8s.io/v1"
VERBS = ("get", "list", "create", "update", "patch", "delete")


def allow(sync: Sync, account: str, namespace: str, verbs: Sequence[str] = VERBS) -> None:
    """Let an account of the sync's namespace do that with what tests apply, in one namespace."""
    rules = [{"apiGroups": ["", "apps", "batch"], "resources": ["configmaps", "deployments", "jobs"], "verbs": verbs}]
    path = f"{RBAC}/namespaces/{namespace}"
    sync.bench.api.create(f"{path}/roles", {"metadata": {"name": account}, "rules": rules})
    binding = {
        "metadata": {"name": account},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": sync.namespace}],
    }
    sync.bench.api.create(f"{path}/rolebindings", binding)


def tenant(bench: Bench, *, verbs: Sequence[str] = VERBS) -> Sync:
    """A repository with an account of its sync's name that may write the sync's target, and nothing else."""
    sync = bench.source()
    make_account(sync, sync.name)
    allow(sync, sync.name, sync.target, verbs)
    sync.create_source()
    return sync


def make_account(sync: Sync, account: str) -> None:
    """A service account in the sync's namespace."""
    path = f"/api/v1/namespaces/{sync.namespace}/serviceaccounts"
    sync.bench.api.create(path, {"metadata": {"name": account}})


def applied(sync: Sync, files: dict[str, str | None], **spec: Any) -> str:
    """Commit, and make the sync as its account; wait until it is Ready."""
    revision = sync.push(files)
    sync.create(serviceAccountName=sync.name, **spec)
    sync.wait_ready(revision)
    return revision


def acted(sync: Sync, entries: Sequence[Json]) -> set[tuple[str, str, str]]:
    """Who made requests about objects of the target namespace: user and verb, watches left out."""
    return {
        (entry.get("impersonatedUser", {}).get("username", "operator"), entry["verb"], entry["objectRef"]["resource"])
        for entry in entries
        if entry.get("objectRef", {}).get("namespace") == sync.target and entry["verb"] != "watch"
        and entry["objectRef"].get("resource") not in {"resourcequotas", "pods", "namespaces"}
    }  # fmt: skip


def test_everything_about_a_tenant_s_objects_is_done_as_its_account_and_nothing_else_is(bench: Bench) -> None:
    sync = tenant(bench)
    audit = bench.audit()
    applied(sync, {"a.yaml": config_map("a"), "web.yaml": deployment("web", replicas=0)})
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "drifted"}})
    poll("drift corrected", lambda: sync.config("a")["data"]["key"] != "drifted")
    failed = sync.push({"a.yaml": config_map("a", "new"), "job.yaml": FAILING_JOB, "b.yaml": config_map("b")})
    sync.edit(wait=True)
    sync.wait_failed(failed, reason="Undone")
    assert sync.config("a")["data"]["key"] != "new"
    assert sync.live("configmaps", "b") is None
    sync.wait_ready(sync.push({"a.yaml": None, "job.yaml": None, "b.yaml": None}))
    assert sync.live("configmaps", "a") is None
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.live("apps/v1/deployments", "web") is None
    entries = list(audit.completed(bench.agent))
    user = f"system:serviceaccount:{sync.namespace}:{sync.name}"
    who = acted(sync, entries)
    assert {each for each in who if each[0] != user} == set()
    assert {verb for _, verb, _ in who} >= {"get", "patch", "delete"}
    own = [e for e in entries if "impersonatedUser" in e and e["objectRef"].get("namespace") != sync.target]
    assert own == [], "records, status, events and leases are the operator's"
    assert {e["impersonatedUser"]["username"] for e in entries if "impersonatedUser" in e} == {user}


def test_after_a_crash_a_tenant_s_revision_is_undone_as_its_account_and_never_without_it(bench: Bench) -> None:
    sync = tenant(bench)
    applied(sync, {"a.yaml": config_map("a")}, wait=True)
    before = sync.config("a")["data"]
    waits = deployment("web", "nginx:unready")
    sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b"), "d.yaml": waits})
    poll("it is half-way", lambda: sync.live("apps/v1/deployments", "web"))
    bench.operator.kill()
    bench.api.delete(f"/api/v1/namespaces/{sync.namespace}/serviceaccounts/{sync.name}")
    audit = bench.audit()
    bench.operator.start()
    revision = sync.push({"a.yaml": config_map("a", "3"), "d.yaml": None, "job.yaml": FAILING_JOB})
    sync.wait_failed(revision, "[E646]")
    assert sync.writes(audit) == []
    make_account(sync, sync.name)
    sync.request()
    sync.wait_failed(revision, reason="Undone", seconds=60)
    assert sync.config("a")["data"] == before
    for kind, name in (("configmaps", "b"), ("apps/v1/deployments", "web"), ("batch/v1/jobs", "migrate")):
        assert sync.live(kind, name) is None, name
    who = {user for user, verb, _ in acted(sync, list(audit.completed(bench.agent))) if verb not in {"get", "list"}}
    assert who == {f"system:serviceaccount:{sync.namespace}:{sync.name}"}


def test_what_the_account_may_not_do_is_refused_before_any_write_with_the_role_that_it_lacks(bench: Bench) -> None:
    sync, other = tenant(bench), bench.source()
    foreign = config_map("stolen").replace("$NS", other.target)
    revision = sync.push({"a.yaml": config_map("a"), "b.yaml": foreign})
    sync.create(serviceAccountName=sync.name)
    said = sync.wait_failed(revision, "[E308]")
    assert f"ServiceAccount {sync.namespace}/{sync.name} may not" in said
    assert f"configmaps in namespace {other.target}" in said
    assert "b.yaml:1@" in said
    assert "bind a Role" in said
    assert sync.live("configmaps", "a") is None
    assert other.live("configmaps", "stolen") is None
    allow(sync, sync.name, other.target)
    sync.request()
    sync.wait_ready(revision)


def test_a_cluster_scoped_object_is_not_for_an_account_of_one_namespace(bench: Bench) -> None:
    sync = tenant(bench)
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: $NS-all}\nrules: []\n"
    revision = sync.push({"a.yaml": config_map("a"), "role.yaml": role})
    sync.create(serviceAccountName=sync.name)
    said = sync.wait_failed(revision, "[E308]")
    assert "clusterroles.rbac.authorization.k8s.io" in said
    assert "bind a ClusterRole" in said
    assert sync.live("configmaps", "a") is None


def test_without_its_account_nothing_is_applied_corrected_or_pruned(bench: Bench) -> None:
    sync = tenant(bench)
    revision = applied(sync, {"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    account = f"/api/v1/namespaces/{sync.namespace}/serviceaccounts/{sync.name}"
    bench.api.delete(account)
    audit = bench.audit()
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "drifted"}})
    sync.wait_condition("Ready", "False", "ReconciliationFailed", "[E646]")
    later = sync.push({"b.yaml": None})
    said = sync.wait_failed(later, "[E646]")
    assert f"ServiceAccount {sync.namespace}/{sync.name} does not exist" in said
    assert sync.writes(audit) == []
    assert sync.config("a")["data"]["key"] == "drifted"
    make_account(sync, sync.name)
    sync.request()
    sync.wait_ready(later)
    assert sync.live("configmaps", "b") is None
    assert sync.config("a")["data"]["key"] != "drifted"
    assert revision != later


def test_a_sync_that_is_deleted_without_its_account_leaves_its_objects_and_says_so(bench: Bench) -> None:
    sync = tenant(bench)
    applied(sync, {"a.yaml": config_map("a")})
    bench.api.delete(f"/api/v1/namespaces/{sync.namespace}/serviceaccounts/{sync.name}")
    poll("the account is gone", lambda: not missing(sync))
    audit = bench.audit()
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.config("a")
    assert sync.writes(audit) == []

    def told() -> bool:
        events = bench.api.get(f"/api/v1/namespaces/{sync.namespace}/events") or {}
        return any(e["reason"] == "Orphaned" and "service account is gone" in e["message"] for e in events["items"])

    poll("an event says so", told)


def missing(sync: Sync) -> bool:
    """True while the account is still there."""
    return sync.bench.api.get(f"/api/v1/namespaces/{sync.namespace}/serviceaccounts/{sync.name}") is not None


def test_an_account_that_may_not_delete_keeps_what_left_git_and_is_named(bench: Bench) -> None:
    sync = tenant(bench, verbs=("get", "list", "create", "patch"))
    applied(sync, {"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    later = sync.push({"b.yaml": None})
    said = sync.wait_failed(later, "[E309]")
    assert f'User "system:serviceaccount:{sync.namespace}:{sync.name}" cannot delete resource "configmaps"' in said
    assert "verbs: [delete]" in said
    assert sync.config("b")


def test_an_account_needs_no_list_for_many_objects(bench: Bench) -> None:
    sync = tenant(bench, verbs=("get", "create", "update", "patch", "delete"))
    applied(sync, {f"{n}.yaml": config_map(f"c{n}") for n in range(12)})
    sync.wait_ready(sync.push({f"{n}.yaml": config_map(f"c{n}", "two") for n in range(12)}))
    assert sync.config("c11")["data"]["key"] == "two"


def test_a_health_check_shows_no_object_that_the_account_may_not_see(bench: Bench) -> None:
    other = bench.synced({"a.yaml": config_map("a")})
    sync = tenant(bench)
    revision = sync.push({"a.yaml": config_map("a")})
    check = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "namespace": other.target}
    sync.create(serviceAccountName=sync.name, healthChecks=[check], timeout="10s")
    said = sync.wait_failed(revision, "may not")
    assert f"configmaps in namespace {other.target}" in said


def tenants_group(bench: Bench, **spec: Any) -> tuple[Sync, Sync]:
    """Two syncs that are a group, each with an account of its own and a ConfigMap: `a` and `b`."""
    sync = tenant(bench)
    twin = replace(sync, name=f"{sync.name}-two")
    make_account(twin, twin.name)
    allow(twin, twin.name, sync.target)
    revision = sync.push({"one/a.yaml": config_map("a"), "two/b.yaml": config_map("b")})
    group = {"annotations": {"sluice.dev/group": sync.name}}
    source = {"kind": "GitRepository", "name": sync.name}
    sync.create(serviceAccountName=sync.name, path="one", metadata=group, **spec)
    twin.create(serviceAccountName=twin.name, path="two", metadata=group, sourceRef=source, **spec)
    sync.wait_ready(revision)
    twin.wait_ready(revision)
    return sync, twin


def test_a_member_that_is_removed_by_force_while_the_operator_is_away_is_undone_as_its_account(bench: Bench) -> None:
    sync, twin = tenants_group(bench, wait=True)
    before = sync.config("b")["data"]
    sync.push({"two/b.yaml": config_map("b", "2"), "two/slow.yaml": deployment("slow", "app:unready")})
    poll("under way", lambda: sync.live("apps/v1/deployments", "slow") and sync.config("b")["data"] != before)
    bench.operator.kill()
    bench.api.patch(twin.path, {"metadata": {"finalizers": None}})
    bench.api.delete(twin.path)
    audit = bench.audit()
    bench.operator.start()
    poll("what it had begun is undone", lambda: sync.config("b")["data"] == before, 60)
    poll("what it had made is gone", lambda: sync.live("apps/v1/deployments", "slow") is None, 60)
    writes = {each for each in acted(sync, list(audit.completed(bench.agent))) if each[1] not in {"get", "list"}}
    assert {user.rpartition(":")[2] for user, _, kind in writes if kind in {"configmaps", "deployments"}} == {twin.name}


def test_each_member_of_a_group_is_applied_as_its_own_account(bench: Bench) -> None:
    audit = bench.audit()
    sync, twin = tenants_group(bench)
    applies = {
        (e["objectRef"]["name"], e["impersonatedUser"]["username"].rpartition(":")[2])
        for e in audit.completed(bench.agent)
        if e["verb"] == "patch" and e.get("objectRef", {}).get("namespace") == sync.target
    }
    assert {each for each in applies if each[0] in {"a", "b"}} == {("a", sync.name), ("b", twin.name)}


@pytest.fixture
def locked_down(bench: Bench) -> Iterator[Bench]:
    """The same operator, as it is started for tenants that do not trust each other."""
    before = bench.operator.settings
    bench.operator.stop()
    bench.operator.settings = replace(before, default_service_account="default", no_cross_namespace_refs=True)
    bench.operator.start()
    yield bench
    bench.operator.stop()
    bench.operator.settings = before
    bench.operator.start()


def test_locked_down_a_sync_without_an_account_has_the_rights_of_its_namespace_s_default_one(
    locked_down: Bench,
) -> None:
    sync = locked_down.source()
    path = f"/api/v1/namespaces/{sync.namespace}/serviceaccounts/default"
    poll("there is a default account", lambda: locked_down.api.get(path))
    sync.create_source()
    revision = sync.push({"a.yaml": config_map("a")})
    sync.create()
    said = sync.wait_failed(revision, "[E308]")
    assert f"ServiceAccount {sync.namespace}/default may not" in said
    allow(sync, "default", sync.target)
    sync.request()
    sync.wait_ready(revision)
    sync.edit(sourceRef={"kind": "GitRepository", "name": sync.name, "namespace": "elsewhere"})
    found = sync.wait("AccessDenied", lambda k: condition(k, "Ready").get("reason") == "AccessDenied")
    assert condition(found, "Stalled")["status"] == "True"
