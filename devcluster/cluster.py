"""A running control plane: what a client needs to reach it, and how it begins and ends.

`Cluster.start` makes a private cluster that ends with this process; `Cluster.up` one that stays until `down`. Either
returns only when the cluster is of use: the API server ready, the default service account there, the nodes Ready and
free of taints. Calls block for 3 to 5 seconds; asyncio code uses `running_cluster`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devcluster.api import ApiClient
from devcluster.binary import ensure_binary
from devcluster.boot import Boot, reserve_port
from devcluster.components import ClusterOptions
from devcluster.directory import COMPLETE, PrivateDirectory, discard, hold_name, is_complete
from devcluster.errors import DevclusterError
from devcluster.layout import credentials_in, log_path, write_configuration
from devcluster.process import Lifeline, processes_in


class Cluster:
    """A control plane. `kubeconfig` is the admin's; `server`, `ca` and `admin` say the same piece by piece.

    `audit_log` is None unless `ClusterOptions.audit` was set. `api` sends single requests as the admin.
    """

    def __init__(self, directory: Path, port: int, options: ClusterOptions) -> None:
        credentials = credentials_in(directory)
        self.directory = directory
        self.options = options
        self.server = f"https://127.0.0.1:{port}"
        self.ca = credentials.ca
        self.admin = credentials.admin
        self.kubeconfig = directory / "kubeconfig"
        self.audit_log = directory / "audit.log" if options.audit else None
        self.api = ApiClient(self.server, self.ca, self.admin)
        self._port = port
        self._boot: Boot | None = None
        self._owned = ExitStack()

    @classmethod
    def start(cls, options: ClusterOptions | None = None) -> Cluster:
        """Boot a cluster that belongs to this process and ends with it, however that ends.

        Raises `DevclusterError` when the binary can't be built or a component does not come up; nothing stays behind.
        """
        options = options or ClusterOptions()
        binary = ensure_binary()
        with ExitStack() as undo:
            private = PrivateDirectory.create()
            undo.callback(private.remove)
            lifeline = Lifeline()
            undo.callback(lifeline.close)
            # Held until the cluster stops, so that a restarted API server finds its port.
            port = int(undo.enter_context(reserve_port()).getsockname()[1])
            boot = Boot(binary, private.path, write_configuration(private.path, port, options), options, lifeline)
            undo.callback(boot.kill)
            cluster = cls(private.path, port, options)
            boot.run(port, cluster.api)
            cluster._boot = boot
            cluster._owned = undo.pop_all()
        return cluster

    @classmethod
    def up(cls, name: str, options: ClusterOptions | None = None, notify: Callable[[str], None] = print) -> Cluster:
        """Return the named cluster, booting it unless it runs already; it stays until `down`.

        What a crash left under that name (processes, a half-made directory) is removed first. `options` count only
        for a new cluster. Raises as `start` does.
        """
        with hold_name(name) as directory:
            existing = cls._existing(directory)
            if existing is not None and not existing.missing():
                notify(f"cluster {name} is already up")
                return existing
            if directory.exists():
                notify(f"removing what an earlier cluster {name} left behind")
                discard(directory)
            return cls._up(directory, options or ClusterOptions(), notify)

    @classmethod
    def _up(cls, directory: Path, options: ClusterOptions, notify: Callable[[str], None]) -> Cluster:
        binary = ensure_binary(notify)
        directory.mkdir(mode=0o700)
        try:
            with reserve_port() as reservation:
                port = int(reservation.getsockname()[1])
                credentials = write_configuration(directory, port, options)
                cluster = cls(directory, port, options)
                boot = Boot(binary, directory, credentials, options, None)
                boot.run(port, cluster.api)
            (directory / COMPLETE).write_text(json.dumps({"port": port, "options": asdict(options)}))
        except BaseException:
            discard(directory)
            raise
        boot.detach()
        return cluster

    @classmethod
    def find(cls, name: str) -> Cluster | None:
        """Return the named cluster if it was ever up; `missing()` tells whether it still runs."""
        with hold_name(name) as directory:
            return cls._existing(directory)

    @staticmethod
    def down(name: str) -> bool:
        """End the named cluster and delete its data; tell whether there was anything."""
        with hold_name(name) as directory:
            there = directory.exists()
            discard(directory)
            return there

    @classmethod
    def _existing(cls, directory: Path) -> Cluster | None:
        if not is_complete(directory):
            return None
        try:
            record: dict[str, Any] = json.loads((directory / COMPLETE).read_text())
            return cls(directory, record["port"], ClusterOptions.from_record(record["options"]))
        except (ValueError, TypeError, KeyError):
            # Written by another version of this package: of no use to this one, and `up` will clear it away.
            return None

    def stop(self) -> None:
        """End a private cluster and delete its directory; a second call does nothing, nor does one on a named one."""
        self._owned.close()
        self._boot = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def pid(self, component: str) -> int:
        """Return a component's process id, for a test that stops or kills it. Raises `KeyError` when it is gone."""
        return {found.component: found.pid for found in processes_in(self.directory)}[component]

    def missing(self) -> tuple[str, ...]:
        """Return the components that should run and don't."""
        running = {found.component for found in processes_in(self.directory)}
        return tuple(component for component in self.options.components if component not in running)

    def restart(self, component: str) -> None:
        """Kill a component of a private cluster and start it again at the same address; return when it is of use."""
        if self._boot is None:
            raise DevclusterError(
                f"{component} can't be restarted", "this process did not start the cluster", "take it down and up again"
            )
        self._boot.restart(component, self._port, self.api)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run the real kubectl as the admin and return what it prints.

        Raises `DevclusterError` with kubectl's own words when `check` is set and it fails.
        """
        outcome = subprocess.run(
            [str(kubectl_path()), *arguments],
            env={"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.directory), "PATH": "/usr/bin:/bin"},
            input=stdin or "",
            capture_output=True,
            text=True,
            check=False,
        )
        if check and outcome.returncode != 0:
            what = f"kubectl {' '.join(arguments)} failed"
            raise DevclusterError(what, outcome.stderr.strip(), "see kubectl's message")
        return outcome.stdout

    def log(self, component: str) -> str:
        """Return what a component has logged so far."""
        return log_path(self.directory, component).read_text(errors="replace")


@asynccontextmanager
async def running_cluster(options: ClusterOptions | None = None) -> AsyncIterator[Cluster]:
    """Boot a private cluster off the event loop, and stop it at the end of the block."""
    starting = asyncio.get_running_loop().run_in_executor(None, Cluster.start, options)
    try:
        cluster = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # A thread can't be cancelled: what it is making must be waited for, or nobody would stop it.
        (await starting).stop()
        raise
    try:
        yield cluster
    finally:
        await asyncio.to_thread(cluster.stop)


def kubectl_path() -> Path:
    """Return kubectl's own executable, as its wheel installed it beside this interpreter."""
    return Path(sysconfig.get_path("scripts")) / "kubectl"
