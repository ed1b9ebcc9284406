"""The API server with nothing of Sluice in between: the limit that figures are held against, and the onlooker.

One asyncio client, 16 requests in flight, bodies ready before the clock starts.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp

from bench.objects import Body
from devcluster import Cluster

IN_FLIGHT = 16
PATIENCE = 120.0
Seen = Callable[[dict[str, Any]], bool]


class RawApi:
    """Requests as the cluster's administrator, under the user agent `bench`. Open it with `async with`."""

    def __init__(self, cluster: Cluster) -> None:
        self._server = cluster.server
        self._ssl = ssl.create_default_context(cafile=str(cluster.ca))
        self._ssl.load_cert_chain(cluster.admin.certificate, cluster.admin.key)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._ssl, limit=0)
        headers = {"User-Agent": "bench", "Accept-Encoding": "identity"}
        self._session = aiohttp.ClientSession(self._server, connector=connector, headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def apply(self, path: str, body: bytes, *, dry_run: bool = False) -> None:
        """Apply one object server-side. Raises RuntimeError with the server's words when it refuses."""
        query = "fieldManager=bench&force=true&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
        await self._send("PATCH", f"{path}?{query}", body, "application/apply-patch+yaml")

    async def check_and_apply(self, body: Body) -> float:
        """Dry-run, then apply one object; returns the seconds both took."""
        text = body.json
        began = time.monotonic()
        await self.apply(body.path, text, dry_run=True)
        await self.apply(body.path, text)
        return time.monotonic() - began

    async def patch(self, path: str, change: dict[str, Any]) -> None:
        """Merge `change` into one object."""
        await self._send("PATCH", path, json.dumps(change).encode(), "application/merge-patch+json")

    async def get(self, path: str) -> dict[str, Any]:
        """Read one object or list."""
        found: dict[str, Any] = json.loads(await self._send("GET", path, None, ""))
        return found

    async def _send(self, method: str, path: str, body: bytes | None, content_type: str) -> bytes:
        assert self._session is not None
        headers = {"Content-Type": content_type} if content_type else {}
        async with self._session.request(method, path, data=body, headers=headers) as response:
            text = await response.read()
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {text.decode(errors='replace')[:500]}")
            return text

    async def apply_all(self, bodies: Sequence[Body], in_flight: int = IN_FLIGHT) -> float:
        """Apply the first, then all others with `in_flight` requests at once; returns the seconds it took."""
        ready = [(body.path, body.json) for body in bodies]
        began = time.monotonic()
        await self.apply(*ready[0])
        rest = iter(ready[1:])

        async def work() -> None:
            for path, body in rest:
                await self.apply(path, body)

        async with asyncio.TaskGroup() as group:
            for _ in range(in_flight):
                group.create_task(work())
        return time.monotonic() - began

    async def first(self, path: str, seen: Seen) -> float:
        """Watch the collection at `path`; returns when (monotonic) an object came by of which `seen` is true."""
        async with asyncio.timeout(PATIENCE):
            async for item in self.events(path):
                if seen(item):
                    return time.monotonic()
        raise AssertionError("unreachable")

    async def events(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """Every object of a collection, and again whenever it changes. Deletions are left out; never ends.

        The API server drops an onlooker that does not keep up: the watch is opened anew, with all objects first.
        """
        assert self._session is not None
        endless = aiohttp.ClientTimeout(total=None)
        while True:
            async with self._session.get(f"{path}?watch=1&timeoutSeconds=3600", timeout=endless) as response:
                async for line in _lines(response):
                    event = json.loads(line)
                    if event["type"] in {"ADDED", "MODIFIED"}:
                        yield event["object"]


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of an answer, however long: an object with thousands of inventory entries is one of them."""
    rest: list[bytes] = []
    async for chunk in response.content.iter_any():
        first, *others = chunk.split(b"\n")
        rest.append(first)
        for other in others:
            yield b"".join(rest)
            rest = [other]
