"""A node whose kubelet is only its log endpoint: simulated nodes keep no logs, and the API server asks a kubelet.

`GET /containerLogs/{namespace}/{pod}/{container}` with `tailLines`, `previous` and `follow`, over TLS, as the kubelet
serves it to the API server.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from tests.git_servers import make_authority
from tests.operator_fixture import Api, poll


class KubeletLogs:
    """Register the node with `with`; `lines` is what each container has said, by (namespace, pod, container)."""

    def __init__(self, api: Api, folder: Path, name: str) -> None:
        self.api = api
        self.name = name
        self.lines: dict[tuple[str, str, str], list[str]] = {}
        self.asked: list[str] = []
        self._tls = make_authority(folder).server_context()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self._stopping = False

    async def _serve(self) -> int:
        app = web.Application()
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        key = (request.match_info["namespace"], request.match_info["pod"], request.match_info["container"])
        said = self.lines.setdefault(key, [])
        tail = int(request.query.get("tailLines", "0"))
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        told = max(0, len(said) - tail) if tail else 0
        while True:
            for line in said[told:]:
                await answer.write(f"{line}\n".encode())
            told = len(said)
            if request.query.get("follow") != "true" or self._stopping:
                return answer
            await asyncio.sleep(0.05)

    def pod(self, namespace: str, name: str, containers: dict[str, list[str]], **labels: str) -> None:
        """A pod on this node, and what its containers have said."""
        spec = {"nodeName": self.name, "containers": [{"name": c, "image": "app:1"} for c in containers]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
        self.api.create(f"/api/v1/namespaces/{namespace}/pods", body)
        for container, lines in containers.items():
            self.lines[namespace, name, container] = lines

    def __enter__(self) -> Self:
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        node: dict[str, Any] = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name}}
        node["spec"] = {"unschedulable": True}
        self.api.create("/api/v1/nodes", node)
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        path = f"/api/v1/nodes/{self.name}"
        # Simulated nodes are given a status once: ours comes after that.
        poll("the node has its status", lambda: (self.api.get(path) or {}).get("status", {}).get("phase") == "Running")
        self.api.patch(f"{path}/status", {"status": status})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.delete(f"/api/v1/nodes/{self.name}")

        self._stopping = True

        async def stop() -> None:
            if self._runner is not None:
                await self._runner.shutdown()
                await asyncio.wait_for(self._runner.cleanup(), 10)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
