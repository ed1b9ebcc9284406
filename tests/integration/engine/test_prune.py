"""Prune takes only what the inventory, the owner labels and the UID prove to be ours, and never in silence."""

from __future__ import annotations

import pytest

from tests.operator_fixture import Bench, Sync, config_map, poll

LABEL = "kustomize.toolkit.fluxcd.io/name"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def deletions(bench: Bench, sync: Sync, audit: object) -> list[str]:
    return [w.path for w in sync.writes(audit) if w.verb == "delete"]  # type: ignore[arg-type]


TWO = {"a.yaml": config_map("a"), "b.yaml": config_map("b")}


def test_an_object_whose_owner_label_was_changed_by_hand_is_not_pruned(bench: Bench) -> None:
    sync = bench.synced(TWO)
    bench.operator.stop()
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"labels": {LABEL: "somebody-else"}}})
    sync.push({"a.yaml": None})
    audit = bench.audit()
    bench.operator.start()
    sync.wait("a let go", lambda k: f"{sync.target}_a__ConfigMap" not in sync.inventory())
    assert deletions(bench, sync, audit) == []
    assert sync.config("a")["metadata"]["labels"][LABEL] == "somebody-else"


def test_an_object_that_lost_its_owner_labels_is_not_pruned(bench: Bench) -> None:
    sync = bench.synced(TWO)
    bench.operator.stop()
    bench.api.patch(sync.at("configmaps", "a"), {"metadata": {"labels": None}})
    revision = sync.push({"a.yaml": None})
    audit = bench.audit()
    bench.operator.start()
    sync.wait_ready(revision)
    assert deletions(bench, sync, audit) == []
    assert sync.inventory() == [f"{sync.target}_b__ConfigMap"]
    assert sync.live("configmaps", "a") is not None


def test_an_object_recreated_by_somebody_else_is_not_pruned_although_it_carries_our_labels(bench: Bench) -> None:
    sync = bench.synced(TWO)
    bench.operator.stop()
    ours = sync.config("a")
    bench.api.delete(sync.at("configmaps", "a"))
    poll("a is gone", lambda: sync.live("configmaps", "a") is None)
    copy = {"name": "a", "namespace": sync.target, "labels": ours["metadata"]["labels"]}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": copy, "data": {"whose": "theirs"}}
    theirs = bench.api.create(sync.at("configmaps", "a").rpartition("/")[0], body)
    revision = sync.push({"a.yaml": None})
    audit = bench.audit()
    bench.operator.start()
    sync.wait_ready(revision)
    assert deletions(bench, sync, audit) == []
    assert sync.config("a")["metadata"]["uid"] == theirs["metadata"]["uid"]


def test_an_object_with_prune_disabled_in_git_stays_when_it_leaves_git(bench: Bench) -> None:
    kept = config_map("a", extra="annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}")
    sync = bench.synced({"a.yaml": kept, "b.yaml": config_map("b")})
    sync.wait_ready(sync.push({"a.yaml": None}))
    assert sync.live("configmaps", "a") is not None
    assert sync.inventory() == [f"{sync.target}_b__ConfigMap"]


def test_an_object_with_prune_disabled_put_on_by_hand_stays_when_it_leaves_git(bench: Bench) -> None:
    sync = bench.synced(TWO)
    note = {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/prune": "Disabled"}}}
    bench.api.patch(sync.at("configmaps", "a"), note)
    sync.wait_ready(sync.push({"a.yaml": None}))
    assert sync.live("configmaps", "a") is not None


def test_with_prune_off_objects_that_leave_git_stay(bench: Bench) -> None:
    sync = bench.synced(TWO, prune=False)
    audit = bench.audit()
    sync.wait_ready(sync.push({"a.yaml": None}))
    assert deletions(bench, sync, audit) == []
    assert sync.live("configmaps", "a") is not None
    assert sync.inventory() == [f"{sync.target}_b__ConfigMap"]


def test_objects_of_others_beside_ours_are_never_touched(bench: Bench) -> None:
    sync = bench.source()
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bystander"}, "data": {"a": "1"}}
    before = bench.api.create(sync.at("configmaps", "bystander").rpartition("/")[0], body)
    revision = sync.commit(dict(TWO))
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    sync.wait_ready(sync.push({"a.yaml": None}))
    after = sync.config("bystander")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_an_object_held_by_a_finalizer_is_shown_blocks_nothing_and_is_deleted_once(bench: Bench) -> None:
    held = config_map("held", extra="finalizers: [example.com/hold]")
    sync = bench.synced({"held.yaml": held, "b.yaml": config_map("b")})
    audit = bench.audit()
    sync.wait_ready(sync.push({"held.yaml": None}))
    assert f"{sync.target}_held__ConfigMap" in sync.inventory()
    sync.wait_ready(sync.push({"b.yaml": config_map("b", "2")}))
    sync.reconcile()
    assert deletions(bench, sync, audit) == [sync.at("configmaps", "held")]
    bench.api.patch(sync.at("configmaps", "held"), {"metadata": {"finalizers": None}})
    sync.wait("held is let go", lambda k: sync.inventory() == [f"{sync.target}_b__ConfigMap"])


@pytest.fixture
def undeletable(bench: Bench) -> str:
    """A label whose ConfigMaps an admission policy does not let go."""
    label = "keep.example.com"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": label},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "objectSelector": {"matchLabels": {label: "yes"}},
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["configmaps"]}
                ],
            },
            "validations": [{"expression": "false", "message": "this one stays"}],
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
    probe = f"/api/v1/namespaces/{bench.namespace}/configmaps"
    bench.api.create(
        probe,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe", "labels": {label: "yes"}}},
    )
    poll("the policy is in force", lambda: bench.api.request("DELETE", f"{probe}/probe?dryRun=All")[0] in {403, 422})
    return label


def test_a_denied_prune_is_reported_keeps_its_entry_and_is_tried_again(bench: Bench, undeletable: str) -> None:
    stuck = config_map("stuck", extra=f'labels: {{{undeletable}: "yes"}}')
    sync = bench.synced({"stuck.yaml": stuck, "a.yaml": config_map("a"), "b.yaml": config_map("b")}, retryInterval="1s")
    applied = sync.status["lastAppliedRevision"]
    revision = sync.push({"stuck.yaml": None, "a.yaml": None, "b.yaml": config_map("b", "2")})
    message = sync.wait_failed(revision, "E309", "PruneFailed")
    assert f"ConfigMap {sync.target}/stuck" in message
    assert "this one stays" in message
    assert f"{sync.target}_stuck__ConfigMap" in sync.inventory()
    assert f"{sync.target}_a__ConfigMap" not in sync.inventory()
    assert sync.config("b")["data"] == {"key": "2"}
    assert sync.status["lastAppliedRevision"] == applied
    audit = bench.audit()
    poll("another try", lambda: sync.writes(audit))
    bench.api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{undeletable}")
    sync.wait_ready(revision)
    assert sync.live("configmaps", "stuck") is None
    assert sync.inventory() == [f"{sync.target}_b__ConfigMap"]
    bench.api.delete(f"{ADMISSION}/validatingadmissionpolicies/{undeletable}")


def test_an_object_in_two_syncs_is_refused_to_the_second_and_handed_over_with_its_uid(bench: Bench) -> None:
    first = bench.synced(TWO)
    uid = first.config("a")["metadata"]["uid"]
    second = bench.source()
    revision = second.commit({"a.yaml": config_map("a", "2", namespace=first.target)})
    second.create_source()
    second.create(retryInterval="1s")
    second.wait_failed(revision, "E315")
    assert first.name in second.message
    assert first.config("a")["data"] == {"key": "1"}
    audit = bench.audit()
    first.wait_ready(first.push({"a.yaml": None}))
    second.wait_ready(revision)
    live = first.config("a")
    assert live["metadata"]["uid"] == uid
    assert live["data"] == {"key": "2"}
    assert live["metadata"]["labels"][LABEL] == second.name
    assert deletions(bench, first, audit) == []


def test_the_operators_own_objects_in_git_are_never_deleted_neither_by_a_commit_nor_with_their_sync(
    bench: Bench,
) -> None:
    account = f"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: sluice\n  namespace: {bench.namespace}\n"
    sync = bench.synced({**TWO, "account.yaml": account})
    revision = sync.push({"account.yaml": None, "a.yaml": None})
    message = sync.wait_failed(revision, "[E316]")
    assert f"ServiceAccount {bench.namespace}/sluice" in message
    assert "prune: disabled" in message
    assert sync.live("configmaps", "a")
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.live("configmaps", "a") is None
    assert bench.api.get(f"/api/v1/namespaces/{bench.namespace}/serviceaccounts/sluice")
