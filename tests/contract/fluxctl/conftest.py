"""One operator per module, in flag mode or with CRDs: fluxd's API on a port, a real git server, a real registry."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.core.flag_source import FlagSource
from sluice.kube.config import load_kubeconfig
from sluice.settings import Settings
from tests.operator_fixture import (
    Api,
    Bench,
    LogCapture,
    OpenBench,
    RunningOperator,
    Sync,
    crds,
    free_port,
    log_capture,
    poll,
)

__all__ = ["crds", "log_capture"]

WEB = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: $NS
  annotations:
    fluxcd.io/tag.main: semver:~1
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: main
          image: $IMAGE:1.0.0
"""


@dataclass
class Answer:
    """What came back: the status, the headers, and the JSON or text of the body."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Fluxd:
    """The operator as fluxctl meets it."""

    port: int
    operator: RunningOperator
    api: Api
    repo: WorkingRepo
    registry: Registry
    target: str
    name: str
    has_begun: bool = False

    @property
    def image(self) -> str:
        """The image's name, without a tag."""
        return self.registry.image(self.name)

    @property
    def workload(self) -> str:
        """The Deployment's id."""
        return f"{self.target}:deployment/web"

    def push(self, *tags: str) -> None:
        """Push an image for each tag."""
        for tag in tags:
            self.registry.push(self.name, tag, make_image(content=tag))

    def commit(self, files: dict[str, str | None]) -> str:
        """Commit on what the operator has committed, and push; `$NS` and `$IMAGE` are replaced. Returns the commit."""
        if self.has_begun:
            self.repo.git("pull", "-q", "--ff-only", "origin", "main")
        made = {k: v and v.replace("$NS", self.target).replace("$IMAGE", self.image) for k, v in files.items()}
        return self.repo.commit(made, "change")

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        """One request as fluxctl sends it: no content type, JSON accepted, empty values as empty texts."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        url = f"/api/flux{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, url, payload, {"Accept": "application/json", "User-Agent": "Go-http-client/1.1"})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        return Answer(answer.status, dict(answer.headers), json.loads(data) if data else None)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The same for a request that must succeed; returns what the body says."""
        found = self.call(method, path, body, **query)
        assert found.status in {200, 202, 204}, found
        return found.body

    def update(self, kind: str, spec: Any, *, user: str = "Ana <ana@example.com>", message: str = "") -> Any:
        """Ask for an update and wait for its job, as fluxctl does; returns the JobStatus."""
        cause = {"Message": message, "User": user}
        job = self.ask("POST", "/v9/update-manifests", {"type": kind, "cause": cause, "spec": spec})

        def done() -> Any:
            status = self.ask("GET", "/v6/jobs", id=job)
            return status if status["StatusString"] in {"failed", "succeeded"} else None

        return poll(f"job {job} ends", done)

    def wait_applied(self, commit: str) -> None:
        """Wait as fluxctl does: until no commit up to this one is left to be applied."""
        poll(f"{commit[:7]} is applied", lambda: self.ask("GET", "/v6/sync", ref=commit) == [], 30)

    def service(self) -> Any:
        """What list-workloads says of the Deployment."""
        found = self.ask("GET", "/v6/services", namespace=self.target)
        return next(each for each in found or [] if each["ID"] == self.workload)

    def running(self) -> str:
        """The image in the cluster."""
        found = self.api.get(f"/apis/apps/v1/namespaces/{self.target}/deployments/web")
        assert found is not None
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def settings_of(home: str, root: Path, port: int, source: FlagSource | None) -> Settings:
    """An operator with fluxd's API on a port, which may reach servers of this machine."""
    return Settings(
        namespace=home,
        watch_namespace="" if source is not None else home,
        storage=root / "data",
        git_allow_loopback=True,
        registry_allow_loopback=True,
        registry_insecure_hosts=("127.0.0.1",),
        identity=home,
        flag_source=source,
        fluxd_address=f"127.0.0.1:{port}",
    )


@pytest.fixture(scope="module")
def fluxd(
    cluster: Cluster, registry: Registry, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fluxd]:
    root = tmp_path_factory.mktemp("fluxd")
    home, target, port = f"flux-{secrets.token_hex(3)}", f"apps-{secrets.token_hex(3)}", free_port()
    for name in (home, target):
        create_namespace(cluster, name)
    with GitHttpServer(root / "git") as server:
        server.create("fleet")
        repo = WorkingRepo(root / "work", server.url("fleet"))
        source = FlagSource(url=server.url("fleet"), branch="main", poll_interval="1h", sync_interval="1h")
        operator = RunningOperator(settings_of(home, root, port, source), load_kubeconfig(cluster.kubeconfig))
        log_capture.sinks.append(operator.logged)
        api = Api(cluster)
        made = Fluxd(port, operator, api, repo, registry, target, f"web-{secrets.token_hex(3)}")
        made.push("1.0.0", "1.1.0", "2.0.0")
        first = made.commit({"web.yaml": WEB})
        operator.start()
        made.has_begun = True
        poll("the first sync", lambda: made.call("GET", "/v6/sync", ref=first).body == [], 30)
        yield made
        operator.stop()
        api.close()


@dataclass
class Two:
    """Two repositories, each with a Deployment of its own."""

    bench: Bench
    one: Fluxd
    other: Fluxd
    syncs: tuple[Sync, Sync]


@contextmanager
def open_two(
    cluster: Cluster, registry: Registry, log_capture: LogCapture, root: Path, other: dict[str, str | None], path: str
) -> Iterator[Two]:
    """The second repository has the files `other`, of which `path` is applied."""
    home, port = f"flux-{secrets.token_hex(3)}", free_port()
    create_namespace(cluster, home)
    with OpenBench(cluster, root, log_capture, settings_of(home, root, port, None)) as bench:
        made = []
        of_each: list[dict[str, str | None]] = [{"web.yaml": WEB}, other]
        for number, files in enumerate(of_each):
            sync = bench.source(f"s{number}-{secrets.token_hex(2)}")
            fluxd = Fluxd(port, bench.operator, bench.api, sync.repo, registry, sync.target, sync.name)
            fluxd.push("1.0.0", "1.1.0")
            revision = fluxd.commit(files)
            fluxd.has_begun = True
            sync.create_source()
            sync.create(path=path if number else "./")
            sync.wait_ready(f"main@sha1:{revision}")
            made.append((fluxd, sync))
        yield Two(bench, made[0][0], made[1][0], (made[0][1], made[1][1]))
