"""The operator, started in this process against the real cluster, with a real git server; and one sync to play with.

One operator serves a test module: its own namespace holds its records, leases and the objects that it watches, so
that modules do not see each other. Each test makes its own `Sync`: a repository, a GitRepository, a Kustomization and
a namespace for what is applied. Every wait is a poll with a deadline that fails with the status it last saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import json
import secrets
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import pytest
import structlog

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from sluice import __version__
from sluice.kube.config import ClusterAccess, load_kubeconfig
from sluice.runtime.logging import without_secrets
from sluice.settings import Settings
from sluice.wiring import run_operator
from tests.canary import look

CRDS = Path(__file__).parent.parent / "deploy" / "crds"
SYNCS = "/apis/kustomize.toolkit.fluxcd.io/v1"
SOURCES = "/apis/source.toolkit.fluxcd.io/v1"
REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"
# Of a machine that does much else: no test says how long something takes, and a state that has come costs no more.
PATIENCE = 45.0
PAUSE = 0.02
AGENT = f"sluice/{__version__}"

Json = dict[str, Any]


def poll(what: str, check: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Call `check` until it returns something true, and return that. Fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not so after {seconds:.0f}s")
        time.sleep(PAUSE)


class Api:
    """Requests to the API server as the admin, over one connection, with a user agent of their own."""

    def __init__(self, cluster: Cluster) -> None:
        address = urlsplit(cluster.server)
        context = ssl.create_default_context(cafile=str(cluster.ca))
        context.load_cert_chain(cluster.admin.certificate, cluster.admin.key)
        self._connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, context=context, timeout=30
        )

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, Json]:
        """One request; returns the status and the decoded answer."""
        payload = None if body is None else body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": content_type, "User-Agent": "test"}
        for attempt in (1, 2):
            try:
                self._connection.request(method, path, payload, headers)
                answer = self._connection.getresponse()
                text = answer.read()
                plain = "json" not in answer.headers.get("Content-Type", "")
                return answer.status, {"text": text.decode()} if plain else json.loads(text or b"{}")
            except (http.client.HTTPException, ConnectionError, ssl.SSLError):  # an idle connection was closed
                self._connection.close()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def events(self, path: str, since: str) -> list[Json]:
        """What a watch of a collection tells that begins at a resource version and ends a second later."""
        self._connection.request("GET", f"{path}?watch=1&resourceVersion={since}&timeoutSeconds=1")
        return [json.loads(line) for line in self._connection.getresponse().read().splitlines()]

    def get(self, path: str) -> Json | None:
        """The object, or None when there is none."""
        status, answer = self.request("GET", path)
        if status == 404:
            return None
        assert status == 200, answer
        return answer

    def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection `path`."""
        status, answer = self.request("POST", path, body)
        assert status == 201, answer
        return answer

    def patch(self, path: str, body: Json, *, manager: str = "kubectl-edit") -> Json:
        """Merge `body` into the object."""
        status, answer = self.request("PATCH", f"{path}?fieldManager={manager}", body, "application/merge-patch+json")
        assert status == 200, answer
        return answer

    def apply(self, path: str, body: Json, *, manager: str) -> Json:
        """Server-side apply with force."""
        query = urlencode({"fieldManager": manager, "force": "true"})
        status, answer = self.request("PATCH", f"{path}?{query}", body, "application/apply-patch+yaml")
        assert status in {200, 201}, answer
        return answer

    def delete(self, path: str) -> None:
        """Ask for the deletion."""
        status, answer = self.request("DELETE", path)
        assert status in {200, 202}, answer


@dataclass(frozen=True, slots=True)
class Write:
    """One line of the audit log: a request of the operator that is no read."""

    verb: str
    path: str
    dry_run: bool
    status: int
    at: str


class Audit:
    """The API server's audit log from a point on."""

    def __init__(self, cluster: Cluster) -> None:
        assert cluster.audit_log is not None
        self._path = cluster.audit_log
        self._offset = self._path.stat().st_size

    def lines(self) -> list[bytes]:
        """Every line written since."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            return file.read().split(b"\n")[:-1]

    def completed(self, agent: str) -> Iterator[dict[str, Any]]:
        """Those lines as the API server wrote them, of requests that `agent` made and that were answered."""
        for line in self.lines():
            if agent.encode() not in line:
                continue
            entry = json.loads(line)
            if entry.get("stage") == "ResponseComplete" and entry.get("userAgent") == agent:
                yield entry

    def requests(self, agent: str) -> list[Write]:
        """Every completed request since, of clients whose user agent is exactly `agent`."""
        found = []
        for entry in self.completed(agent):
            path, _, query = entry["requestURI"].partition("?")
            found.append(
                Write(
                    entry["verb"],
                    path,
                    "dryRun=All" in query,
                    entry.get("responseStatus", {}).get("code", 0),
                    entry["requestReceivedTimestamp"],
                )
            )
        return found

    def writes(self, agent: str) -> list[Write]:
        """What was sent to be stored or dry-run, in the order of arrival."""
        reads = {"get", "list", "watch"}
        return sorted((w for w in self.requests(agent) if w.verb not in reads), key=lambda w: w.at)


def close_what_is_left(loop: asyncio.AbstractEventLoop) -> None:
    """Close what an operator, or a server of a test, has open once its loop has ended, as the kernel does at an exit.

    A killed one has much; one that was stopped may have a connection whose TLS farewell was not answered yet, or that
    came in the moment of its end. What is forgotten here would be a warning in some later test.
    """
    for left in gc.get_objects():
        if not isinstance(left, asyncio.BaseTransport) or getattr(left, "_loop", None) is not loop:
            continue
        for name in ("_sock", "_pipe"):
            if (held := getattr(left, name, None)) is not None:
                held.close()
                setattr(left, name, None)
        for closed in ("_closed", "_closing"):
            if hasattr(left, closed):
                setattr(left, closed, True)
        # A child may live on, as that of a killed process does; asyncio's thread that waits for it reaps it.
        if (child := getattr(left, "_proc", None)) is not None and child.returncode is None:
            child.returncode = 0


@dataclass
class RunningOperator:
    """One operator in a thread with its own event loop. `logged` is everything it said."""

    settings: Settings
    access: ClusterAccess
    logged: list[Mapping[str, Any]] = field(default_factory=list)
    failure: BaseException | None = None
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None

    def start(self) -> Self:
        """Start it and return when it serves turns."""
        ready = threading.Event()

        async def run() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await run_operator(self.settings, self.access, self._stop, ready.set)

        def serve() -> None:
            try:
                asyncio.run(run())
            except BaseException as error:  # noqa: BLE001 - told to the test that waits
                self.failure = error
            finally:
                if self._loop is not None:
                    close_what_is_left(self._loop)
                ready.set()

        self.failure = None
        self._thread = threading.Thread(target=serve, name="operator", daemon=True)
        self._thread.start()
        assert ready.wait(PATIENCE), "the operator did not become ready"
        self.check()
        return self

    def check(self) -> None:
        """Fail when the operator ended by itself, or met what it calls a bug."""
        if self.failure is not None:
            raise AssertionError(f"the operator ended: {self.failure!r}") from self.failure
        bugs = [entry for entry in self.logged if entry.get("event") == "bug"]
        assert not bugs, bugs

    def stop(self) -> None:
        """Stop it as a signal would."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(PATIENCE)
            assert not self._thread.is_alive(), "the operator did not stop"
        self._thread = None

    def kill(self) -> None:
        """End it at once: every task is cancelled where it stands, and the leases are left to run out."""
        assert self._loop is not None
        assert self._thread is not None
        loop = self._loop

        def cancel_all() -> None:
            for task in asyncio.all_tasks(loop):
                # asyncio's own, while a child starts: without it the child's pipes would never be closed.
                if "_connect_pipes" not in str(task.get_coro()):
                    task.cancel()

        # What it has open would be a warning in this or in some later test.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            for _ in range(100):  # what hangs in its farewell is cancelled there, too
                if not self._thread.is_alive():
                    break
                with contextlib.suppress(RuntimeError):  # the loop closed a moment ago
                    loop.call_soon_threadsafe(cancel_all)
                self._thread.join(0.1)
            assert not self._thread.is_alive(), "the operator could not be killed"
            close_what_is_left(loop)  # also what only its end has made
            self._thread = None
            self._loop = None
            self.failure = None
            gc.collect()

    def ensure(self) -> None:
        """Start it unless it runs."""
        if self._thread is None or not self._thread.is_alive():
            self.start()

    def restart(self) -> None:
        """Stop it and start it again with the same disk."""
        self.stop()
        self.start()


@dataclass
class Bench:
    """What one module of tests shares."""

    cluster: Cluster
    api: Api
    namespace: str
    operator: RunningOperator
    git: GitHttpServer
    root: Path
    agent: str

    def audit(self) -> Audit:
        """The audit log from now on."""
        return Audit(self.cluster)

    def synced(self, files: Mapping[str, str | None], **spec: Any) -> Sync:
        """Make a repository with `files`, a source and a Kustomization (`spec` over defaults); wait until Ready."""
        made = self.source()
        revision = made.commit(files)
        made.create_source()
        made.create(**spec)
        made.wait_ready(revision)
        return made

    def failing(self, files: Mapping[str, str | None], text: str, **spec: Any) -> tuple[Sync, str]:
        """Make a sync whose first revision fails with `text`; returns it and Ready's message."""
        made = self.source()
        revision = made.commit(files)
        made.create_source()
        made.create(**spec)
        return made, made.wait_failed(revision, text)

    def source(self, name: str = "") -> Sync:
        """Only a repository and a namespace; the caller makes the objects."""
        name = name or f"s-{secrets.token_hex(3)}"
        target = f"{name}-{secrets.token_hex(2)}"
        create_namespace(self.cluster, target)
        self.git.create(name)
        repo = WorkingRepo(self.root / "work" / name, self.git.url(name))
        return Sync(self, name, target, repo)


@dataclass
class Sync:
    """One repository, source, Kustomization and target namespace."""

    bench: Bench
    name: str
    target: str
    repo: WorkingRepo
    requests: int = 0
    home: str = ""

    @property
    def namespace(self) -> str:
        """Where its own objects are: the operator's namespace unless `home` says otherwise."""
        return self.home or self.bench.namespace

    @property
    def path(self) -> str:
        """The Kustomization's path in the API."""
        return f"{SYNCS}/namespaces/{self.namespace}/kustomizations/{self.name}"

    @property
    def source_path(self) -> str:
        """The GitRepository's path in the API."""
        return f"{SOURCES}/namespaces/{self.namespace}/gitrepositories/{self.name}"

    def create_source(self, **spec: Any) -> None:
        """Make the GitRepository."""
        self.bench.api.create(
            self.source_path.rpartition("/")[0],
            {
                "apiVersion": "source.toolkit.fluxcd.io/v1",
                "kind": "GitRepository",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {
                    "url": self.bench.git.url(self.name),
                    "interval": "1h",
                    "ref": {"branch": "main"},
                    **spec,
                },
            },
        )

    def create(self, **spec: Any) -> None:
        """Make the Kustomization."""
        metadata = {"name": self.name, "namespace": self.namespace, **spec.pop("metadata", {})}
        base = {
            "interval": "1h",
            "retryInterval": "1h",
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": self.name},
            "path": "./",
        }
        merged = {k: v for k, v in {**base, **spec}.items() if v is not None}
        self.bench.api.create(
            self.path.rpartition("/")[0],
            {
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                "kind": "Kustomization",
                "metadata": metadata,
                "spec": merged,
            },
        )

    # --- act ----------------------------------------------------------------------------------------------------

    def commit(self, files: Mapping[str, str | None], message: str = "change") -> str:
        """Commit and push; `$NS` in a file becomes the target namespace. Returns the revision."""
        files = {k: v if v is None else v.replace("$NS", self.target) for k, v in files.items()}
        return f"main@sha1:{self.repo.commit(files, message)}"

    def push(self, files: Mapping[str, str | None], message: str = "change") -> str:
        """Commit, push, and ask the source to look; returns the revision."""
        revision = self.commit(files, message)
        self.request(self.source_path)
        return revision

    def request(self, path: str = "") -> str:
        """Ask for a turn (of the Kustomization unless a path is given); returns the token."""
        self.requests += 1
        token = f"request-{self.requests}-{secrets.token_hex(3)}"
        self.bench.api.patch(path or self.path, {"metadata": {"annotations": {REQUESTED_AT: token}}})
        return token

    def reconcile(self, seconds: float = PATIENCE) -> Json:
        """Ask for a turn and wait until it was handled; returns the object after it."""
        token = self.request()
        return self.wait(
            f"request {token} handled", lambda k: k["status"].get("lastHandledReconcileAt") == token, seconds
        )

    def edit(self, **spec: Any) -> None:
        """Change fields of the spec; None removes one."""
        self.bench.api.patch(self.path, {"spec": spec})

    # --- see ----------------------------------------------------------------------------------------------------

    def get(self) -> Json:
        """The Kustomization; it must exist."""
        found = self.bench.api.get(self.path)
        assert found is not None, f"{self.path} is gone"
        return found

    @property
    def status(self) -> Json:
        """Its status."""
        return dict(self.get().get("status", {}))

    def condition(self, type_: str) -> Json:
        """One condition, or an empty one."""
        return condition(self.get(), type_)

    @property
    def message(self) -> str:
        """What Ready says."""
        return str(self.condition("Ready").get("message", ""))

    def inventory(self) -> list[str]:
        """The ids that status shows."""
        return [entry["id"] for entry in self.status.get("inventory", {}).get("entries", [])]

    def wait(self, what: str, check: Callable[[Json], Any], seconds: float = PATIENCE) -> Json:
        """Poll the Kustomization until `check` holds; fails with its status."""
        last: Json = {}

        def look() -> Json | None:
            self.bench.operator.check()
            last.clear()
            last.update(self.get())
            last.setdefault("status", {})
            return last if check(last) else None

        try:
            return dict(poll(what, look, seconds))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(last.get('status'), indent=1)}") from error

    def wait_ready(self, revision: str, seconds: float = PATIENCE) -> Json:
        """Wait until `revision` is applied and Ready."""
        return self.wait(
            f"{self.name} ready at {revision}",
            lambda k: condition(k, "Ready").get("status") == "True" and k["status"]["lastAppliedRevision"] == revision
            and k["status"].get("observedGeneration") == k["metadata"]["generation"],
            seconds,
        )  # fmt: skip

    def wait_condition(
        self, type_: str, status: str, reason: str = "", text: str = "", seconds: float = PATIENCE
    ) -> Json:
        """Wait until a condition has that status, reason and text in its message; returns the condition."""

        def check(found: Json) -> bool:
            c = condition(found, type_)
            return c.get("status") == status and reason in {"", c.get("reason")} and text in c.get("message", "")

        return condition(self.wait(f"{type_}={status} {reason} {text!r}", check, seconds), type_)

    def wait_failed(self, revision: str, text: str = "", reason: str = "", seconds: float = PATIENCE) -> str:
        """Wait until `revision` was tried and failed; returns Ready's message."""

        def check(k: Json) -> bool:
            ready = condition(k, "Ready")
            return (
                ready.get("status") == "False"
                and k["status"].get("lastAttemptedRevision") == revision
                and text in ready.get("message", "")
                and reason in {"", ready.get("reason")}
            )

        return str(condition(self.wait(f"{revision} failed with {text!r}", check, seconds), "Ready")["message"])

    def wait_gone(self, seconds: float = PATIENCE) -> None:
        """Wait until the Kustomization is deleted."""
        poll(f"{self.path} gone", lambda: self.bench.api.get(self.path) is None, seconds)

    # --- objects in the target namespace ------------------------------------------------------------------------

    def at(self, kind: str, name: str) -> str:
        """The path of an object in the target namespace: `configmaps`, `apps/v1/deployments`, …"""
        group, _, plural = kind.rpartition("/")
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.target}/{plural}/{quote(name)}"

    def live(self, kind: str, name: str) -> Json | None:
        """A live object of the target namespace."""
        return self.bench.api.get(self.at(kind, name))

    def config(self, name: str) -> Json:
        """A live ConfigMap that must exist."""
        found = self.live("configmaps", name)
        assert found is not None, f"ConfigMap {name} is gone"
        return found

    def writes(self, audit: Audit) -> list[Write]:
        """The operator's writes to objects of the target namespace."""
        prefix = f"/namespaces/{self.target}"
        return [w for w in audit.writes(self.bench.agent) if prefix in w.path]


def condition(item: Json, type_: str) -> Json:
    """One condition of an object, or an empty one."""
    return next((c for c in item.get("status", {}).get("conditions", []) if c["type"] == type_), {})


# Its image is one that the simulated nodes let fail.
JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: $NS}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: main, image: "nginx:1"}]}
"""
FAILING_JOB = """apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: $NS}
spec:
  backoffLimit: 0
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: "migrate:fail"}]}}
"""


def config_map(name: str, value: str = "1", *, extra: str = "", namespace: str = "$NS") -> str:
    """The YAML of a ConfigMap with `data.key: value`; `extra` is more metadata, as flow-style YAML."""
    where = f", namespace: {namespace}" if namespace else ""
    more = f", {extra}" if extra else ""
    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}{where}{more}}}\ndata:\n  key: {json.dumps(value)}\n"
    )


def deployment(name: str, image: str = "nginx:1", *, replicas: int = 1, extra: str = "", app: str = "") -> str:
    """The YAML of a Deployment."""
    more = f", {extra}" if extra else ""
    app = app or name
    return f"""apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: $NS{more}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {app}}}}}
  template:
    metadata: {{labels: {{app: {app}}}}}
    spec:
      containers:
        - {{name: main, image: "{image}"}}
"""


class LogCapture:
    """A structlog processor that hands every entry to whoever runs, and prints nothing."""

    def __init__(self) -> None:
        self.sinks: list[list[Mapping[str, Any]]] = []

    def __call__(self, logger: object, method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        for sink in self.sinks:
            sink.append({**entry, "level": method})
        look("the log", repr(without_secrets(logger, method, dict(entry))))
        raise structlog.DropEvent


# One for the process: pytest makes a session's fixture anew for each folder that imports it.
CAPTURE = LogCapture()


@pytest.fixture(scope="session")
def log_capture() -> LogCapture:
    """Structlog's output for the whole session, as entries."""
    bound = structlog.contextvars.merge_contextvars
    structlog.configure(
        processors=[bound, structlog.processors.format_exc_info, CAPTURE], cache_logger_on_first_use=False
    )
    return CAPTURE


def install_crds(cluster: Cluster) -> None:
    """Install our CRDs and wait until they are served: for no others, which may be going meanwhile."""
    cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
    cluster.kubectl("wait", "--for=condition=Established", f"--timeout={PATIENCE:.0f}s", "-f", str(CRDS))


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> None:
    """Our CRDs, installed once."""
    install_crds(cluster)


class OpenBench:
    """A bench from its first to its last use. `access` is the operator's way to the cluster, the admin's if None."""

    def __init__(
        self,
        cluster: Cluster,
        root: Path,
        capture: LogCapture,
        settings: Settings,
        access: ClusterAccess | None = None,
    ) -> None:
        self._git = GitHttpServer(root / "git")
        self._api = Api(cluster)
        self._operator = RunningOperator(settings, access or load_kubeconfig(cluster.kubeconfig))
        self._capture = capture
        capture.sinks.append(self._operator.logged)
        self.bench = Bench(cluster, self._api, settings.namespace, self._operator, self._git, root, AGENT)

    def __enter__(self) -> Bench:
        self._git.__enter__()
        self._operator.start()
        return self.bench

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._operator.stop()
        self._capture.sinks = [sink for sink in self._capture.sinks if sink is not self._operator.logged]
        self._git.__exit__(None, None, None)
        self._api.close()
        self._operator.check()


@contextlib.contextmanager
def bench_with(
    cluster: Cluster, capture: LogCapture, factory: pytest.TempPathFactory, **changes: Any
) -> Iterator[Bench]:
    """A running operator in a namespace of its own, with some of its settings changed."""
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    root = factory.mktemp("bench")
    with OpenBench(cluster, root, capture, replace(settings_for(name, root), **changes)) as opened:
        yield opened


@pytest.fixture(scope="module")
def bench(
    cluster: Cluster, crds: None, log_capture: LogCapture, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """A running operator for the module, in a namespace of its own."""
    with bench_with(cluster, log_capture, tmp_path_factory) as opened:
        yield opened


def free_port() -> int:
    """A loopback port that nobody has, of those that the system gives to nobody who asks for just any."""
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def settings_for(name: str, root: Path) -> Settings:
    """An operator that lives in, and looks at, the namespace `name` alone, with its disk below `root`."""
    return Settings(
        namespace=name,
        watch_namespace=name,
        storage=root / "data",
        git_allow_loopback=True,
        registry_allow_loopback=True,
        egress_allow=("127.0.0.0/8",),
        identity=name,
    )


def with_settings(bench: Bench, **changes: Any) -> Settings:
    """The bench's settings with some changed."""
    return replace(bench.operator.settings, **changes)
