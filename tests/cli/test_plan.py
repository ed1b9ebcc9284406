"""`sluice plan` names what a person has to know before the push: against a real API server, git server and operator."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Sluice
from tests.cli.plan_objects import service, told, warn_of_pods
from tests.crd_text import STORED, crd_text
from tests.operator_fixture import FAILING_JOB, JOB, Bench, Sync, config_map, deployment, poll

pytestmark = pytest.mark.cluster


def folder(sync: Sync, files: dict[str, str | None]) -> str:
    """Change the working tree without a commit; returns its path."""
    for name, text in files.items():
        if text is None:
            (sync.repo.path / name).unlink()
        else:
            (sync.repo.path / name).write_text(text.replace("$NS", sync.target))
    return str(sync.repo.path)


def plan(cli: Sluice, sync: Sync, files: dict[str, str | None]) -> tuple[int, str]:
    """What `plan` says of the working tree, both streams together."""
    ran = cli("plan", sync.name, "--path", folder(sync, files))
    return ran.code, ran.out + ran.err


def test_a_job_is_named_as_what_can_not_be_undone(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    code, text = plan(cli, sync, {"job.yaml": JOB})
    assert code == 1
    assert "warning[W406]: what this Job does can't be undone" in text
    assert "job.yaml:1" in text
    warnings = cli("plan", sync.name, "--path", str(sync.repo.path), "-o", "json").json["warnings"]
    assert [each["code"] for each in warnings] == ["W406"]


def test_what_the_api_server_warns_of_is_named_beforehand_and_told_once_for_a_revision(
    cli: Sluice, bench: Bench
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    warn_of_pods(bench, sync.target)
    files: dict[str, str | None] = {"web.yaml": deployment("web"), "api.yaml": deployment("api")}
    code, text = plan(cli, sync, files)
    assert code == 1, "it is no reason to refuse"
    assert text.count("warning[W409]: would violate PodSecurity") == 1, text
    assert "and of 1 more object" in text
    (warned,) = cli("diff", sync.name, "--path", str(sync.repo.path), "-o", "json").json["warnings"]
    assert warned["code"] == "W409"
    sync.wait_ready(sync.push(files))
    (event,) = poll("it was told", lambda: told(bench, sync, "W409"))
    assert "runAsNonRoot" in event
    assert f"Deployment {sync.target}/" in event
    sync.reconcile()
    revision = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_ready(revision)
    poll("the last revision was told", lambda: told(bench, sync, revision))
    assert told(bench, sync, "W409") == [event]
    logged = [e for e in bench.operator.logged if e["event"] == "applied with warnings" and e["name"] == sync.name]
    assert [e["warnings"] for e in logged] == [event], "without CRDs there is nothing but the log"


def test_a_new_stored_version_of_a_crd_is_named(cli: Sluice, bench: Bench) -> None:
    sync = bench.source()
    word = sync.name.replace("-", "x")
    group, kind = "example.com", word.capitalize()
    revision = sync.commit({"crd.yaml": crd_text(group, kind=kind)})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    code, text = plan(cli, sync, {"crd.yaml": crd_text(group, ("v1", False), ("v2", True), kind=kind)})
    assert code == 1
    assert "warning[W406]: version v2 becomes one that objects are stored in" in text


def test_a_node_port_that_the_pruned_service_still_has_is_named(cli: Sluice, bench: Bench) -> None:
    sync = bench.source()
    revision = sync.commit({"old.yaml": service("old", 30571)})
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    code, text = plan(cli, sync, {"old.yaml": None, "new.yaml": service("new", 30571)})
    assert code == 3, "the API server refuses it"
    assert f"nodePort 30571/TCP still belongs to Service {sync.target}/old, which this revision prunes" in text
    assert "new.yaml:1" in text
    assert sync.live("services", "old") is not None


def test_objects_without_room_in_a_quota_are_refused_by_plan_too(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}}
    where = sync.at("resourcequotas", "q")
    bench.api.create(where.rpartition("/")[0], {**body, "spec": {"hard": {"count/jobs.batch": "0"}}})
    poll("the quota counts", lambda: (bench.api.get(where) or {}).get("status", {}).get("used"))
    code, text = plan(cli, sync, {"job.yaml": JOB})
    assert code == 3
    assert "error[E305]: ResourceQuota q has no room for it" in text
    assert "job.yaml:1" in text
    assert "count/jobs.batch: hard 0, used 0, and this revision wants 1 more" in text


def test_an_object_that_another_sync_has_is_shown_as_handed_over(cli: Sluice, bench: Bench) -> None:
    other = bench.synced({"a.yaml": config_map("a")})
    sync = bench.synced({"b.yaml": config_map("b")})
    code, text = plan(cli, sync, {"a.yaml": config_map("a", "2", namespace=other.target)})
    assert code == 1
    assert f"ConfigMap {other.target}/a" in text
    assert f"(belongs to {other.namespace}/{other.name} until now)" in text


def test_what_needs_an_unchanged_object_beside_it_is_compared_too(cli: Sluice, bench: Bench) -> None:
    name = f"plan{bench.namespace.rpartition('-')[2]}"
    group, kind = "example.com", name.capitalize()
    crd = crd_text(group, kind=kind)
    custom = f"apiVersion: example.com/v1\nkind: {name.capitalize()}\nmetadata: {{name: one, namespace: $NS}}\n"
    files = {
        "crd.yaml": crd,
        "custom.yaml": custom + "spec: {size: 1}\n",
        "role.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: $NS}\n"
        "rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]\n",
        "binding.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n"
        "metadata: {name: r, namespace: $NS}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\n"
        "subjects: [{kind: ServiceAccount, name: default, namespace: $NS}]\n",
    }
    sync = bench.synced(files)
    code, text = plan(cli, sync, {})
    assert (code, "Plan: 4 unchanged" in text) == (0, True), text

    code, text = plan(cli, sync, {"custom.yaml": custom + "spec: {size: 2}\n"})
    assert (code, "Plan: 1 to change, 3 unchanged" in text) == (1, True), text
    assert "dry-run once" not in text

    code, text = plan(cli, sync, {"crd.yaml": crd_text(group, STORED, ("v2", False), kind=kind)})
    assert "(dry-run once its stage is reached)" in text
    assert (code, "Plan: 2 to change, 2 unchanged" in text) == (1, True), text


@pytest.mark.parametrize("verb", ["plan", "diff"])
def test_a_folder_that_is_not_there_and_a_missing_name_are_said_to_be_that(
    cli: Sluice, bench: Bench, verb: str
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    ran = cli(verb, sync.name, "--path", "/no/such/folder")
    assert ran.code == 2
    assert "no folder '/no/such/folder'" in ran.err
    ran = cli(verb)
    assert ran.code == 2
    assert f"sluice {verb} apps --path ." in ran.err


def test_a_revision_that_was_tried_and_undone_is_said_to_be_that(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")}, wait=True)
    sync.wait_failed(sync.push({"job.yaml": FAILING_JOB}), reason="Undone")
    again = f"it is tried again when something changes, or by: sluice sync {sync.name} -n {sync.namespace}"
    ran = cli("plan", sync.name, "--git-allow-loopback")
    assert ran.code == 1
    assert f"this revision was tried and undone; {again}" in ran.err
    assert "tried and undone" not in cli("plan", sync.name, "--path", str(sync.repo.path)).err
