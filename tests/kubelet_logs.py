"""A node whose kubelet is only its log endpoint: simulated nodes keep no logs, and the API server asks a kubelet.

`GET /containerLogs/{namespace}/{pod}/{container}` with `tailLines` and `follow`, over TLS, as the kubelet serves it to
the API server.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.git_servers import make_authority
from tests.operator_fixture import Api


class KubeletLogs:
    """Register the node with `with`; `lines` is what each container has said, by (namespace, pod, container)."""

    def __init__(self, api: Api, folder: Path, name: str) -> None:
        self.api = api
        self.name = name
        self.lines: dict[tuple[str, ...], list[str]] = {}
        self.asked: list[str] = []
        self.stopping = threading.Event()
        self._server = _Server(self)
        self._server.socket = make_authority(folder).server_context().wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def pod(self, namespace: str, name: str, containers: dict[str, list[str]], **labels: str) -> None:
        """A pod on this node, and what its containers have said."""
        spec = {"nodeName": self.name, "containers": [{"name": c, "image": "app:1"} for c in containers]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
        self.api.create(f"/api/v1/namespaces/{namespace}/pods", body)
        for container, lines in containers.items():
            self.lines[namespace, name, container] = lines

    def __enter__(self) -> Self:
        self._thread.start()
        # Registered with its status, as a kubelet does: a node that is Ready is given none by the simulation.
        status = {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_address[1]}},
        }
        node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}, "status": status}
        self.api.create("/api/v1/nodes", {**node, "spec": {"unschedulable": True}})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.delete(f"/api/v1/nodes/{self.name}")
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()  # waits for what is being told
        self._thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, logs: KubeletLogs) -> None:
        self.logs = logs
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Tell what the container has said, and with `follow` what it says from then on."""
        logs, address = self.server.logs, urlsplit(self.path)
        query = parse_qs(address.query)
        logs.asked.append(self.path)
        said = logs.lines.get(tuple(address.path.split("/")[2:]), [])
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        tail = int(query.get("tailLines", ["0"])[0])
        told = max(0, len(said) - tail) if tail else 0
        try:
            while True:
                news = said[told:]
                self.wfile.write("".join(f"{line}\n" for line in news).encode())
                told += len(news)  # the test may have added more meanwhile
                if query.get("follow") != ["true"] or logs.stopping.wait(0.05):
                    return
        except OSError:
            return  # the reader has left

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's own name
        """Say nothing."""
