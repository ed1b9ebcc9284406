"""The verbs against a real API server, git server and operator: what people see, and the exit codes scripts rely on."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess

import pytest
import yaml

from devcluster.fixture import create_namespace
from sluice import __version__
from tests.cli.conftest import Sluice
from tests.operator_fixture import FAILING_JOB, SYNCS, Audit, Bench, Sync, config_map, deployment, poll

pytestmark = pytest.mark.cluster
AGENT = f"sluice/{__version__}"


@pytest.fixture
def sync(bench: Bench) -> Sync:
    """One sync that is ready."""
    made = bench.source()
    revision = made.commit({"a.yaml": config_map("a"), "web.yaml": deployment("web")})
    made.create_source()
    made.create()
    made.wait_ready(revision)
    return made


def write(sync: Sync, name: str, text: str) -> None:
    """A file of the working tree, not committed."""
    (sync.repo.path / name).write_text(text.replace("$NS", sync.target))


# --- sync -------------------------------------------------------------------------------------------------------------


def test_sync_fetches_applies_waits_and_says_what_is_there_now(cli: Sluice, sync: Sync) -> None:
    revision = sync.commit({"a.yaml": config_map("a", "2")})
    ran = cli("sync", sync.name)
    assert ran.code == 0, ran.err
    assert sync.config("a")["data"]["key"] == "2"
    assert f"ks/{sync.name} is ready at main@{revision[-40:][:8]}" in ran.out
    assert len(ran.out.splitlines()) == 1
    assert f"git/{sync.name}" in ran.err
    assert "\x1b" not in ran.out + ran.err


def test_the_words_of_the_flux_command_do_the_same(cli: Sluice, sync: Sync) -> None:
    sync.commit({"a.yaml": config_map("a", "3")})
    fetched = cli("reconcile", "source", "git", sync.name)
    assert fetched.code == 0
    assert f"git/{sync.name} is ready" in fetched.out
    applied = cli("reconcile", "kustomization", sync.name, "--with-source")
    assert applied.code == 0
    assert sync.config("a")["data"]["key"] == "3"


def test_a_broken_commit_is_exit_3_with_every_problem_and_its_place(cli: Sluice, sync: Sync) -> None:
    sync.commit({"a.yaml": "a: [\n", "b.yaml": config_map("Bad Name")})
    ran = cli("sync", sync.name)
    assert (ran.code, ran.out) == (3, "")
    assert "--> a.yaml:" in ran.err
    assert "--> b.yaml:" in ran.err
    assert ran.err.count("error[E2") == 2
    assert "= fix:" in ran.err
    assert "still at main@" in ran.err
    assert ran.err.endswith(f"next: sluice why ks/{sync.name} -n {sync.namespace}\n")


def test_a_commit_that_is_undone_is_tried_once_and_its_message_names_what_was_kept(cli: Sluice, sync: Sync) -> None:
    claim = """apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: $NS}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
    audit = sync.bench.audit()
    sync.commit({"pvc.yaml": claim, "job.yaml": FAILING_JOB})
    sync.edit(healthChecks=[{"apiVersion": "batch/v1", "kind": "Job", "name": "migrate", "namespace": sync.target}])
    ran = cli("sync", sync.name)
    assert ran.code == 3
    assert "disk is kept" in ran.err
    jobs = sync.at("batch/v1/jobs", "migrate")
    tries = [w for w in sync.writes(audit) if w.verb == "patch" and w.path == jobs and not w.dry_run]
    assert len(tries) == 1


def test_the_outcome_for_programs_has_code_place_and_fix(cli: Sluice, sync: Sync) -> None:
    sync.commit({"a.yaml": "a: [\n"})
    ran = cli("sync", sync.name, "-o", "json")
    assert ran.code == 3
    assert ran.json["kind"] == "SyncResultList"
    [item] = ran.json["items"]
    assert item["cause"]["code"] == "E202"
    assert item["origin"]["path"] == "a.yaml"
    assert item["cause"]["why"]


def test_a_source_that_can_not_be_fetched_is_told_as_the_cause(cli: Sluice, bench: Bench) -> None:
    made = bench.source()
    made.commit({"a.yaml": config_map("a")})
    made.create_source(ref={"branch": "mian"})
    made.create()
    ran = cli("sync", made.name)
    assert ran.code == 3
    assert "error[E102]" in ran.err
    assert "mian" in ran.err


def test_a_suspended_object_is_not_synced(cli: Sluice, sync: Sync) -> None:
    sync.edit(suspend=True)
    ran = cli("sync", sync.name)
    assert ran.code == 1
    assert "error[E705]" in ran.err
    assert f"sluice resume ks {sync.name}" in ran.err


def test_when_nobody_answers_the_outcome_is_not_known(cli: Sluice, bench: Bench) -> None:
    elsewhere = f"unwatched-{secrets.token_hex(3)}"
    create_namespace(bench.cluster, elsewhere)
    spec = {"interval": "1h", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "none"}}
    body = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}
    bench.api.create(
        f"{SYNCS}/namespaces/{elsewhere}/kustomizations", {**body, "metadata": {"name": "lonely"}, "spec": spec}
    )
    ran = cli("sync", "lonely", "-n", elsewhere, "--timeout", "1s")
    assert ran.code == 5
    assert "error[E706]" in ran.err
    assert "has not answered" in ran.err


def test_b146_what_an_interrupted_sync_has_asked_for_is_done_all_the_same(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")})
    revision = sync.commit({"web.yaml": deployment("web", "app:unready"), "a.yaml": config_map("a")})
    sync.edit(wait=True, timeout="5s")

    def asked() -> str:
        found = sync.get()["metadata"].get("annotations", {})
        return str(found.get("reconcile.fluxcd.io/requestedAt", ""))

    before = asked()
    with subprocess.Popen(cli.command("sync", sync.name), env=cli.env(), stderr=subprocess.PIPE, text=True) as process:
        token = poll("the sync is asked for", lambda: asked() if asked() != before else "")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on there" in err
    assert "Traceback" not in err
    sync.wait("the request is handled", lambda k: k["status"].get("lastHandledReconcileAt") == token, 60)
    assert sync.get()["status"]["lastAttemptedRevision"] == revision


def test_a_name_that_is_not_there_is_exit_7_with_the_nearest(cli: Sluice, sync: Sync) -> None:
    for verb in (("sync",), ("get", "ks"), ("suspend", "ks"), ("resume", "ks"), ("status",)):
        ran = cli(*verb, sync.name[:-1])
        assert ran.code == 7, (verb, ran)
        assert f"did you mean {sync.name}" in ran.err
    ran = cli("get", "ks", sync.name, "-n", "default")
    assert f"add -n {sync.bench.namespace}" in ran.err


# --- get, status ------------------------------------------------------------------------------------------------------


def test_get_shows_a_table_and_nothing_else_on_standard_output(cli: Sluice, sync: Sync) -> None:
    ran = cli("get", "ks", sync.name)
    assert ran.code == 0
    header, row = ran.out.splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "REVISION", "SUSPENDED", "AGE"]
    assert row.startswith(sync.name)
    assert "True" in row
    assert "False" in row
    assert cli("get", "ks", sync.name, "--no-headers").out.splitlines()[0].startswith(sync.name)
    wide = cli("get", "ks", sync.name, "-o", "wide").out
    assert f"GitRepository/{sync.name}" in wide


def test_get_for_programs_holds_the_contract(cli: Sluice, sync: Sync) -> None:
    answer = cli("get", "ks", sync.name, "-o", "json").json
    assert (answer["apiVersion"], answer["kind"]) == ("cli.sluice.dev/v1", "KustomizationList")
    [item] = answer["items"]
    assert item["ref"] == {
        "group": "kustomize.toolkit.fluxcd.io",
        "kind": "Kustomization",
        "namespace": sync.bench.namespace,
        "name": sync.name,
    }
    assert item["ready"]["status"] == "True"
    assert item["revision"]["branch"] == "main"
    assert item["revision"]["sha"] == sync.repo.head()
    assert item["suspended"] is None
    assert item["objects"] == 2
    assert yaml.safe_load(cli("get", "ks", sync.name, "-o", "yaml").out)["items"] == answer["items"]


def test_names_go_straight_into_kubectl(cli: Sluice, sync: Sync) -> None:
    names = cli("get", "all", "-o", "name").out.split()
    assert f"kustomization.kustomize.toolkit.fluxcd.io/{sync.name}" in names
    assert f"gitrepository.source.toolkit.fluxcd.io/{sync.name}" in names
    sync.bench.cluster.kubectl("get", "-n", sync.bench.namespace, *names)


def test_an_empty_list_is_no_failure_and_says_where_it_looked(cli: Sluice) -> None:
    ran = cli("get", "ks", "-n", "default")
    assert (ran.code, ran.out) == (0, "")
    assert "namespace default" in ran.err
    assert "-A" in ran.err


def test_a_watch_tells_changes_as_they_happen(cli: Sluice, sync: Sync) -> None:
    command = cli.command("get", "ks", sync.name, "-w", "-o", "json")
    with subprocess.Popen(command, env=cli.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            first = json.loads(process.stdout.readline())
            sync.edit(suspend=True)
            second = json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert (first["type"], first["object"]["state"]) == ("ADDED", "Ready")
    assert (second["type"], second["object"]["state"]) == ("MODIFIED", "Suspended")
    assert process.returncode == 130
    assert "Traceback" not in err


def test_status_puts_problems_first_and_exits_1(cli: Sluice, sync: Sync) -> None:
    sync.wait_failed(sync.push({"a.yaml": "a: [\n"}))
    ran = cli("status")
    assert ran.code == 1
    lines = ran.out.splitlines()
    first = next(line for line in lines[3:] if line)
    assert "failing" in first
    assert "failing" in lines[1]
    assert any("[E202]" in line and f"ks/{sync.name}" in line for line in lines)
    assert any("a.yaml:" in line for line in lines)
    assert cli("status", "--exit-zero").code == 0
    answer = cli("status", sync.name, "-o", "json")
    assert answer.code == 1
    assert answer.json["items"][0]["problems"][0]["code"] == "E202"


def test_status_says_of_an_undone_revision_why_and_where_the_cluster_stands(cli: Sluice, sync: Sync) -> None:
    before = sync.status["lastAppliedRevision"]
    sync.edit(wait=True)
    sync.wait_failed(bad := sync.push({"job.yaml": FAILING_JOB}), reason="Undone")
    ran = cli("status", "ks", sync.name)
    assert ran.code == 1
    at, tried = before[-40:][:8], bad[-40:][:8]
    assert ran.out.splitlines()[-1] == f"      undone: the cluster is at main@{at}, tried: main@{tried}"
    [fix] = [line for line in ran.out.splitlines() if "fix: " in line]
    assert "Undone" not in fix
    asked = cli("sync", sync.name)
    assert asked.code == 3
    assert f"failed: Undone; still at main@{at} in the cluster" in asked.err


def test_status_of_what_is_well_is_short(cli: Sluice, sync: Sync) -> None:
    ran = cli("status", f"ks/{sync.name}")
    assert ran.code == 0
    assert "2 objects" in ran.out
    assert "ready" in ran.out


# --- plan, diff -------------------------------------------------------------------------------------------------------


def test_diff_shows_fields_of_a_working_tree_and_writes_nothing(cli: Sluice, sync: Sync) -> None:
    folder = sync.repo.path
    write(sync, "web.yaml", deployment("web", "nginx:2"))
    (folder / "a.yaml").unlink()
    write(sync, "b.yaml", config_map("b"))
    audit = Audit(sync.bench.cluster)
    ran = cli("diff", sync.name, "--path", str(folder))
    assert ran.code == 1, ran.err
    assert "spec.template.spec.containers[main].image   nginx:1 → nginx:2" in ran.out
    assert f"+ create ConfigMap {sync.target}/b" in ran.out
    assert f"- prune ConfigMap {sync.target}/a" in ran.out
    assert "Plan: 1 to create, 1 to change, 1 to prune" in ran.out
    # The operator beside it, under the same user agent, renews its leases and tells its events.
    writes = [w for w in audit.writes(AGENT) if "/leases/" not in w.path and not w.path.endswith("/events")]
    assert writes
    assert all(write.dry_run for write in writes), writes
    assert sync.live("configmaps", "a") is not None
    assert sync.live("configmaps", "b") is None


def test_a_plan_shows_what_would_be_adopted_and_from_whom(cli: Sluice, sync: Sync) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old"}, "data": {"key": "theirs"}}
    note = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": sync.target}
    path = sync.at("configmaps", "old").rpartition("/")[0]
    sync.bench.api.create(path, body)
    sync.bench.api.create(path, {**body, "metadata": {"name": "released", "annotations": note}})
    write(sync, "old.yaml", config_map("old"))
    write(sync, "released.yaml", config_map("released"))
    folder = str(sync.repo.path)
    ran = cli("plan", sync.name, "--path", folder)
    assert ran.code == 1
    assert f"& adopt ConfigMap {sync.target}/old   old.yaml:1   (exists and has no owner)" in ran.out
    assert f"(seems to belong to Helm release {sync.target}/shop)" in ran.out
    assert "Plan: 2 to adopt" in ran.out
    sync.edit(adopt="IfUnowned")
    refused = cli("plan", sync.name, "--path", folder)
    assert refused.code == 3
    assert f"Helm release {sync.target}/shop" in refused.err
    assert "released.yaml:1" in refused.err
    assert f"ConfigMap {sync.target}/old" not in refused.err


def test_a_plan_shows_stages_skips_with_reasons_and_what_waits(cli: Sluice, sync: Sync) -> None:
    folder = sync.repo.path
    space = f"new-{secrets.token_hex(3)}"
    write(sync, "ns.yaml", f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {space}}}\n")
    note = "annotations: {kustomize.toolkit.fluxcd.io/ssa: Ignore}"
    write(sync, "kept.yaml", config_map("kept", extra=note))
    write(
        sync,
        "role.yaml",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: $NS}\nrules: []\n---\n"
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: rb, namespace: $NS}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\nsubjects: []\n",
    )
    ran = cli("plan", sync.name, "--path", str(folder))
    assert ran.code == 1, ran.err
    assert "stage Namespaces" in ran.out
    assert f"+ create Namespace {space}" in ran.out
    assert f"o skip ConfigMap {sync.target}/kept   kept.yaml:1   (kustomize.toolkit.fluxcd.io/ssa: Ignore)" in ran.out
    [binding] = [line for line in ran.out.splitlines() if "RoleBinding" in line]
    assert "dry-run once its stage is reached" in binding
    answer = cli("plan", sync.name, "--path", str(folder), "-o", "json").json
    assert answer["kind"] == "Plan"
    assert {i["effect"] for i in answer["items"]} == {"create", "skip", "unchanged"}


def test_a_revision_that_would_be_refused_is_exit_3_with_its_lines(cli: Sluice, sync: Sync) -> None:
    write(sync, "web.yaml", deployment("web").replace("replicas:", "replica:"))
    ran = cli("plan", sync.name, "--path", str(sync.repo.path))
    assert ran.code == 3
    assert "error[E204]" in ran.err
    assert "--> web.yaml:5" in ran.err
    assert " 5 |   replica: 1\n   |   ^^^^^^^ did you mean" in ran.err
    write(sync, "a.yaml", "a: 'b\n")
    ran = cli("diff", sync.name, "--path", str(sync.repo.path))
    assert ran.code == 3
    assert "error[E202]" in ran.err
    assert " 1 | a: 'b\n   |    ^\n" in ran.err


def test_no_difference_is_exit_0_and_drift_is_one(cli: Sluice, sync: Sync) -> None:
    sync.edit(suspend=True)
    assert cli("diff", sync.name, "--git-allow-loopback").code == 0
    sync.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "by hand"}})
    ran = cli("diff", sync.name, "--git-allow-loopback")
    assert ran.code == 1
    assert "data.key   by hand → 1" in ran.out
    assert cli("diff", sync.name, "--git-allow-loopback", "--exit-zero").code == 0


def test_diff_says_who_changed_what_and_whether_it_would_be_written(cli: Sluice, sync: Sync) -> None:
    sync.edit(drift="Warn")
    sync.reconcile()
    sync.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "by hand"}})
    sync.wait_condition("Drifted", "True")
    ran = cli("diff", sync.name, "--git-allow-loopback")
    assert ran.code == 1
    assert "data.key   by hand → 1" in ran.out
    assert f"field .data.key of ConfigMap {sync.target}/a changed by kubectl-edit at 20" in ran.out
    assert "(drift is Warn: told, not written)" in ran.out
    [item] = [i for i in cli("diff", sync.name, "--git-allow-loopback", "-o", "json").json["items"] if i["drift"]]
    assert item["drift"]["mode"] == "Warn"
    assert item["drift"]["fields"][0]["manager"] == "kubectl-edit"
    sync.edit(drift="Ignore")
    ran = cli("diff", sync.name, "--git-allow-loopback")
    assert ran.code == 0
    assert "kubectl-edit" not in ran.out


def test_status_shows_what_drifted_and_who_did_it(cli: Sluice, sync: Sync) -> None:
    sync.edit(drift="Warn")
    sync.reconcile()
    sync.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "by hand"}})
    sync.wait_condition("Drifted", "True")
    assert cli("status", f"ks/{sync.name}").code == 0
    ran = cli("status")
    assert f"≠ field .data.key of ConfigMap {sync.target}/a changed by kubectl-edit at 20" in ran.out
    assert "fix: put the change into git, undo it, or set drift to Correct" in ran.out
    [item] = [i for i in cli("status", f"ks/{sync.name}", "-o", "json").json["items"] if i["drift"]]
    assert item["drift"]["reason"] == "DriftDetected"
    assert item["drift"]["problems"][0]["code"] == "E331"
    sync.edit(drift="Correct")
    sync.wait_condition("Drifted", "False")
    assert "changed by kubectl-edit" in cli("status", f"ks/{sync.name}").out
    assert "kubectl-edit" not in cli("status").out


def test_a_branch_is_compared_without_being_synced(cli: Sluice, sync: Sync) -> None:
    sync.repo.commit({"a.yaml": config_map("a", "branch", namespace=sync.target)}, "on a branch", push=False)
    sync.repo.push("HEAD:refs/heads/next")
    ran = cli("diff", sync.name, "--branch", "next", "--git-allow-loopback")
    assert ran.code == 1, ran.err
    assert "data.key   1 → branch" in ran.out
    assert f"a.yaml:1@{sync.repo.head()[:7]}" in ran.out
    assert sync.config("a")["data"]["key"] == "1"


def test_the_values_of_secrets_are_never_shown(cli: Sluice, sync: Sync) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: $NS}\nstringData: {password: %s}\n"
    sync.wait_ready(sync.push({"db.yaml": secret % "hunter2"}))
    write(sync, "db.yaml", secret % "hunter3")
    for form in ("table", "json"):
        ran = cli("diff", sync.name, "--path", str(sync.repo.path), "-o", form)
        assert ran.code == 1
        assert "data.password" in ran.out
        assert "*****" in ran.out
        for word in ("hunter", "aHVudGVy"):
            assert word not in ran.out + ran.err


# --- validate ---------------------------------------------------------------------------------------------------------


def test_validate_finds_all_problems_of_a_checkout_without_a_cluster(sluice: Sluice, sync: Sync) -> None:
    folder = sync.repo.path
    (folder / "apps").mkdir()
    (folder / "apps" / "a.yaml").write_text("a: [\n")
    (folder / "apps" / "b.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n")
    ran = sluice.within(folder, "validate", "apps")
    assert ran.code == 1
    assert "--> apps/a.yaml:" in ran.err
    assert "--> apps/b.yaml:" in ran.err
    assert "2 problems" in ran.out
    annotated = sluice.within(folder, "validate", "apps", "-o", "github").out.splitlines()
    assert [line.partition(",")[0] for line in annotated] == ["::error file=apps/a.yaml", "::error file=apps/b.yaml"]
    answer = sluice.within(folder, "validate", "apps", "-o", "json")
    assert answer.code == 1
    assert {item["origin"]["path"] for item in answer.json["items"]} == {"apps/a.yaml", "apps/b.yaml"}
    assert sluice.within(folder, "validate", "web.yaml").code == 3


def test_validate_reads_what_git_ignores_no_more_than_the_operator_does(sluice: Sluice, sync: Sync) -> None:
    folder = sync.repo.path
    (folder / ".gitignore").write_text("scratch/\n")
    (folder / "scratch").mkdir()
    (folder / "scratch" / "broken.yaml").write_text("a: [\n")
    ran = sluice.within(folder, "validate")
    assert ran.code == 0, ran.err
    assert "2 objects, no problems" in ran.out


# --- completion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(sluice: Sluice, shell: str) -> None:
    ran = sluice("completion", shell)
    assert ran.code == 0
    assert "_SLUICE_COMPLETE" in ran.out


def test_completion_knows_live_names(cli: Sluice, sync: Sync) -> None:
    asked = {"_SLUICE_COMPLETE": "bash_complete"}
    ran = cli(COMP_WORDS=f"sluice get ks {sync.name[:4]}", COMP_CWORD="3", **asked)
    assert f"plain,{sync.name}" in ran.out.split()
    ran = cli(COMP_WORDS="sluice s", COMP_CWORD="1", **asked)
    assert ran.out.split() == ["plain,status", "plain,sync", "plain,suspend"]


def test_completion_without_a_cluster_says_nothing(sluice: Sluice) -> None:
    ran = sluice(COMP_WORDS="sluice get ks ", COMP_CWORD="3", _SLUICE_COMPLETE="bash_complete")
    assert ran.err == ""


# --- run --------------------------------------------------------------------------------------------------------------


def test_run_in_flag_mode_syncs_logs_as_flux_does_and_stops_when_told(cli: Sluice, bench: Bench) -> None:
    made = bench.source()
    made.commit({"apps/a.yaml": config_map("flag", namespace=made.target)})
    home = f"flag-{secrets.token_hex(3)}"
    create_namespace(bench.cluster, home)
    arguments = ("--git-url", bench.git.url(made.name), "--git-branch=main", "--git-path=apps", "--git-allow-loopback")
    storage, log = f"--storage-path={cli.home}/data", cli.home / "operator.log"
    sink = log.open("w")
    process = subprocess.Popen(
        cli.command("run", *arguments, storage, "--runtime-namespace", home),
        env=cli.env(),
        stdout=subprocess.PIPE,
        stderr=sink,
        text=True,
    )
    sink.close()
    try:
        poll("the object is applied", lambda: made.live("configmaps", "flag"))
        poll("the turn is logged", lambda: '"msg":"reconciled"' in log.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    err = log.read_text()
    assert process.returncode == 0, err
    assert not out
    lines = [json.loads(line) for line in err.splitlines()]
    assert all({"ts", "level", "msg"} <= set(line) for line in lines)
    applied = next(line for line in lines if line["msg"] == "reconciled" and line["controllerKind"] == "Kustomization")
    assert (applied["name"], applied["namespace"], applied["level"]) == ("flag", "sluice", "info")


def test_run_says_what_it_can_not_use(cli: Sluice) -> None:
    (cli.home / "file").touch()
    ran = cli("run", "--storage-path", str(cli.home / "file"))
    assert ran.code == 3
    assert "error[E704]" in ran.err
    assert "--storage-path" in ran.err


# --- version --------------------------------------------------------------------------------------------------------


def test_version_asks_the_server(cli: Sluice) -> None:
    ran = cli("version", "--server", "-o", "json")
    assert ran.code == 0
    assert ran.json["client"] == __version__
    assert ran.json["kubernetes"].startswith("v1.")
