"""fluxd's image automation: workloads that are annotated in git, an operator with nothing but flags, a real registry."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.core.automation_flags import AutomationFlags, GitWriting
from sluice.core.flag_source import FlagSource
from sluice.kube.config import load_kubeconfig
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

    def subject(self) -> str:
        """The first line of the head's message."""
        return git(self.origin, "log", "-1", "--format=%s", "main").strip()

    def wait_running(self, tag: str, name: str = "web") -> None:
        """Wait until that tag runs."""
        poll(f"{name} runs {tag}", lambda: self.check() and self.running(name) == f"{self.image}:{tag}", 30)

    def wait_said(self, text: str) -> None:
        """Wait until the log has a line with that text."""
        poll(f"the log has {text!r}", lambda: self.check() and any(text in str(e) for e in self.operator.logged), 30)

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
            automation=AutomationFlags(is_on=True, interval=2.0),
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
