"""fluxd's image automation: workloads annotated in git, an operator with nothing but flags, a real registry."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo, hermetic_env
from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.core.automation_flags import AutomationFlags, GitWriting
from sluice.core.flag_source import FlagSource
from sluice.kube.config import load_kubeconfig
from sluice.reconcilers.annotation_run import AnnotationRun
from sluice.settings import Settings
from tests.git_writing import git, show
from tests.operator_fixture import Api, Json, LogCapture, RunningOperator, poll

pytestmark = pytest.mark.cluster


@dataclass
class Fleet:
    """A v1 user's repository: one operator with fluxd's flags, one namespace, one image."""

    cluster: Cluster
    api: Api
    repo: WorkingRepo
    origin: Path
    operator: RunningOperator
    registry: Registry
    target: str
    name: str

    @property
    def image(self) -> str:
        """The image's name, without a tag."""
        return self.registry.image(self.name)

    def push(self, *tags: str) -> None:
        """Push an image for each tag."""
        for tag in tags:
            self.registry.push(self.name, tag, make_image(content=tag))

    def commit(self, files: dict[str, str | None], message: str = "change") -> str:
        """Commit and push; `$NS` and `$IMAGE` are replaced."""
        made = {k: v and v.replace("$NS", self.target).replace("$IMAGE", self.image) for k, v in files.items()}
        return self.repo.commit(made, message)

    def deployment(self, name: str = "web") -> Json | None:
        """The live Deployment."""
        return self.api.get(f"/apis/apps/v1/namespaces/{self.target}/deployments/{name}")

    def running(self, name: str = "web") -> str:
        """The image of its first container; empty while it does not run."""
        found = self.deployment(name)
        return "" if found is None else str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    def head(self) -> str:
        """The head of the branch on the server."""
        return git(self.origin, "rev-parse", "main").strip()

    def at(self, name: str) -> str:
        """The commit of a branch or tag on the server; empty when it is not there."""
        there = git(self.origin, "for-each-ref", "--format=%(refname:short)").split()
        return git(self.origin, "rev-parse", f"{name}^{{commit}}").strip() if name in there else ""

    def flags(self, **changes: Any) -> None:
        """Change settings; they count from the next start."""
        self.operator.settings = replace(self.operator.settings, **changes)

    def subject(self) -> str:
        """The first line of the head's message."""
        return git(self.origin, "log", "-1", "--format=%s", "main").strip()

    def wait(self, what: str, check: Callable[[], object]) -> None:
        """Wait until it is so; fails with what the log says."""
        try:
            poll(what, lambda: self.check() and check())
        except AssertionError as error:
            said = [f"{e.get('workload', '')} {e.get('event')}: {e.get('error')}" for e in self.operator.logged]
            raise AssertionError("\n".join([str(error), *said])) from error

    def wait_running(self, tag: str, name: str = "web") -> None:
        """Wait until that tag runs."""
        self.wait(f"{name} runs {tag}", lambda: self.running(name) == f"{self.image}:{tag}")

    def wait_said(self, text: str) -> None:
        """Wait until the log has a line with that text."""
        self.wait(f"the log has {text!r}", lambda: any(text in str(e) for e in self.operator.logged))

    def check(self) -> bool:
        """Fail when the operator has ended."""
        self.operator.check()
        return True

    def memory(self) -> str:
        """What automation has written down."""
        found = self.api.get("/api/v1/namespaces/sluice-system/configmaps/sluice-image-automation")
        return "" if found is None else str(found["data"])


WEB = """# the web: do not touch   the   spacing
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: $NS
  annotations:
    fluxcd.io/automated: "true"
    fluxcd.io/tag.main: semver:~1   # no majors
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: main
          image: "$IMAGE:1.0.0"   # quoted

"""


@pytest.fixture
def fleet(
    fresh_cluster: Callable[..., Cluster], registry: Registry, log_capture: LogCapture, tmp_path: Path
) -> Iterator[Fleet]:
    cluster = fresh_cluster(nodes=1)
    target = f"apps-{secrets.token_hex(3)}"
    for name in ("sluice-system", target):
        create_namespace(cluster, name)
    with GitHttpServer(tmp_path / "git") as server:
        origin = server.create("fleet")
        repo = WorkingRepo(tmp_path / "work", server.url("fleet"), branch="main")
        flags = FlagSource(url=server.url("fleet"), branch="main", poll_interval="1s", sync_interval="5m")
        settings = Settings(
            namespace="sluice-system",
            storage=tmp_path / "data",
            git_allow_loopback=True,
            registry_allow_loopback=True,
            registry_insecure_hosts=("127.0.0.1",),
            flag_source=flags,
            automation=AutomationFlags(is_on=True, interval=2.0, scan_interval=0.5),
            git_writing=GitWriting(skip_message="\n\n[ci skip]"),
        )
        operator = RunningOperator(settings, load_kubeconfig(cluster.kubeconfig))
        log_capture.sinks.append(operator.logged)
        api = Api(cluster)
        yield Fleet(cluster, api, repo, origin, operator, registry, target, f"web-{secrets.token_hex(3)}")
        operator.stop()
        api.close()


def test_an_annotated_deployment_of_a_v1_repository_follows_its_pattern_through_git_into_the_cluster(
    fleet: Fleet,
) -> None:
    fleet.push("1.0.0")
    first = fleet.commit({"web.yaml": WEB})
    fleet.operator.start()
    fleet.wait_running("1.0.0")
    fleet.push("1.1.0", "2.0.0", "latest")
    fleet.wait_running("1.1.0")
    message = git(fleet.origin, "log", "-1", "--format=%B", "main")
    assert message.startswith(f"Auto-release {fleet.image}:1.1.0\n\n[ci skip]\n\nSluice-Update: WorkloadAutomation/")
    assert git(fleet.origin, "log", "-1", "--format=%an <%ae>", "main").strip() == "Weave Flux <support@weave.works>"
    before = show(fleet.origin, first, "web.yaml")
    assert show(fleet.origin, "main", "web.yaml") == before.replace(b":1.0.0", b":1.1.0")
    assert git(fleet.origin, "rev-parse", "main~1").strip() == first
    note = json.loads(git(fleet.origin, "notes", "--ref=flux", "show", "main"))
    assert note["spec"]["type"] == "auto"
    assert note["result"][f"{fleet.target}:deployment/web"]["Status"] == "success"
    assert REGISTRY.get_sample_value("flux_client_fetch_duration_seconds_count", {"kind": "tags", "success": "true"})


def test_the_sync_tag_of_fluxd_follows_what_was_applied(fleet: Fleet) -> None:
    fleet.flags(git_writing=GitWriting(sync_tag="flux-sync"))
    fleet.push("1.0.0", "1.1.0")
    first = fleet.commit({"web.yaml": WEB})
    fleet.operator.start()
    fleet.wait_running("1.1.0")
    fleet.wait("the tag is there", lambda: fleet.at("flux-sync") not in {"", first})
    assert fleet.at("flux-sync") == fleet.at("main")
    assert git(fleet.origin, "cat-file", "-t", "flux-sync").strip() == "tag"
    assert "Sync pointer" in git(fleet.origin, "cat-file", "tag", "flux-sync")


def test_commits_and_the_sync_tag_are_signed_by_the_key_of_the_flags(
    fleet: Fleet, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("k")
    env = hermetic_env(home) | {"GNUPGHOME": str(home)}

    def gpg(*arguments: str) -> bytes:
        command = ["gpg", "--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", "", *arguments]
        return subprocess.run(command, env=env, capture_output=True, check=True).stdout

    gpg("--quick-generate-key", "Bot <bot@example.com>", "ed25519", "sign", "never")
    key = gpg("--export-secret-keys", "--armor", "bot@example.com")
    fleet.flags(git_writing=GitWriting(sync_tag="flux-sync", key=key, key_id="bot@example.com"))
    fleet.push("1.0.0", "1.1.0")
    fleet.commit({"web.yaml": WEB})
    fleet.operator.start()
    fleet.wait_running("1.1.0")
    fleet.wait("the tag is there", lambda: fleet.at("flux-sync") == fleet.head())
    log = ["git", f"--git-dir={fleet.origin}", "log", "-1", "--format=%G? %GS", "main"]
    signed = subprocess.run(log, env=env, capture_output=True, check=True, text=True).stdout
    assert signed.split()[0] in {"G", "U"}
    verify = ["git", f"--git-dir={fleet.origin}", "verify-tag", "flux-sync"]
    assert subprocess.run(verify, env=env, capture_output=True, check=False).returncode == 0
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], env=env, check=True)


def test_every_automated_image_that_stays_has_a_reason_in_the_log(fleet: Fleet) -> None:
    def web(name: str, *annotations: str) -> str:
        own = "".join(f"\n    {each}" for each in annotations)
        return WEB.replace("\n    fluxcd.io/tag.main: semver:~1   # no majors", own).replace(
            "name: web", f"name: {name}"
        )

    fleet.push("1.0.0", "1.1.0")
    files = {
        "locked.yaml": web(
            "locked", 'fluxcd.io/locked: "true"', "fluxcd.io/locked_user: ada", "fluxcd.io/locked_msg: freeze"
        ),
        "ignored.yaml": web("ignored", 'flux.weave.works/ignore: "true"'),
        "nothing.yaml": web("nothing", "fluxcd.io/tag.main: glob:v9-*"),
        "pattern.yaml": web("pattern", "fluxcd.io/tag.main: semver:>>1"),
        "apart/absent.yaml": web("absent", "fluxcd.io/tag.main: semver:*"),
        "apart/kustomization.yaml": "resources: []\n",
        "broken.yaml.txt": "fluxcd.io/automated",
    }
    first = fleet.commit(dict(files))
    fleet.operator.start()
    fleet.wait_running("1.0.0", "locked")
    fleet.wait_said('it is locked by "ada": "freeze"')
    fleet.wait_said("it is ignored (ignore)")
    fleet.wait_said('of 2 tags none takes part (2 such as "1.0.0": does not match "v9-*")')
    fleet.wait_said("is no version with an operator before it")
    fleet.wait_said("does not run in the cluster")
    assert "deployment/nothing" in fleet.memory()
    assert fleet.head() == first


def test_a_workload_that_comes_up_while_it_is_looked_for_is_not_left_until_the_next_pass(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, look = threading.Event(), AnnotationRun.look

    async def slow(self: AnnotationRun, *given: Any) -> None:
        await look(self, *given)
        looked.set()
        runs = asyncio.Event()
        self.images.running.subscribe(lambda *_: runs.set())
        await runs.wait()

    monkeypatch.setattr(AnnotationRun, "look", slow)
    fleet.flags(automation=replace(fleet.operator.settings.automation, interval=3600.0))
    fleet.push("1.0.0", "1.1.0")
    # The sync is refused, and so never tells that it has applied something: a person applies the workload.
    refused = "{apiVersion: v1, kind: ConfigMap, metadata: {name: refused, namespace: $NS}, data: {a: [1]}}\n"
    fleet.commit({"web.yaml": WEB, "refused.yaml": refused})
    fleet.operator.start()
    assert looked.wait(30)
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": "web:1"}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    fleet.api.create(f"/apis/apps/v1/namespaces/{fleet.target}/deployments", body)
    fleet.wait("it is updated", lambda: b":1.1.0" in show(fleet.origin, "main", "web.yaml"))


def test_a_read_only_operator_says_what_it_would_write_and_writes_nothing(fleet: Fleet) -> None:
    fleet.flags(git_read_only=True)
    fleet.push("1.0.0", "1.1.0")
    first = fleet.commit({"web.yaml": WEB})
    fleet.operator.start()
    fleet.wait_said(f"git is read-only here, so main of {fleet.target}:deployment/web does not get {fleet.image}:1.1.0")
    poll("it is written down", lambda: "read-only" in fleet.memory())
    assert fleet.head() == first


def test_an_image_that_a_person_sets_back_is_not_written_again_until_there_is_a_newer_one(fleet: Fleet) -> None:
    fleet.push("1.0.0", "1.1.0")
    fleet.commit({"web.yaml": WEB})
    fleet.operator.start()
    fleet.wait_running("1.1.0")
    fleet.repo.git("pull", "-q", "--ff-only", "origin", "main")
    theirs = fleet.commit({"web.yaml": WEB}, "back to 1.0.0")
    fleet.wait_running("1.0.0")
    fleet.wait_said("E591")
    assert fleet.head() == theirs
    fleet.push("1.2.0")
    fleet.wait_running("1.2.0")


def test_an_image_that_fails_is_taken_back_once_in_git_and_a_newer_one_is_tried(fleet: Fleet) -> None:
    failing = WEB.replace("semver:~1   # no majors", "glob:*").replace(
        "spec:\n  sel", "spec:\n  progressDeadlineSeconds: 2\n  sel", 1
    )
    fleet.push("1.0.0")
    fleet.commit({"web.yaml": failing})
    fleet.operator.start()
    fleet.wait_running("1.0.0")
    fleet.registry.push(fleet.name, "crash", make_image(content="crash", created="2030-01-01T00:00:00Z"))
    fleet.wait("the image is taken back", lambda: fleet.subject().startswith("Take back"))
    fleet.wait_running("1.0.0")
    fleet.wait_said("E592")
    assert show(fleet.origin, "main", "web.yaml") == show(fleet.origin, "main~2", "web.yaml")
    before = fleet.head()
    fleet.operator.restart()
    fleet.registry.push(fleet.name, "good", make_image(content="good", created="2031-01-01T00:00:00Z"))
    fleet.wait_running("good")
    assert git(fleet.origin, "rev-parse", "main~1").strip() == before


@pytest.mark.parametrize("shared", [False, True], ids=["of its own file", "of a shared base"])
def test_an_image_of_an_entry_that_fails_is_taken_back_in_the_entry_and_a_newer_one_is_tried(
    fleet: Fleet, shared: bool
) -> None:
    failing = WEB.replace("semver:~1   # no majors", "glob:*").replace(
        "spec:\n  sel", "spec:\n  progressDeadlineSeconds: 2\n  sel", 1
    )
    source = fleet.operator.settings.flag_source
    assert source is not None
    fleet.flags(flag_source=replace(source, paths=("prod",)))
    entry = "resources: [../base]\nimages:\n- name: $IMAGE\n  newTag: 1.0.0   # here\n"
    files: dict[str, str | None] = {
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "base/web.yaml": failing.replace("$IMAGE:1.0.0", "$IMAGE:0.1.0"),
        "prod/kustomization.yaml": entry,
    }
    fleet.push("1.0.0")
    first = fleet.commit({**files, **({"test/kustomization.yaml": entry} if shared else {})})
    fleet.operator.start()
    fleet.wait_running("1.0.0")
    fleet.registry.push(fleet.name, "crash", make_image(content="crash", created="2030-01-01T00:00:00Z"))
    fleet.wait("the image is taken back", lambda: fleet.subject().startswith("Take back"))
    fleet.wait_running("1.0.0")
    fleet.wait_said("E592")
    assert not git(fleet.origin, "diff", "--name-only", first, "main").split()
    before = fleet.head()
    fleet.operator.restart()
    fleet.registry.push(fleet.name, "good", make_image(content="good", created="2031-01-01T00:00:00Z"))
    fleet.wait_running("good")
    assert git(fleet.origin, "rev-parse", "main~1").strip() == before
    assert git(fleet.origin, "diff", "--name-only", first, "main").split() == ["prod/kustomization.yaml"]


HELM_RELEASE_CRD: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "helmreleases.helm.fluxcd.io"},
    "spec": {
        "group": "helm.fluxcd.io",
        "names": {"kind": "HelmRelease", "listKind": "HelmReleaseList", "plural": "helmreleases", "singular": "hr"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            }
        ],
    },
}

RELEASE = """apiVersion: helm.fluxcd.io/v1
kind: HelmRelease
metadata:
  name: shop
  namespace: $NS
  annotations:
    fluxcd.io/automated: "true"
    filter.fluxcd.io/front: glob:1.*
spec:
  releaseName: shop
  values:
    replicas:   2
    front:
      image:
        repository: $IMAGE   # the front
        tag: "1.0.0"
"""


def test_the_values_of_a_helm_release_are_updated_in_git_and_in_the_cluster(fleet: Fleet) -> None:
    fleet.api.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", HELM_RELEASE_CRD)
    path = f"/apis/helm.fluxcd.io/v1/namespaces/{fleet.target}/helmreleases"
    poll("the kind is served", lambda: fleet.api.request("GET", path)[0] == 200)
    fleet.push("1.0.0", "2.0.0")
    first = fleet.commit({"shop.yaml": RELEASE})
    fleet.operator.start()
    fleet.wait("the release is there", lambda: fleet.api.get(f"{path}/shop"))
    fleet.registry.push(fleet.name, "1.1.0", make_image(content="1.1.0", created="2030-01-01T00:00:00Z"))

    def tag() -> str:
        found = fleet.api.get(f"{path}/shop")
        assert found is not None
        return str(found["spec"]["values"]["front"]["image"]["tag"])

    fleet.wait("the release has the new tag", lambda: tag() == "1.1.0")
    assert show(fleet.origin, "main", "shop.yaml") == show(fleet.origin, first, "shop.yaml").replace(b"1.0.0", b"1.1.0")


def test_images_of_a_registry_with_logins_are_scanned_by_the_pull_secrets_of_the_pod_or_of_its_account(
    fleet: Fleet, tmp_path: Path
) -> None:
    with Registry(tmp_path / "private", user="ada", password="hunter2") as private:
        fleet.registry = private
        fleet.push("1.0.0", "1.1.0")
        pod = WEB.replace("      containers:", "      imagePullSecrets: [{name: regcred}]\n      containers:")
        account = pod.replace("imagePullSecrets: [{name: regcred}]", "serviceAccountName: puller")
        account = account.replace("name: web", "name: other")
        secret = {"auths": {private.host: {"auth": base64.b64encode(b"ada:hunter2").decode()}}}
        fleet.commit({"web.yaml": pod, "other.yaml": account})
        fleet.operator.start()
        fleet.wait_running("1.0.0")
        fleet.wait_said("E520")
        data = {".dockerconfigjson": base64.b64encode(json.dumps(secret).encode()).decode()}
        body = {"metadata": {"name": "regcred"}, "type": "kubernetes.io/dockerconfigjson", "data": data}
        fleet.api.create(f"/api/v1/namespaces/{fleet.target}/secrets", body)
        fleet.wait_running("1.1.0")
        fleet.wait_running("1.1.0", "other")
    assert not any("hunter2" in str(entry) for entry in fleet.operator.logged)


def test_what_a_person_set_back_stays_though_the_operator_has_lost_its_memory_and_was_killed(fleet: Fleet) -> None:
    fleet.push("1.0.0", "1.1.0")
    fleet.commit({"web.yaml": WEB})
    fleet.operator.start()
    fleet.wait("it is committed", lambda: fleet.subject().startswith("Auto-release"))
    fleet.operator.kill()
    pushed = fleet.head()
    path = "/api/v1/namespaces/sluice-system/configmaps/sluice-image-automation"
    if fleet.api.get(path) is not None:
        fleet.api.delete(path)
    fleet.operator.start()
    fleet.wait_running("1.1.0")
    assert fleet.head() == pushed
    fleet.repo.git("pull", "-q", "--ff-only", "origin", "main")
    theirs = fleet.commit({"web.yaml": WEB}, "back to 1.0.0")
    fleet.wait_said("E591")
    fleet.wait_running("1.0.0")
    assert fleet.head() == theirs


def test_two_operators_that_change_an_image_to_and_fro_are_stopped_and_named(fleet: Fleet) -> None:
    fleet.push("1.0.0", "1.1.0")
    fleet.commit({"web.yaml": WEB})
    fleet.operator.start()
    other = "back\n\nSluice-Update: WorkloadAutomation/other/fleet"
    theirs = ""
    for turn in range(2):
        fleet.wait("it is written", lambda: fleet.subject().startswith("Auto-release"))
        fleet.repo.git("pull", "-q", "--ff-only", "origin", "main")
        theirs = fleet.commit({"web.yaml": WEB}, f"{other} {turn}")
    fleet.wait_said("E585")
    fleet.wait_said("WorkloadAutomation/other/fleet")
    assert fleet.head() == theirs


def test_an_annotated_workload_that_is_generated_is_updated_by_its_patch_file(fleet: Fleet) -> None:
    source = fleet.operator.settings.flag_source
    assert source is not None
    fleet.flags(flag_source=replace(source, paths=("prod", "plain"), manifest_generation=True))
    fleet.push("1.0.0")
    flux = "version: 1\npatchUpdated:\n  generators:\n  - command: kustomize build .\n  patchFile: patch.yaml\n"
    first = fleet.commit(
        {
            "base/web.yaml": WEB,
            "base/kustomization.yaml": "resources: [web.yaml]\n",
            "prod/kustomization.yaml": "resources: [../base]\n",
            "prod/.flux.yaml": flux,
            "plain/other.yaml": WEB.replace("name: web\n", "name: other\n").replace("app: web", "app: other"),
        }
    )
    fleet.operator.start()
    fleet.wait_running("1.0.0")
    fleet.wait_running("1.0.0", "other")
    fleet.push("1.1.0", "2.0.0")
    fleet.wait_running("1.1.0")
    fleet.wait_running("1.1.0", "other")
    changed = git(fleet.origin, "diff", "--name-only", first, "main").split()
    assert changed == ["plain/other.yaml", "prod/patch.yaml"]
    assert show(fleet.origin, "main", "base/web.yaml") == show(fleet.origin, first, "base/web.yaml")
    patch = show(fleet.origin, "main", "prod/patch.yaml").decode()
    assert f"        - name: main\n          image: {fleet.image}:1.1.0\n" in patch
    fleet.push("1.2.0")
    fleet.wait_running("1.2.0")
    assert show(fleet.origin, "main", "prod/patch.yaml").decode() == patch.replace(":1.1.0", ":1.2.0")
