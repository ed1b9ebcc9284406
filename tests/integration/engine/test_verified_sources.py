"""Sources whose revisions must be signed: what is not is never applied, and what was applied last stays."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from tests.keyring import SshKey, signed, signed_tag
from tests.operator_fixture import Bench, Json, Sync, condition, poll

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app, namespace: %s}\ndata: {v: '%s'}\n"


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> SshKey:
    """A trusted person."""
    return SshKey(tmp_path_factory.mktemp("ada"), "ada")


def trust(bench: Bench, name: str, *keys: SshKey) -> None:
    """A Secret with these public keys."""
    data = {f"{n}.sshpub": base64.b64encode(key.public.encode()).decode() for n, key in enumerate(keys)}
    path = f"/api/v1/namespaces/{bench.namespace}/secrets"
    bench.api.create(path, {"metadata": {"name": name}, "data": data})


def push_signed(sync: Sync, value: str) -> str:
    """A signed commit of the ConfigMap; asks the source to look, once there is one. Returns the revision."""
    commit = signed(sync.repo, {"app.yaml": CONFIG % (sync.target, value)})
    if sync.bench.api.get(sync.source_path) is not None:
        sync.request(sync.source_path)
    return f"main@sha1:{commit}"


def wait_source(sync: Sync, what: str, check: Callable[[Json], object]) -> Json:
    """Poll the GitRepository until `check` holds."""

    def look() -> Json | None:
        sync.bench.operator.check()
        found = sync.bench.api.get(sync.source_path)
        return found if found is not None and check(found) else None

    return dict(poll(what, look))


def wait_verified(sync: Sync, status: str, reason: str = "") -> Json:
    """Wait until SourceVerified is as told; returns the condition."""

    def check(found: Json) -> bool:
        known = condition(found, "SourceVerified")
        return known.get("status") == status and reason in {"", known.get("reason")}

    return condition(wait_source(sync, f"SourceVerified {status} {reason}", check), "SourceVerified")


def synced(bench: Bench, ada: SshKey, **source: object) -> tuple[Sync, str]:
    """A sync whose first revision is signed, and applied."""
    sync = bench.source()
    trust(bench, sync.name, ada)
    ada.sign_commits(sync.repo)
    revision = push_signed(sync, "1")
    sync.create_source(**{"verify": {"mode": "HEAD", "secretRef": {"name": sync.name}}, **source})
    sync.create()
    sync.wait_ready(revision)
    return sync, revision


def test_a_signed_revision_is_applied_and_its_source_says_by_whose_key(bench: Bench, ada: SshKey) -> None:
    sync, revision = synced(bench, ada)
    source = wait_source(sync, "artifact", lambda s: s.get("status", {}).get("artifact"))
    told = condition(source, "SourceVerified")
    commit = revision.rpartition(":")[2]
    assert (told["status"], told["reason"]) == ("True", "Succeeded")
    assert told["message"] == f"verified signature of\n\t- commit '{commit}' with key '{ada.fingerprint}'"
    assert source["status"]["sourceVerificationMode"] == "HEAD"
    assert condition(source, "Ready")["status"] == "True"


def test_an_unsigned_revision_is_never_applied_and_the_next_signed_one_is(bench: Bench, ada: SshKey) -> None:
    sync, revision = synced(bench, ada)
    sync.push({"app.yaml": CONFIG % (sync.target, "2")})
    told = wait_verified(sync, "False")
    assert told["reason"] == "InvalidCommitSignature"
    assert "[E640]" in told["message"]
    source = wait_source(sync, "not ready", lambda s: condition(s, "Ready").get("reason") == "InvalidCommitSignature")
    assert source["status"]["artifact"]["revision"] == revision
    sync.reconcile()
    assert sync.config("app")["data"]["v"] == "1"
    assert sync.status["lastAttemptedRevision"] == revision
    assert sync.condition("Ready")["status"] == "True"
    sync.wait_ready(push_signed(sync, "3"))
    assert sync.config("app")["data"]["v"] == "3"
    wait_verified(sync, "True")


def test_over_a_restart_the_last_verified_revision_stays_where_the_head_is_unsigned(bench: Bench, ada: SshKey) -> None:
    sync, revision = synced(bench, ada)
    sync.push({"app.yaml": CONFIG % (sync.target, "2")})
    wait_verified(sync, "False")
    bench.operator.restart()
    sync.bench.api.patch(sync.at("configmaps", "app"), {"data": {"v": "drifted"}})
    poll("drift corrected", lambda: sync.config("app")["data"]["v"] == "1")
    sync.edit(commonMetadata={"labels": {"later": "yes"}})
    sync.wait_ready(revision)
    assert sync.config("app")["metadata"]["labels"]["later"] == "yes"
    assert sync.config("app")["data"]["v"] == "1"
    wait_verified(sync, "False")


def test_a_source_that_comes_to_ask_for_signatures_offers_nothing_that_has_none(bench: Bench, ada: SshKey) -> None:
    sync = bench.synced({"app.yaml": CONFIG % ("$NS", "1")})
    trust(bench, sync.name, ada)
    bench.api.patch(sync.source_path, {"spec": {"verify": {"secretRef": {"name": sync.name}}}})
    wait_verified(sync, "False", "InvalidCommitSignature")
    sync.edit(commonMetadata={"labels": {"later": "yes"}})
    sync.wait_condition("Ready", "False", "ArtifactFailed")
    assert "later" not in sync.config("app")["metadata"]["labels"]


def test_nobody_goes_back_to_a_revision_that_is_not_signed(bench: Bench, ada: SshKey) -> None:
    sync = bench.synced({"app.yaml": CONFIG % ("$NS", "1")})
    unsigned = sync.status["lastAppliedRevision"]
    trust(bench, sync.name, ada)
    ada.sign_commits(sync.repo)
    bench.api.patch(sync.source_path, {"spec": {"verify": {"secretRef": {"name": sync.name}}}})
    revision = push_signed(sync, "2")
    sync.wait_ready(revision)
    back = {"sluice.dev/rollback-to": unsigned, "sluice.dev/rollback-from": revision}
    bench.api.patch(sync.path, {"metadata": {"annotations": back}})
    sync.request()
    said = sync.wait_condition("Ready", "False", "RollbackRefused")
    assert "signature verification of commit" in said["message"]
    assert sync.config("app")["data"]["v"] == "2"


def test_a_tag_and_its_commit_must_both_be_signed_where_both_are_asked_for(bench: Bench, ada: SshKey) -> None:
    sync = bench.source()
    trust(bench, sync.name, ada)
    sync.commit({"app.yaml": CONFIG % ("$NS", "1")})
    ada.sign_commits(sync.repo)
    signed_tag(sync.repo, "v1.0.0")
    verify = {"mode": "TagAndHEAD", "secretRef": {"name": sync.name}}
    sync.create_source(ref={"semver": ">=1.0.0"}, verify=verify)
    sync.create()
    told = wait_verified(sync, "False")
    assert told["reason"] == "InvalidCommitSignature"
    assert sync.live("configmaps", "app") is None
    commit = signed(sync.repo, {"app.yaml": CONFIG % (sync.target, "2")})
    tag = signed_tag(sync.repo, "v1.1.0")
    sync.request(sync.source_path)
    sync.wait_ready(f"v1.1.0@sha1:{commit}")
    told = wait_verified(sync, "True")
    assert told["message"] == (
        f"verified signature of\n\t- tag 'v1.1.0@sha1:{tag}' with key '{ada.fingerprint}'"
        f"\n\t- commit '{commit}' with key '{ada.fingerprint}'"
    )
    bench.api.patch(sync.source_path, {"spec": {"verify": {**verify, "mode": "Tag"}}})
    wait_source(sync, "mode", lambda s: s["status"].get("sourceVerificationMode") == "Tag")


def test_a_tag_s_signature_can_t_be_asked_for_where_a_branch_is_followed(bench: Bench, ada: SshKey) -> None:
    sync = bench.source()
    trust(bench, sync.name, ada)
    sync.commit({"app.yaml": CONFIG % ("$NS", "1")})
    sync.create_source(verify={"mode": "Tag", "secretRef": {"name": sync.name}})
    told = wait_verified(sync, "False", "InvalidVerificationMode")
    assert "if a tag reference is not specified" in told["message"]
    source = wait_source(sync, "stalled", lambda s: condition(s, "Stalled").get("status") == "True")
    assert condition(source, "Stalled")["reason"] == "InvalidVerificationMode"


def test_keys_that_are_not_there_refuse_every_revision_and_keep_what_was_verified(bench: Bench, ada: SshKey) -> None:
    sync, revision = synced(bench, ada)
    bench.api.delete(f"/api/v1/namespaces/{bench.namespace}/secrets/{sync.name}")
    push_signed(sync, "2")
    wait_verified(sync, "False", "VerificationError")
    assert sync.reconcile()["status"]["lastAttemptedRevision"] == revision
    assert sync.config("app")["data"]["v"] == "1"
