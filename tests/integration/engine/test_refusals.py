"""A revision that can't take effect wholly takes no effect: every problem at once, with its place, and no write."""

from __future__ import annotations

import secrets

from devcluster.fixture import create_namespace
from tests.operator_fixture import Bench, Sync, condition, config_map, deployment, poll

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def real_writes(bench: Bench, sync: Sync, audit: object) -> list[str]:
    return [f"{w.verb} {w.path}" for w in sync.writes(audit) if not w.dry_run]  # type: ignore[arg-type]


def test_all_problems_of_a_revision_are_told_at_once_and_the_last_good_state_keeps_running(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web"), "gone.yaml": config_map("gone")})
    good = sync.status["lastAppliedRevision"]
    inventory = sync.inventory()
    audit = bench.audit()
    revision = sync.push(
        {
            "a.yaml": config_map("a", "2"),
            "web.yaml": deployment("web").replace("replicas:", "replica:"),
            "b.yaml": config_map("b") + "datas: {}\n",
            "gone.yaml": None,
        }
    )
    message = sync.wait_failed(revision, "2 problems", "ReconciliationFailed")
    commit = revision.rpartition(":")[2][:7]
    assert f"[E204] Deployment {sync.target}/web at web.yaml:5:3@{commit}" in message
    assert 'did you mean "replicas"?' in message
    assert f"[E204] ConfigMap {sync.target}/b at b.yaml:6:1@{commit}" in message
    assert real_writes(bench, sync, audit) == []
    assert sync.config("a")["data"] == {"key": "1"}
    assert sync.live("configmaps", "gone") is not None
    status = sync.status
    assert status["lastAppliedRevision"] == good
    assert status["lastAttemptedRevision"] == revision
    assert sync.inventory() == inventory
    assert sync.condition("Stalled")["status"] == "True"
    assert sync.condition("Reconciling") == {}


def test_all_broken_files_of_a_revision_are_told_at_once(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    audit = bench.audit()
    revision = sync.push({"b.yaml": "a: [\n", "c.yaml": "kind: ConfigMap\n", "a.yaml": config_map("a", "2")})
    message = sync.wait_failed(revision, "problems", "BuildFailed")
    assert "b.yaml:" in message
    assert "c.yaml:1" in message
    assert sync.writes(audit) == []


def test_the_next_good_commit_makes_it_ready_again(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.wait_failed(sync.push({"a.yaml": config_map("a", "2") + "datas: {}\n"}))
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "3")}))
    assert sync.condition("Stalled") == {}
    assert sync.config("a")["data"] == {"key": "3"}


def test_a_refused_revision_is_told_once_as_an_event(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.wait_failed(sync.push({"a.yaml": config_map("a", "2") + "datas: {}\n"}))
    sync.reconcile()
    sync.reconcile()

    def events() -> list[dict[str, object]]:
        found = bench.api.get(
            f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=involvedObject.name={sync.name}"
        )
        assert found is not None
        return [e for e in found["items"] if e["involvedObject"]["kind"] == "Kustomization" and e["type"] == "Warning"]

    (event,) = poll("a warning", events)
    assert event["reason"] == "ReconciliationFailed"
    assert "E204" in event["message"]
    assert event["source"] == {"component": "kustomize-controller"}


def test_a_missing_namespace_is_named_with_object_and_file(bench: Bench) -> None:
    _, message = bench.failing({"deep/a.yaml": config_map("a", namespace="no-such-namespace")}, "E322")
    assert "ConfigMap no-such-namespace/a at deep/a.yaml:" in message
    assert "namespace no-such-namespace does not exist" in message


def test_a_namespace_that_is_being_deleted_is_named_and_nothing_is_written(bench: Bench) -> None:
    sync = bench.source()
    going = f"{sync.target}-going"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": going}}
    bench.api.create("/api/v1/namespaces", body)
    holder = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "holder", "finalizers": ["example.com/hold"]},
    }
    bench.api.create(f"/api/v1/namespaces/{going}/configmaps", holder)
    bench.api.delete(f"/api/v1/namespaces/{going}")
    audit = bench.audit()
    revision = sync.commit({"a.yaml": config_map("a", namespace=going), "b.yaml": config_map("b")})
    sync.create_source()
    sync.create()
    message = sync.wait_failed(revision, "E318")
    assert f"ConfigMap {going}/a at a.yaml:" in message
    assert real_writes(bench, sync, audit) == []
    assert sync.condition("Stalled") == {}, "a namespace that is going is nobody's fault in git: it is tried again"
    bench.api.patch(f"/api/v1/namespaces/{going}/configmaps/holder", {"metadata": {"finalizers": None}})


def test_a_quota_is_named_with_object_and_file(bench: Bench) -> None:
    sync = bench.source()
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"count/configmaps": "0"}},
    }
    bench.api.create(f"/api/v1/namespaces/{sync.target}/resourcequotas", quota)
    path = sync.at("resourcequotas", "none")
    poll("the quota counts", lambda: (bench.api.get(path) or {}).get("status", {}).get("used"))
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create(retryInterval="1s")
    message = sync.wait_failed(revision, "E305")
    assert f"ConfigMap {sync.target}/a at a.yaml:" in message
    assert "ResourceQuota none has no room" in message
    assert "count/configmaps: hard 0" in message
    bench.api.delete(path)
    sync.wait_ready(revision)


def test_an_admission_policy_is_named_with_object_and_file(bench: Bench) -> None:
    label = "deny.example.com"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": label},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "objectSelector": {"matchLabels": {label: "yes"}},
                "resourceRules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["configmaps"],
                    }
                ],
            },
            "validations": [{"expression": "object.data.key != 'forbidden'", "message": "that key is not for sale"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": label},
        "spec": {"policyName": label, "validationActions": ["Deny"]},
    }
    bench.api.create(f"{ADMISSION}/validatingadmissionpolicies", policy)
    bench.api.create(f"{ADMISSION}/validatingadmissionpolicybindings", binding)
    probe = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "probe", "labels": {label: "yes"}},
        "data": {"key": "forbidden"},
    }
    where = f"/api/v1/namespaces/{bench.namespace}/configmaps?dryRun=All"
    poll("the policy is in force", lambda: bench.api.request("POST", where, probe)[0] in {403, 422})
    marked = f'labels: {{{label}: "yes"}}'
    sync, message = bench.failing(
        {"a.yaml": config_map("a", "forbidden", extra=marked), "b.yaml": config_map("b")}, "E302"
    )
    assert f"ConfigMap {sync.target}/a at a.yaml:" in message
    assert "that key is not for sale" in message
    assert sync.live("configmaps", "b") is None
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "allowed", extra=marked)}))
    bench.api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{label}")
    bench.api.delete(f"{ADMISSION}/validatingadmissionpolicies/{label}")


def test_a_missing_source_is_named_and_its_arrival_wakes_the_sync(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create()
    ready = sync.wait_condition("Ready", "False", "ArtifactFailed", "E105")
    assert f"GitRepository {bench.namespace}/{sync.name} does not exist" in ready["message"]
    sync.create_source()
    sync.wait_ready(revision, 10)


def test_what_keeps_a_source_from_its_first_artifact_is_repeated_by_the_sync(bench: Bench) -> None:
    sync = bench.source()
    sync.commit({"a.yaml": config_map("a")})
    sync.create_source(ref={"branch": "no-such-branch"})
    sync.create()
    sync.wait_condition("Ready", "False", "ArtifactFailed", "no-such-branch")


def test_a_source_that_fails_later_leaves_the_sync_ready_at_its_last_artifact(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.api.patch(sync.source_path, {"spec": {"ref": {"branch": "no-such-branch"}}})

    def failed() -> bool:
        conditions = (bench.api.get(sync.source_path) or {})["status"]["conditions"]
        return any(c["type"] == "Ready" and c["status"] == "False" for c in conditions)

    poll("the source fails", failed)
    sync.reconcile()
    assert sync.condition("Ready")["status"] == "True"


def test_an_empty_revision_is_refused_until_it_is_confirmed(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "README.md": "hello"})
    audit = bench.audit()
    revision = sync.push({"a.yaml": None})
    message = sync.wait_failed(revision, "E313")
    assert "spec.allowEmpty" in message
    assert sync.writes(audit) == []
    sync.edit(allowEmpty=True)
    sync.wait_ready(revision)
    assert sync.live("configmaps", "a") is None


def test_a_prune_over_the_limit_is_refused_until_the_limit_is_raised(bench: Bench) -> None:
    sync = bench.synced({f"{n}.yaml": config_map(n) for n in "abcde"}, pruneLimit=30)
    revision = sync.push({"a.yaml": None, "b.yaml": None})
    message = sync.wait_failed(revision, "E314")
    assert f"ConfigMap {sync.target}/a, ConfigMap {sync.target}/b" in message
    assert sync.live("configmaps", "a") is not None
    sync.edit(pruneLimit=50)
    sync.wait_ready(revision)
    assert sync.live("configmaps", "a") is None


def test_a_namespace_that_somebody_makes_is_used_at_once_although_the_interval_is_an_hour(bench: Bench) -> None:
    late = f"late-{secrets.token_hex(3)}"
    sync, _ = bench.failing({"a.yaml": config_map("a", namespace=late)}, "[E322]")
    create_namespace(bench.cluster, late)
    sync.wait_ready(sync.status["lastAttemptedRevision"])
    assert bench.api.get(f"/api/v1/namespaces/{late}/configmaps/a") is not None


def test_a_namespace_that_is_deleted_and_made_again_gets_its_objects_back(bench: Bench) -> None:
    name = f"lost-{secrets.token_hex(3)}"
    create_namespace(bench.cluster, name)
    files = {"a.yaml": config_map("a", namespace=name), "web.yaml": deployment("web").replace("$NS", name)}
    sync = bench.synced(files)
    bench.api.delete(f"/api/v1/namespaces/{name}")
    poll("the namespace is gone", lambda: bench.api.get(f"/api/v1/namespaces/{name}") is None, 60)
    sync.wait("told", lambda k: condition(k, "Ready").get("status") == "False")
    create_namespace(bench.cluster, name)
    sync.wait_ready(sync.status["lastAppliedRevision"])
    assert bench.api.get(f"/api/v1/namespaces/{name}/configmaps/a") is not None
    assert bench.api.get(f"/apis/apps/v1/namespaces/{name}/deployments/web") is not None
