"""Things between client and server that a test can break: a TCP relay, an HTTP proxy, a canned server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from aiohttp import web

from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess


@dataclass
class Relay:
    """Forwards TCP to `target`, and can cut what it carries."""

    target: tuple[str, int]
    port: int = 0
    accepted: int = 0
    silent: bool = False
    refuse: bool = False
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: asyncio.TaskGroup | None = None

    def cut(self) -> None:
        """Reset every connection."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refuse:
            writer.transport.abort()
            return
        out_reader, out_writer = await asyncio.open_connection(*self.target)
        self.writers += [writer, out_writer]
        async with asyncio.TaskGroup() as group:
            group.create_task(self.pump(reader, out_writer))
            group.create_task(self.pump(out_reader, writer))

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if not self.silent:
                    writer.write(chunk)
                    await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def relay_to(server: str) -> AsyncIterator[Relay]:
    """A relay in front of `https://host:port`."""
    url = urlsplit(server)
    assert url.hostname is not None
    assert url.port is not None
    relay = Relay((url.hostname, url.port))
    listener = await asyncio.start_server(relay.handle, "127.0.0.1", 0)
    relay.port = listener.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        listener.close()
        relay.cut()
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def through_relay(access: ClusterAccess) -> AsyncIterator[tuple[Relay, KubeClient]]:
    """A relay in front of the API server of `access`, and a client that goes through it."""
    async with (
        relay_to(access.server) as relay,
        KubeClient(replace(access, server=f"https://127.0.0.1:{relay.port}")) as client,
    ):
        yield relay, client


@contextlib.asynccontextmanager
async def connect_proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP proxy that knows CONNECT only: its URL, and the targets asked of it so far."""
    asked: list[str] = []
    relays: list[Relay] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split("\r\n")[0].split(" ")
        assert method == "CONNECT"
        asked.append(target)
        host, _, port = target.rpartition(":")
        relay = Relay((host, int(port)))
        relays.append(relay)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await relay.handle(reader, writer)

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", asked
    finally:
        listener.close()
        for relay in relays:
            relay.cut()
        await asyncio.sleep(0.01)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def canned(handler: Handler) -> AsyncIterator[str]:
    """A plain http server that answers what `handler` says: for faults that no healthy API server makes on demand."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
