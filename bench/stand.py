"""Cluster, git server and operator, made for one measurement and gone with it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from bench.audit import AuditLog
from bench.objects import mixed
from bench.process import PeakMemory, cpu_seconds
from bench.raw import RawApi
from devcluster import Cluster, ClusterOptions, running_cluster
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo

ROOT = Path(__file__).parent.parent
BUSY = ("kube-apiserver", "etcd", "kube-controller-manager")
QUIET_SHARE = 0.10
QUIET_TIMEOUT = 60.0
SNAPSHOT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Tracing:
    """Where profiles of the operator go; None takes none."""

    folder: Path | None = None
    memory: bool = False

    def arguments(self, name: str) -> list[str]:
        """What the operator's process is started with."""
        if self.folder is None:
            return []
        self.folder.mkdir(parents=True, exist_ok=True)
        kind = "memory" if self.memory else "profile"
        return [f"--{kind}={self.folder / name}.{'txt' if self.memory else 'prof'}"]


class TimedGitServer(GitHttpServer):
    """Notes when each answer ended: with the one that holds the pack, the commit is fetched; and so for pushes.

    `looks` are the moments at which somebody began to look what there is to fetch.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.packs: list[float] = []
        self.pushes: list[float] = []
        self.looks: list[float] = []

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("service") == "git-upload-pack":
            self.looks.append(time.monotonic())
        answer = await super()._handle(request)
        if request.method == "POST" and request.path.endswith("/git-upload-pack"):
            self.packs.append(time.monotonic())
        if request.method == "POST" and request.path.endswith("/git-receive-pack"):
            self.pushes.append(time.monotonic())
        return answer


@dataclass(frozen=True, slots=True)
class Launch:
    """How the operator is started, again and again with the same disk and the same claim to the Leases."""

    command: tuple[str, ...]
    address: str
    log: Path

    async def start(self) -> subprocess.Popen[bytes]:
        """Start it and return once it is ready. Raises RuntimeError when it does not become ready."""
        with self.log.open("ab") as output:
            process = subprocess.Popen(  # noqa: ASYNC220 - it starts in a moment, and nothing else runs yet
                self.command, cwd=ROOT, env=dict(os.environ), stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 30.0
        async with aiohttp.ClientSession() as session:
            while not await _answers(session, f"http://{self.address}/readyz"):
                if process.poll() is not None or time.monotonic() > deadline:
                    _end(process)
                    text = self.log.read_text(errors="replace")[-4000:]
                    raise RuntimeError(f"the operator did not become ready:\n{text}")
                await asyncio.sleep(0.05)
        return process


@dataclass(slots=True)
class Stand:
    """What a figure measures with. `peak` holds the operator's memory, `audit` its requests."""

    cluster: Cluster
    api: RawApi
    git: TimedGitServer
    repo: WorkingRepo
    folder: Path
    operator: subprocess.Popen[bytes]
    launch: Launch
    peak: PeakMemory
    audit: AuditLog | None
    _cpu: dict[str, float] = field(default_factory=dict)

    def cpu(self) -> dict[str, float]:
        """CPU seconds since the last call: of the operator (children included) and of the API server."""
        now = {
            "operator": cpu_seconds(self.operator.pid),
            "API server": cpu_seconds(self.cluster.pid("kube-apiserver")),
        }
        spent = {name: value - self._cpu.get(name, 0.0) for name, value in now.items()}
        self._cpu = now
        return spent

    def requests(self) -> AuditLog:
        """The audit log. Raises RuntimeError for a stand without one."""
        if self.audit is None:
            raise RuntimeError("this stand keeps no audit log")
        return self.audit

    async def restart(self, *, kill: bool = False) -> float:
        """End the operator and start it again; returns when (monotonic) the new process was started."""
        self.operator.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        await asyncio.to_thread(self.operator.wait, 60)
        began = time.monotonic()
        self.operator = await self.launch.start()
        return began

    async def quiet(self) -> None:
        """Return when control plane and operator work no more (at most 10 % of a processor), or after a minute."""
        pids = [self.cluster.pid(component) for component in BUSY] + [self.operator.pid]
        deadline = time.monotonic() + QUIET_TIMEOUT
        before = sum(map(cpu_seconds, pids))
        while time.monotonic() < deadline:
            await asyncio.sleep(1.0)
            now = sum(map(cpu_seconds, pids))
            if now - before < QUIET_SHARE:
                return
            before = now


@asynccontextmanager
async def stand(
    name: str,
    files: Mapping[str, str],
    *,
    audit: bool = False,
    tracing: Tracing | None = None,
    bare: bool = False,
    arguments: Sequence[str] = (),
) -> AsyncIterator[Stand]:
    """Make a stand: a repository that holds `files`, a cluster that has served requests before, a ready operator.

    A `bare` operator keeps its records in memory alone; `arguments` are more of `sluice run`.
    """
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="sluice-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        git = stack.enter_context(TimedGitServer(folder / "git"))
        git.create("fleet")
        repo = WorkingRepo(folder / "work", git.url("fleet"))
        repo.commit(files, "start")
        options = ClusterOptions(audit=audit, fairness=False)
        async with running_cluster(options) as cluster, RawApi(cluster) as api:
            await prepare(cluster, api)
            launch = _launch(name, cluster, folder, tracing or Tracing(), bare=bare, more=arguments)
            operator = await launch.start()
            log = AuditLog(cluster.audit_log) if cluster.audit_log else None
            with PeakMemory(operator.pid) as peak:
                made = Stand(cluster, api, git, repo, folder, operator, launch, peak, log)
                stack.callback(lambda: _end(made.operator))
                await made.quiet()
                made.cpu()
                try:
                    yield made
                except Exception:
                    print((folder / "operator.log").read_text(errors="replace")[-4000:], file=sys.stderr)
                    raise
                finally:
                    await asyncio.to_thread(_end, made.operator, traced=tracing is not None and tracing.memory)


async def prepare(cluster: Cluster, api: RawApi) -> None:
    """Our CRDs and namespace, and an API server that has served every kind of request before."""
    crds = [str(file) for file in sorted((ROOT / "deploy" / "crds").glob("*.yaml"))]
    arguments = [argument for file in crds for argument in ("-f", file)]
    await asyncio.to_thread(cluster.kubectl, "apply", "--server-side", *arguments)
    await asyncio.to_thread(cluster.kubectl, "wait", "--for=condition=Established", "crd", "--all")
    await asyncio.to_thread(cluster.kubectl, "create", "namespace", "flux-system")
    # The first requests of each kind cost the API server more: they are nobody's figure.
    await api.apply_all(mixed("warm-up")[:1] + mixed("warm-up")[500:])


def _launch(name: str, cluster: Cluster, folder: Path, tracing: Tracing, *, bare: bool, more: Sequence[str]) -> Launch:
    address = f"127.0.0.1:{free_port()}"
    own = [*tracing.arguments(name), *(["--bare"] if bare else [])]
    command = [sys.executable, "-m", *(["bench.operator_process"] if own else ["sluice", "run"]), *own]
    command += [f"--kubeconfig={cluster.kubeconfig}", f"--storage-path={folder / 'data'}", f"--health-addr={address}"]
    command += ["--git-allow-loopback=true", "--runtime-namespace=flux-system"]
    command += [] if own else ["--identity=bench"]
    command += more
    return Launch(tuple(command), address, folder / "operator.log")


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def free_port() -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes], *, traced: bool = False) -> None:
    if traced and process.poll() is None:
        process.send_signal(signal.SIGUSR1)
        time.sleep(SNAPSHOT_SECONDS)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
