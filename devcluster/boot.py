"""Starts a cluster's components in the order in which they need each other, and waits until the whole is of use.

The API server's certificates, roles and built-in objects take most of the time, so whatever can stand waiting for it
(the scheduler, kwok) is started as soon as it answers; the controller manager asks once a second only, and is started
when it is ready.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from devcluster.api import ApiClient
from devcluster.components import API_SERVER, CONTROLLER_MANAGER, ETCD, KWOK, ClusterOptions, Credentials, command_line
from devcluster.errors import DevclusterError
from devcluster.layout import log_path, write_stages
from devcluster.process import Lifeline, spawn

BOOT_TIMEOUT = 60.0
_POLL_INTERVAL = 0.03


def reserve_port() -> socket.socket:
    """Return a bound, never listening socket: its loopback port is given to nobody else while it is open.

    The API server binds the same port beside it (`SO_REUSEPORT`), so there is no moment at which the port is free.
    """
    reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation


class Boot:
    """The processes of one cluster that this process started."""

    def __init__(
        self,
        binary: Path,
        directory: Path,
        credentials: Credentials,
        options: ClusterOptions,
        lifeline: Lifeline | None,
    ) -> None:
        self._binary = binary
        self._directory = directory
        self._credentials = credentials
        self._options = options
        self._lifeline = lifeline
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._deadline = 0.0

    def run(self, port: int, api: ApiClient) -> None:
        """Start everything; return when the API server, the default service account and the nodes are ready.

        Raises `DevclusterError` when a component ends or something is not there after `BOOT_TIMEOUT` seconds.
        """
        self._deadline = time.monotonic() + BOOT_TIMEOUT
        wanted = self._options.components
        self._spawn(port, ETCD, API_SERVER)
        if KWOK in wanted:
            write_stages(self._directory, self._binary)
        self._wait("the API server to answer", lambda: _status(api, "/livez") != 0)
        self._spawn(port, *(c for c in wanted if c not in {ETCD, API_SERVER, CONTROLLER_MANAGER}))
        self._wait("the API server to be ready", lambda: _status(api, "/readyz") == 200)
        for number in range(self._options.nodes):
            _create(api, "/api/v1/nodes", _node(f"node-{number}"))
        if KWOK in wanted:
            self._wait("the simulated nodes to be ready", lambda: self._nodes_are(_is_ready, api))
        if CONTROLLER_MANAGER in wanted:
            # Only now: nodes that are ready in its first pass lose their taints at once, others a period later.
            self._spawn(port, CONTROLLER_MANAGER)
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            self._wait("the default service account", lambda: _status(api, account) == 200)
        if CONTROLLER_MANAGER in wanted and KWOK in wanted:
            self._wait("the simulated nodes to take pods", lambda: self._nodes_are(_takes_pods, api))

    def restart(self, component: str, port: int, api: ApiClient) -> None:
        """Kill a component and start it again; return when the API server is ready (again). Raises as `run` does."""
        self._deadline = time.monotonic() + BOOT_TIMEOUT
        process = self._processes.pop(component)
        process.kill()
        process.wait()
        self._spawn(port, component)
        self._wait("the API server to be ready", lambda: _status(api, "/readyz") == 200)

    def kill(self) -> None:
        """End all that was started, at once: what a private cluster holds is not worth a goodbye."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        self._processes.clear()

    def detach(self) -> None:
        """Forget the processes: from here they belong to the cluster's directory."""
        for process in self._processes.values():
            # Else Popen warns, when collected, of a child that it takes for forgotten.
            process.returncode = 0
        self._processes.clear()

    def _spawn(self, port: int, *components: str) -> None:
        for component in components:
            arguments = command_line(component, self._directory, port, self._credentials, self._options)
            command = [str(self._binary), *arguments]
            log = log_path(self._directory, component)
            self._processes[component] = spawn(command, self._directory, log, self._lifeline)

    def _wait(self, what: str, done: Callable[[], bool]) -> None:
        while not done():
            self._check_alive()
            if time.monotonic() > self._deadline:
                raise DevclusterError(
                    f"The cluster waited {BOOT_TIMEOUT:.0f} s for {what}",
                    self._last_words(API_SERVER),
                    "free some of the machine's processors or memory and try again",
                )
            time.sleep(_POLL_INTERVAL)

    def _check_alive(self) -> None:
        for component, process in self._processes.items():
            if process.poll() is not None:
                raise DevclusterError(
                    f"{component} ended while the cluster started (exit code {process.returncode})",
                    self._last_words(component),
                    "if the message names a flag, correct ClusterOptions.api_server_flags; else report it",
                )

    def _last_words(self, component: str) -> str:
        lines = log_path(self._directory, component).read_text(errors="replace").strip().splitlines()
        return "\n         ".join(lines[-5:]) or f"{component} logged nothing"

    def _nodes_are(self, what: Callable[[dict[str, Any]], bool], api: ApiClient) -> bool:
        listed = api.get("/api/v1/nodes")
        return listed is not None and sum(map(what, listed["items"])) >= self._options.nodes


def _status(api: ApiClient, path: str) -> int:
    """Return the HTTP status of a GET; 0 when nobody answers."""
    try:
        return api.request("GET", path)[0]
    except OSError:
        return 0


def _create(api: ApiClient, path: str, body: dict[str, Any]) -> None:
    status, answer = api.request("POST", path, body)
    if status != 201:
        raise DevclusterError(f"The API server refused to create an object at {path}", answer, "report it")


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _takes_pods(node: dict[str, Any]) -> bool:
    return not node["spec"].get("taints")


def _node(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    annotations = {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}
