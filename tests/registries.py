"""Fixtures of tests that talk to registries: clients that may reach this machine, a cache, and a hostile registry.

The real registry is the fixture `registry` of the devcluster. What a real one would never do, `HostileRegistry` does: a
web server whose answers a test writes.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from aiohttp import web

from sluice.core.image import ImageRef, parse
from sluice.registry.keyring import Keyring, keyring_of_secret
from sluice.registry.limits import RegistryLimits, RegistryPolicy
from sluice.registry.registries import Registries
from sluice.registry.scanner import Scanner
from sluice.store.tag_cache import TagCache

LOOPBACK = RegistryPolicy(allow_loopback=True, insecure_hosts=frozenset({"127.0.0.1"}))
FAST = RegistryLimits(rate=100_000.0, burst=100_000)
START = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
async def registries() -> AsyncIterator[Registries]:
    """Clients that may reach this machine, without TLS, as fast as they can."""
    async with Registries(policy=LOOPBACK, limits=FAST) as opened:
        yield opened


@pytest.fixture
async def tag_cache(tmp_path: Path) -> AsyncIterator[TagCache]:
    """A cache in a file of its own."""
    async with TagCache(tmp_path / "tags.db") as opened:
        yield opened


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move it forward by `timedelta(**by)`."""
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    """The scanner's time."""
    return Clock()


@pytest.fixture
def scanner(registries: Registries, tag_cache: TagCache, clock: Clock) -> Scanner:
    """A scanner with a cache of its own and a time that stands still."""
    return Scanner(registries, tag_cache, clock)


@dataclass(frozen=True)
class Seen:
    """One request as the hostile registry got it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass
class Reply:
    """One answer. `body` may be JSON; `pause` waits so many seconds after each of its bytes (a slow body)."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0


Handler = Callable[[Seen], Reply | Awaitable[Reply]]


class HostileRegistry:
    """A web server on loopback that answers what `handler` says, and notes all that it was asked."""

    def __init__(
        self, handler: Handler | None = None, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.handler: Handler = handler or (lambda _: Reply(status=404))
        self.seen: list[Seen] = []
        self.host = ""
        self._tls = tls
        self._address = address
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Its address with the scheme."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def image(self, repository: str = "web") -> ImageRef:
        """The reference of an image there."""
        return parse(f"{self.host}/{repository}")

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, 0, ssl_context=self._tls).start()
        self.host = f"{self._address}:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, request.path_qs, dict(request.headers), await request.read())
        self.seen.append(seen)
        found = self.handler(seen)
        reply = found if isinstance(found, Reply) else await found
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        if not reply.pause:
            return web.Response(status=reply.status, headers=reply.headers, body=body)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        await response.prepare(request)
        for byte in body:
            await response.write(bytes([byte]))
            await asyncio.sleep(reply.pause)
        return response


class ConnectProxy:
    """An http proxy that leads every CONNECT to one server, whatever host was asked for, and notes the hosts."""

    def __init__(self, server: HostileRegistry) -> None:
        self._port = int(server.host.rpartition(":")[2])
        self.asked: list[str] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode().split(" ", 2)
        self.asked.append(f"{method} {target}")
        up, down = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            group.create_task(_pipe(reader, down))
            group.create_task(_pipe(up, writer))


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
    target.close()


def login(host: str, user: str, password: str) -> Keyring:
    """A keyring with one login, as a Secret holds it."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    return keyring_of_secret({".dockerconfigjson": json.dumps({"auths": {host: {"auth": auth}}}).encode()})


def digest_of(content: bytes) -> str:
    """The sha256 digest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
