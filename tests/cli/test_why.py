"""`sluice why` names the true cause of the commonest failures, each made by a repository that has it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from devcluster.git_http import GitHttpServer
from devcluster.git_ssh import GitSshServer
from devcluster.registry import Registry
from sluice.api.crds import KINDS
from sluice.core.codes import CODES
from tests.cli.conftest import Sluice
from tests.cli.failing_repositories import FAILURES, GOOD, HEALTH, SERVICE, Failure
from tests.image_objects import Images, deployment_of
from tests.operator_fixture import Bench, Sync, condition, config_map, deployment, poll

pytestmark = pytest.mark.cluster
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
LOOPBACK = "--git-allow-loopback"


def why(cli: Sluice, sync: Sync) -> dict[str, Any]:
    """The report of one sync, as a program reads it; it must be none of success."""
    ran = cli("why", sync.name, "-o", "json", LOOPBACK)
    assert ran.code == 1, ran.out + ran.err
    report: dict[str, Any] = ran.json
    assert report["kind"] == "WhyReport"
    assert not report["live"]
    assert report["cause"]["code"] in {code.number for code in CODES}
    return report


def settled(sync: Sync) -> None:
    """Wait until the sync or its source has failed."""

    def failed() -> bool:
        sync.bench.operator.check()
        source = sync.bench.api.get(sync.source_path) or {}
        ready = condition(sync.get(), "Ready")
        return condition(source, "Ready").get("status") == "False" or (
            ready.get("status") == "False" and ready.get("reason") != "ArtifactFailed"
        )

    poll(f"{sync.name} has failed", failed, 40)


@pytest.fixture(scope="module")
def failing(bench: Bench) -> dict[str, Sync]:
    """Every failing repository at once: most of them take the shortest time that health is given."""
    made = {}
    for failure in FAILURES:
        sync = made[failure.name] = bench.source()
        revision = sync.commit(failure.files, "the commit")
        sync.create_source(**failure.source)
        sync.create(**failure.spec)
        if failure.then:
            sync.wait_ready(revision)
            sync.push(failure.then, "the other commit")
    return made


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_why_names_the_true_cause_with_its_place_and_fix(
    cli: Sluice, failing: dict[str, Sync], failure: Failure
) -> None:
    sync = failing[failure.name]
    settled(sync)
    report = why(cli, sync)
    assert report["cause"]["code"] == failure.code, report
    assert failure.where in report["cause"]["where"]
    assert bool(failure.where) == bool(report["cause"]["where"])
    words = f"{report['cause']['title']} {report['cause']['why']} {report['cause']['fix']}"
    assert failure.says in words
    assert report["cause"]["fix"]
    if failure.where:
        assert f"@{sync.repo.head()[:7]}" in report["cause"]["where"]
        assert report["origin"]["commit"] == sync.repo.head()[:7]


@pytest.mark.parametrize(("word", "kind"), [("hr/redis", "HelmRelease"), ("helmrepositories/charts", "HelmRepository")])
def test_who_asks_after_an_object_of_a_kind_that_is_not_acted_on_is_told_that(
    cli: Sluice, bench: Bench, word: str, kind: str
) -> None:
    ran = cli("why", word)
    assert ran.code == 2
    assert f"does not act on kind {kind}" in ran.err


@pytest.fixture
def locked(bench: Bench, tmp_path: Path) -> Iterator[GitHttpServer]:
    """A git host that wants a password."""
    with GitHttpServer(tmp_path / "locked", user="ana", password="hunter-right") as server:
        yield server


def test_a_refused_password_is_the_cause_not_that_the_sync_has_no_artifact(
    cli: Sluice, bench: Bench, locked: GitHttpServer
) -> None:
    locked.create("fleet")
    sync = bench.source()
    sync.commit(GOOD)
    sync.create_source(url=locked.url("fleet"))
    sync.create()
    settled(sync)
    sync.wait_condition("Ready", "False", "ArtifactFailed")
    report = why(cli, sync)
    assert report["cause"]["code"] == "E101"
    assert [link["reference"] for link in report["chain"]] == [f"ks/{sync.name}", f"git/{sync.name}"]
    assert [(each["kind"], each["namespace"], each["name"]) for each in report["blocked"]] == [
        ("Kustomization", sync.namespace, sync.name)
    ]


def test_a_host_key_that_is_not_the_known_one_is_the_cause(cli: Sluice, bench: Bench, tmp_path: Path) -> None:
    with GitSshServer(tmp_path / "ssh") as server, GitSshServer(tmp_path / "other") as other:
        server.create("fleet")
        sync = bench.source()
        sync.commit(GOOD)
        host = server.known_hosts.split()[0]
        strange = f"{host} {' '.join(other.known_hosts.split()[1:])}"
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": sync.name},
            "stringData": {"identity": server.identity, "known_hosts": strange},
        }
        bench.api.create(f"/api/v1/namespaces/{sync.namespace}/secrets", secret)
        sync.create_source(url=server.url("fleet"), secretRef={"name": sync.name})
        sync.create()
        settled(sync)
        assert why(cli, sync)["cause"]["code"] == "E103"


def test_a_source_that_does_not_exist_is_named_with_the_nearest(cli: Sluice, bench: Bench) -> None:
    sync = bench.source()
    sync.commit(GOOD)
    sync.create_source()
    sync.create(sourceRef={"kind": "GitRepository", "name": sync.name[:-1]})
    settled_at = sync.wait_condition("Ready", "False", "ArtifactFailed")
    assert "E105" in settled_at["message"]
    cause = why(cli, sync)["cause"]
    assert cause["code"] == "E105"
    assert cause["fix"].startswith("did you mean ")
    assert sync.name in cause["fix"]


def test_who_waits_is_told_the_cause_of_what_it_waits_for_and_both_are_one_report(cli: Sluice, bench: Bench) -> None:
    bad = bench.source()
    bad.commit({"web.yaml": deployment("web").replace("replicas:", "replica:")})
    bad.create_source()
    bad.create()
    waiting = [Sync(bench, f"{bad.name}-{number}", bad.target, bad.repo) for number in (1, 2)]
    for sync, on in zip(waiting, (bad, waiting[0]), strict=True):
        sync.create(sourceRef={"kind": "GitRepository", "name": bad.name}, dependsOn=[{"name": on.name}])
        sync.wait_condition("Ready", "False", "DependencyNotReady")
    settled(bad)
    report = why(cli, waiting[1])
    assert report["cause"]["code"] == "E204"
    assert report["culprit"]["name"] == bad.name
    assert [link["reference"] for link in report["chain"]] == [f"ks/{s.name}" for s in (*reversed(waiting), bad)]
    assert {each["name"] for each in report["blocked"]} == {sync.name for sync in waiting}
    every = cli("why", "--all", "-o", "json", LOOPBACK)
    named = {bad.name, *(sync.name for sync in waiting)}
    assert [i["ref"]["name"] for i in every.json["items"] if i["ref"]["name"] in named] == [bad.name]


def test_a_dependency_that_does_not_exist_and_a_circle_are_named(cli: Sluice, bench: Bench) -> None:
    one = bench.synced(GOOD)
    one.edit(dependsOn=[{"name": f"{one.name}x"}])
    one.wait_condition("Ready", "False", "DependencyNotReady")
    cause = why(cli, one)["cause"]
    assert cause["code"] == "E306"
    assert f"{one.name}x does not exist" in cause["title"]
    two = Sync(bench, f"{one.name}-b", one.target, one.repo)
    two.create(sourceRef={"kind": "GitRepository", "name": one.name}, dependsOn=[{"name": one.name}])
    one.edit(dependsOn=[{"name": two.name}])
    one.wait_condition("Ready", "False", "", "E317")
    assert why(cli, one)["cause"]["code"] == "E317"
    assert why(cli, two)["cause"]["code"] == "E317"


def test_an_admission_policy_a_webhook_that_is_down_and_a_denied_prune_are_told_apart(
    cli: Sluice, bench: Bench
) -> None:
    label = f"why-{secrets.token_hex(3)}.example.com"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}]
    match = {"objectSelector": {"matchLabels": {label: "yes"}}, "resourceRules": rules}
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": label},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": match,
            "validations": [
                {"expression": "object != null && object.data.key != 'forbidden'", "message": "not for sale"}
            ],
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
    marked = f'labels: {{{label}: "yes"}}'
    probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "p", "labels": {label: "yes"}}}
    probe["data"] = {"key": "forbidden"}
    where = f"/api/v1/namespaces/{bench.namespace}/configmaps?dryRun=All"
    poll("the policy is in force", lambda: bench.api.request("POST", where, probe)[0] in {403, 422})

    denied, _ = bench.failing({"a.yaml": config_map("a", "forbidden", extra=marked)}, "E302")
    cause = why(cli, denied)["cause"]
    assert (cause["code"], "not for sale" in cause["why"], "a.yaml:1" in cause["where"]) == ("E302", True, True)

    stuck = bench.synced({"a.yaml": config_map("a", extra=marked), "b.yaml": config_map("b")})
    stuck.wait_failed(stuck.push({"a.yaml": None}), "E309")
    cause = why(cli, stuck)["cause"]
    assert (cause["code"], "ConfigMap" in cause["title"]) == ("E309", True)
    bench.api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{label}")
    bench.api.delete(f"{ADMISSION}/validatingadmissionpolicies/{label}")

    down = f"down-{secrets.token_hex(3)}"
    service = {"namespace": bench.namespace, "name": "nobody", "path": "/"}
    webhook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": down},
        "webhooks": [
            {
                "name": f"{down}.example.com",
                "clientConfig": {"service": service},
                "rules": rules,
                "objectSelector": {"matchLabels": {down: "yes"}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 1,
            }
        ],
    }
    bench.api.create(f"{ADMISSION}/validatingwebhookconfigurations", webhook)
    probe["metadata"]["labels"] = {down: "yes"}  # type: ignore[index]
    poll("the webhook is asked", lambda: bench.api.request("POST", where, probe)[0] == 500)
    sync, _ = bench.failing({"a.yaml": config_map("a", extra=f'labels: {{{down}: "yes"}}')}, "E311")
    assert why(cli, sync)["cause"]["code"] == "E311"
    bench.api.delete(f"{ADMISSION}/validatingwebhookconfigurations/{down}")


def quota(sync: Sync, **hard: str) -> None:
    """A ResourceQuota in the target namespace that is in force."""
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tight"}, "spec": {"hard": hard}}
    bench = sync.bench
    path = f"/api/v1/namespaces/{sync.target}/resourcequotas"
    bench.api.create(path, body)
    poll("the quota counts", lambda: (bench.api.get(f"{path}/tight") or {}).get("status", {}).get("used"))


def test_a_quota_that_is_used_up_is_the_cause_for_objects_and_for_pods(cli: Sluice, bench: Bench) -> None:
    full = bench.source()
    quota(full, **{"count/services": "0"})
    full.commit({"svc.yaml": SERVICE})
    full.create_source()
    full.create()
    settled(full)
    cause = why(cli, full)["cause"]
    assert (cause["code"], "tight" in cause["title"]) == ("E305", True)
    crowded = bench.source()
    quota(crowded, pods="0")
    crowded.commit({"web.yaml": deployment("web")})
    crowded.create_source()
    crowded.create(**HEALTH)
    settled(crowded)
    cause = why(cli, crowded)["cause"]
    assert (cause["code"], "tight" in cause["why"]) == ("E715", True)


def test_a_kind_that_the_account_may_not_write_is_the_cause(cli: Sluice, bench: Bench) -> None:
    """The operator acts as an account whose role leaves out services."""
    name = f"limited-{secrets.token_hex(3)}"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [
            {"apiGroups": [""], "resources": ["secrets", "configmaps", "events", "namespaces", "pods"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["list"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]},
            {"apiGroups": sorted({kind.group for kind, _ in KINDS}), "resources": ["*"], "verbs": ["*"]},
            {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list"]},
        ],
    }
    subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    reference = {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": reference,
        "subjects": [subject],
    }
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    bench.api.create(f"{rbac}/clusterroles", role)
    bench.api.create(f"{rbac}/clusterrolebindings", binding)
    operator = bench.operator
    everything = operator.access
    operator.stop()
    operator.access = replace(everything, impersonate=(("Impersonate-User", name),))
    try:
        operator.start()
        sync = bench.source()
        sync.commit({"svc.yaml": SERVICE})
        sync.create_source()
        sync.create()
        settled(sync)
        cause = why(cli, sync)["cause"]
        assert (cause["code"], "svc.yaml:1" in cause["where"], name in cause["why"]) == ("E308", True, True)
    finally:
        operator.stop()
        operator.access = everything
        operator.start()


def test_pods_that_fail_later_without_any_wait_are_found_and_placed(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web", "app:broken")})
    web = sync.at("apps/v1/deployments", "web")
    poll("the pod can't start", lambda: (bench.api.get(web) or {})["status"].get("unavailableReplicas"))
    poll("its node says so", lambda: why(cli, sync)["cause"]["code"] == "E711" if waits(sync) else False)
    report = why(cli, sync)
    assert report["cause"]["where"] == f"web.yaml:11:24@{sync.repo.head()[:7]}"
    assert [link["reference"].partition("/")[0] for link in report["chain"]] == ["ks", "Deployment", "Pod"]
    # The same from the other end: the object that somebody looks at.
    for target in ("deploy/web", "deployments.apps/web"):
        ran = cli("why", target, "-n", sync.target, "-o", "json", LOOPBACK)
        assert ran.code == 1, ran.err
        assert ran.json["cause"]["code"] == "E711"


def waits(sync: Sync) -> bool:
    """True when a pod's image was found missing."""
    pods = sync.bench.api.get(f"/api/v1/namespaces/{sync.target}/pods") or {"items": []}
    return "ImagePullBackOff" in json.dumps(pods)


def test_an_image_that_is_not_found_not_chosen_or_written_nowhere_is_named(
    cli: Sluice, bench: Bench, registry: Registry
) -> None:
    sync = bench.synced({"web.yaml": deployment("web", "nginx:1")})
    images = Images.beside(sync, registry)

    def cause(target: str) -> dict[str, Any]:
        ran = cli("why", target, "-o", "json", LOOPBACK)
        assert ran.code == 1, ran.out + ran.err
        found: dict[str, Any] = ran.json["cause"]
        assert found["fix"]
        return found

    images.scan()
    images.wait_ready("ImageRepository", "False")
    assert cause(f"imgrepo/{images.name}")["code"] == "E521"
    images.push("1.0.0")
    images.request("ImageRepository")
    images.wait_ready("ImageRepository")
    images.choose(policy={"semver": {"range": "2.x"}})
    images.wait_ready("ImagePolicy", "False")
    assert cause(f"imgpol/{images.name}")["code"] == "E505"
    images.edit("ImagePolicy", {"policy": {"semver": {"range": "1.x"}}})
    images.wait_chosen("1.0.0")
    images.write()
    images.wait_ready("ImageUpdateAutomation", text="[E660]")
    found = cause(f"imgupd/{images.name}")
    assert (found["code"], f"{images.image}:1.0.0 is chosen" in found["why"]) == ("E660", True)
    sync.push({"web.yaml": deployment_of(images, "0.9.0")})
    images.wait_pushed()
    images.wait("ImageUpdateAutomation", "nothing is left", lambda item: "E660" not in json.dumps(item["status"]))
    assert cli("why", f"imgupd/{images.name}").code == 0


def test_another_writer_that_keeps_changing_an_object_is_named_and_drift_that_is_only_told(
    cli: Sluice, bench: Bench
) -> None:
    warned = bench.synced(GOOD, drift="Warn")
    fought = bench.synced({"web.yaml": deployment("web")})
    bench.api.patch(warned.at("configmaps", "a"), {"data": {"key": "edited"}}, manager="somebody")
    warned.wait_condition("Drifted", "True")
    cause = why(cli, warned)["cause"]
    assert (cause["code"], "somebody" in cause["title"], "a.yaml:" in cause["where"]) == ("E331", True, True)

    def insist() -> bool:
        """Another controller: puts its value back whenever it finds another."""
        bench.api.patch(fought.at("apps/v1/deployments", "web"), {"spec": {"replicas": 3}}, manager="scaler")
        return fought.condition("Drifted").get("reason") == "FightDetected"

    poll("the fight is found", insist, 90)
    cause = why(cli, fought)["cause"]
    assert (cause["code"], "scaler" in cause["title"], "web.yaml:" in cause["where"]) == ("E330", True, True)
    assert "/spec/replicas" in cause["fix"]


def test_what_is_suspended_rolled_back_or_being_deleted_says_so(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced(GOOD)
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
    assert cli("rollback", sync.name).code == 0
    assert why(cli, sync)["cause"]["code"] == "E721"
    assert cli("resume", "ks", sync.name).code == 0
    assert cli("suspend", "ks", sync.name, "--reason", "freeze").code == 0
    cause = why(cli, sync)["cause"]
    assert (cause["code"], "by ada: freeze" in cause["why"]) == ("E705", True)
    assert cli("resume", "ks", sync.name).code == 0
    bench.api.patch(sync.path, {"metadata": {"finalizers": ["finalizers.fluxcd.io", "example.com/held"]}})
    bench.api.delete(sync.path)
    cause = why(cli, sync)["cause"]
    assert (cause["code"], "example.com/held" in cause["why"]) == ("E720", True)
    bench.api.patch(sync.path, {"metadata": {"finalizers": None}})


def test_when_nobody_acts_that_is_the_cause(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced(GOOD)
    bench.operator.stop()
    try:
        sync.edit(interval="2h")
        cause = why(cli, sync)["cause"]
        assert cause["code"] == "E710"
        assert f"{bench.namespace}/sluice-leader-election" in cause["why"]
    finally:
        bench.operator.start()


def test_what_is_live_is_exit_0_and_what_is_nobodys_says_so(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")}, wait=True)
    ran = cli("why", sync.name)
    assert (ran.code, "is live at main@" in ran.out) == (0, True), ran.out
    assert cli("why", sync.name, "-o", "json").json["live"]
    bench.api.create(
        f"/api/v1/namespaces/{sync.target}/configmaps",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lonely"}},
    )
    ran = cli("why", "cm/lonely", "-n", sync.target)
    assert (ran.code, "error[E718]" in ran.err) == (1, True)
    assert cli("why", "cm/absent", "-n", sync.target).code == 7
    assert cli("why", "nonsense/x", "-n", sync.target).code == 2
    assert cli("why", f"{sync.name}x").code == 7


def test_a_person_reads_the_chain_the_cause_the_place_and_the_fix(cli: Sluice, bench: Bench) -> None:
    sync = bench.synced({"web.yaml": deployment("web")})
    sync.push({"web.yaml": deployment("web").replace("replicas:", "replica:")}, "Scale web")
    settled(sync)
    ran = cli("why", sync.name)
    lines = ran.out.splitlines()
    assert ran.code == 1
    assert lines[0].startswith(f"✗ Kustomization {sync.namespace}/{sync.name} is not at main@")
    assert "(applied: main@" in lines[0]
    words = {line[:8].strip(): line[8:] for line in lines if line and line[0].isalpha()}
    assert words["cause"].startswith("E204 ")
    assert words["where"].startswith("web.yaml:5:3@")
    assert words["fix"] == 'did you mean "replicas"?'
    assert '"Scale web" by ' in words["commit"]
    assert words["more"] == "sluice explain E204"
    assert "\x1b" not in ran.out + ran.err


def test_of_very_many_problems_a_screen_shows_a_few_and_every_verb_the_true_count(cli: Sluice, bench: Bench) -> None:
    path = "./apps/" + "/".join(["a-folder-with-a-rather-long-name"] * 4)
    files = {f"{path[2:]}/{number:02}.yaml": config_map(f"Not_{number:02}") for number in range(40)}
    broken = bench.source()
    revision = broken.commit(files)
    broken.create_source()
    broken.create(path=path)
    broken.wait_failed(revision)
    waiting = Sync(bench, f"{broken.name}-after", broken.target, broken.repo)
    on = [{"name": broken.name}]
    waiting.create(sourceRef={"kind": "GitRepository", "name": broken.name}, dependsOn=on)
    waiting.wait_condition("Ready", "False", "DependencyNotReady", text="E217")
    screen = cli("status").out
    of_broken = screen[screen.index(f"✗ ks/{broken.name}") :]
    assert of_broken.split("37 more problems")[0].count("[E217]") == 3
    assert f"37 more problems: sluice status ks/{broken.name} -n {broken.namespace}" in of_broken
    assert cli("status", broken.name).out.count("[E217]") > 3
    assert "39 more problems" in cli("why", broken.name).out
    told = condition(waiting.get(), "Ready")["message"]
    assert "\\n" not in told
    assert "(and 39 more problems)" in told
