"""Rows B084 to B102: specs that can't be meant. The API server's schema refuses them, or the operator does by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.operator_fixture import SOURCES, SYNCS, Bench, Json, condition, config_map, poll, with_settings

Spec = dict[str, Any]


def refused_by_schema(bench: Bench, kind: str, spec: Spec) -> str:
    """Try to create an object as kubectl does; returns the refusal's message."""
    group, plural = (SYNCS, "kustomizations") if kind == "Kustomization" else (SOURCES, "gitrepositories")
    body = {
        "apiVersion": group.removeprefix("/apis/"),
        "kind": kind,
        "metadata": {"name": "bad", "namespace": bench.namespace},
        "spec": spec,
    }
    path = f"{group}/namespaces/{bench.namespace}/{plural}?fieldValidation=Strict"
    status, answer = bench.api.request("POST", path, body)
    assert status in {400, 422}, answer
    return str(answer["message"])


def sync_spec(**changes: Any) -> Spec:
    base: Spec = {"interval": "1m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "x"}}
    return {**base, **changes}


def source_spec(**changes: Any) -> Spec:
    return {"interval": "1m", "url": "https://example.com/x.git", **changes}


SCHEMA = [
    ("B084 a day", "Kustomization", sync_spec(interval="1d"), "spec.interval"),
    ("B084 negative", "Kustomization", sync_spec(interval="-5m"), "spec.interval"),
    ("B084 64 KB", "Kustomization", sync_spec(interval="x" * 65536), "spec.interval"),
    ("B084 a number", "Kustomization", sync_spec(interval=5), "spec.interval"),
    ("B084 of a source", "GitRepository", source_spec(interval="1d"), "spec.interval"),
    (
        "B088 a kind that there is not",
        "Kustomization",
        sync_spec(sourceRef={"kind": "Foo", "name": "x"}),
        "sourceRef.kind",
    ),
    ("B094 an unknown provider", "Kustomization", sync_spec(decryption={"provider": "rot13"}), "decryption.provider"),
    ("B099 an unknown field", "Kustomization", sync_spec(replica=1), 'unknown field "spec.replica"'),
    ("B099 a wrong type", "Kustomization", sync_spec(prune="yes"), "spec.prune"),
    ("B102 suspend: yes as text", "Kustomization", sync_spec(suspend="yes"), "spec.suspend"),
    ("B102 of a source", "GitRepository", source_spec(suspend="yes"), "spec.suspend"),
]


@pytest.mark.parametrize(("row", "kind", "spec", "text"), SCHEMA, ids=[r[0] for r in SCHEMA])
def test_the_schema_refuses(bench: Bench, row: str, kind: str, spec: Spec, text: str) -> None:
    assert text in refused_by_schema(bench, kind, spec), row


REFUSED = [
    ("B084 nothing", {"interval": "0s"}, "E245", "spec.interval"),
    ("B084 a millisecond", {"interval": "1ms"}, "E245", "spec.interval"),
    ("B084 a retry of a millisecond", {"retryInterval": "1ms"}, "E245", "spec.retryInterval"),
    ("B086 out of the source", {"path": "../x"}, "E230", "spec.path"),
    ("B086 out by a detour", {"path": "a/../../b"}, "E230", "spec.path"),
    ("B086 a control character", {"path": "a\x1bb"}, "E227", "spec.path"),
    ("B086 a NUL", {"path": "a\0b"}, "E227", "spec.path"),
    ("B086 absent", {"path": "./nowhere"}, "E201", "nowhere"),
    (
        "B088 a kind that is not served yet",
        {"sourceRef": {"kind": "Bucket", "name": "x"}},
        "E244",
        "spec.sourceRef.kind",
    ),
    ("B088 absent", {"sourceRef": {"kind": "GitRepository", "name": "absent"}}, "E105", "absent"),
    ("B092 an absent service account", {"serviceAccountName": "deployer"}, "E646", "deployer does not exist"),
    ("B092 an account that is a user", {"serviceAccountName": "x:system:masters"}, "E217", "spec.serviceAccountName"),
    ("B092 an account elsewhere", {"serviceAccountName": "../../kube-system/x"}, "E217", "spec.serviceAccountName"),
    ("B092 an account with a line", {"serviceAccountName": "a\r\nImpersonate-Group: x"}, "E217", "serviceAccountName"),
    ("B093 a kubeconfig", {"kubeConfig": {"secretRef": {"name": "x"}}}, "E244", "spec.kubeConfig"),
    ("B094 decryption", {"decryption": {"provider": "sops"}}, "E244", "spec.decryption"),
    (
        "B095 a health check of an unknown kind",
        {"healthChecks": [{"apiVersion": "example.com/v1", "kind": "Nothing", "name": "x"}]},
        "E207",
        "Nothing (example.com/v1)",
    ),
    (
        "B095 an expression",
        {"healthCheckExprs": [{"apiVersion": "v1", "kind": "ConfigMap", "current": "1+"}]},
        "E595",
        "spec.healthCheckExprs[0].current",
    ),
    (
        "B098 a tenant's force",
        {"force": True, "serviceAccountName": "tenant"},
        "E646",
        "tenant does not exist",
    ),
    ("a namespace that is none", {"targetNamespace": "Not_A_Name"}, "E217", "spec.targetNamespace"),
    ("a dependency on itself", {"dependsOn": "self"}, "E317", "names the Kustomization itself"),
]


@pytest.mark.parametrize(("row", "spec", "code", "text"), REFUSED, ids=[r[0] for r in REFUSED])
def test_the_operator_refuses_by_name_and_writes_nothing(
    bench: Bench, row: str, spec: Spec, code: str, text: str
) -> None:
    sync = bench.source()
    sync.commit({"a.yaml": config_map("a")})
    if spec.get("dependsOn") == "self":
        spec = {"dependsOn": [{"name": sync.name}]}
    audit = bench.audit()
    sync.create_source()
    sync.create(**spec)
    ready = sync.wait_condition("Ready", "False", text=code)
    assert text in ready["message"], row
    assert "\x1b" not in ready["message"]
    assert "\0" not in ready["message"]
    assert sync.writes(audit) == []


@pytest.mark.parametrize("path", ["", ".", "./", "/", "a/..", "./a/../"])
def test_b086_the_ways_to_say_the_root_are_the_root(bench: Bench, path: str) -> None:
    bench.synced({"a.yaml": config_map("a"), "a/b.yaml": config_map("b")}, path=path)


def test_b084_only_the_object_with_the_bad_duration_fails(bench: Bench) -> None:
    good = bench.synced({"a.yaml": config_map("a")})
    bad = bench.source()
    bad.create_source()
    bad.create(interval="0s")
    bad.wait_condition("Ready", "False", text="E245")
    good.wait_ready(good.push({"a.yaml": config_map("a", "2")}))


def test_b085_a_timeout_longer_than_the_interval_is_allowed_with_a_warning(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, interval="1m", timeout="5m")
    events = f"/api/v1/namespaces/{bench.namespace}/events?fieldSelector=involvedObject.name={sync.name}"
    poll(
        "the warning is an event",
        lambda: [e for e in (bench.api.get(events) or {})["items"] if "longer than spec.interval" in e["message"]],
    )


def test_b084_a_bad_spec_that_is_corrected_runs_at_once(bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    sync.create(interval="0s")
    sync.wait_condition("Stalled", "True")
    sync.edit(interval="1h")
    sync.wait_ready(revision)


def test_b099_all_that_is_wrong_with_a_spec_is_told_at_once(bench: Bench) -> None:
    sync = bench.source()
    sync.create(interval="0s", path="../x", decryption={"provider": "sops"})
    message = sync.wait_condition("Ready", "False", text="3 problems")["message"]
    assert all(code in message for code in ("E245", "E230", "E244"))


SOURCE = [
    ("B084 nothing", {"interval": "0s"}, "E245", "spec.interval"),
    ("B090 a range that is none", {"ref": {"semver": ">=x"}}, "E110", ">=x"),
    ("B091 a short commit", {"ref": {"commit": "abc123"}}, "E111", "spec.ref.commit"),
    ("B091 a commit that there is not", {"ref": {"commit": "0" * 40}}, "E111", "0" * 12),
    ("B089 a branch that there is not", {"ref": {"branch": "nope"}}, "E102", "nope"),
    ("B155 a branch that is an option", {"ref": {"branch": "--upload-pack=x"}}, "E109", "--upload-pack=x"),
    ("a cloud's account", {"provider": "aws", "serviceAccountName": "x"}, "E244", "spec.serviceAccountName"),
    ("verification without keys", {"verify": {"secretRef": {"name": "absent"}}}, "E101", "absent"),
    (
        "a tag's signature, of a branch",
        {"verify": {"mode": "Tag", "secretRef": {"name": "x"}}},
        "E645",
        "a tag reference",
    ),
    ("an absent secret", {"secretRef": {"name": "absent"}}, "E101", "absent"),
]


@pytest.mark.parametrize(("row", "spec", "code", "text"), SOURCE, ids=[r[0] for r in SOURCE])
def test_a_source_is_refused_by_name(bench: Bench, row: str, spec: Spec, code: str, text: str) -> None:
    sync = bench.source()
    sync.commit({"a.yaml": config_map("a")})
    sync.create_source(**spec)

    def ready() -> Json | None:
        bench.operator.check()
        found = condition(bench.api.get(sync.source_path) or {}, "Ready")
        return found if found.get("status") == "False" else None

    message = poll(f"{row}: the source fails", ready)["message"]
    assert f"[{code}" in message, message
    assert text in message


def test_b089_of_several_refs_the_most_exact_one_counts(bench: Bench) -> None:
    sync = bench.source()
    first = sync.repo.commit({"a.yaml": config_map("a", namespace=sync.target)}, "one")
    sync.repo.tag("v1.0.0")
    sync.repo.commit({"a.yaml": config_map("a", "2", namespace=sync.target)}, "two")
    sync.create_source(ref={"branch": "main", "tag": "v1.0.0"})
    sync.create()
    sync.wait_ready(f"v1.0.0@sha1:{first}")


def test_b100_a_sync_whose_spec_lost_its_meaning_is_finalized_from_its_record(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    sync.edit(sourceRef={"kind": "Bucket", "name": "gone"}, interval="0s")
    sync.wait_condition("Ready", "False")
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert sync.live("configmaps", "a") is None


def test_b101_a_name_that_is_longer_than_a_label_is_told_and_writes_nothing(bench: Bench) -> None:
    sync = bench.source()
    sync.commit({"a.yaml": config_map("a")})
    sync.create_source()
    source = sync.name
    sync.name = "s" + "x" * 252
    audit = bench.audit()
    sync.create(sourceRef={"kind": "GitRepository", "name": source})
    message = sync.wait_condition("Ready", "False")["message"]
    assert "[E217]" in message
    assert "63" in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []


def test_b087_a_source_in_another_namespace_is_refused_where_that_is_switched_off(bench: Bench) -> None:
    settings = bench.operator.settings
    bench.operator.stop()
    bench.operator.settings = with_settings(bench, no_cross_namespace_refs=True)
    bench.operator.start()
    try:
        sync = bench.source()
        sync.create(sourceRef={"kind": "GitRepository", "name": "x", "namespace": "elsewhere"})
        ready = sync.wait_condition("Ready", "False", text="E248")
        assert "spec.sourceRef.namespace" in ready["message"]
        assert "--no-cross-namespace-refs" in ready["message"]
    finally:
        bench.operator.stop()
        bench.operator.settings = settings
        bench.operator.start()
