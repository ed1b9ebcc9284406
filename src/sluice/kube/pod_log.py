"""The log of one container, line by line, as the API server relays it from the kubelet."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sluice.kube.errors import Asked
from sluice.kube.transport import Call, Channel
from sluice.kube.well_known import PODS

if TYPE_CHECKING:
    import aiohttp

# What is longer is cut: a program that never ends its line must not fill this one's memory.
MAX_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogRequest:
    """Which log, and what of it. 0 seconds and 0 lines mean all that the node has kept."""

    namespace: str
    pod: str
    container: str = ""
    seconds: int = 0
    tail: int = 0
    follow: bool = False
    previous: bool = False

    def query(self) -> str:
        """The query of the request."""
        parts = {
            "container": self.container,
            "sinceSeconds": self.seconds or "",
            "tailLines": self.tail or "",
            "follow": "true" if self.follow else "",
            "previous": "true" if self.previous else "",
        }
        return urlencode({key: value for key, value in parts.items() if value})


async def log_lines(channel: Channel, server: str, request: LogRequest) -> AsyncGenerator[str, None]:
    """Each line without its end, until the log ends (never, with `follow`). Raises ClusterError."""
    path = PODS.object_path(request.namespace, request.pod, "log")
    asked = Asked(server, PODS.id_of(request.namespace, request.pod), "read the log of")
    call = Call("GET", path, request.query(), headers={"Accept": "*/*"})
    async with channel.stream(call, asked) as body:
        async for line in _split(body):
            yield line.decode("utf-8", "replace")


async def _split(body: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    rest = b""
    async for chunk in body.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line[:MAX_LINE]
        rest = rest[:MAX_LINE]
    if rest:
        yield rest
