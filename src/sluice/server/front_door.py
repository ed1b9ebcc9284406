"""A listening address that strangers can reach: so many connections, so many an address, and no waiting for a head.

aiohttp bounds a request's size and the handler its body's time; nobody bounds the time until a request's head is
there, nor how many wait. Here each connection has a timer until its first request is handled.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import web

HEAD_SECONDS = 10.0
MAX_CONNECTIONS = 512
MAX_AN_ADDRESS = 256


class FrontDoor:
    """Counts the connections of one address, and knows which of them still owe a request."""

    def __init__(self, seconds: float = HEAD_SECONDS, most: int = MAX_CONNECTIONS, each: int = MAX_AN_ADDRESS) -> None:
        self._seconds = seconds
        self._most = most
        self._each = each
        self._addresses: Counter[str] = Counter()
        self._timers: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}

    def enter(self, transport: asyncio.Transport) -> bool:
        """Whether the connection may stay; its timer runs from now on."""
        address = _address(transport)
        if self._addresses.total() >= self._most or self._addresses[address] >= self._each:
            return False
        self._addresses[address] += 1
        self._timers[transport] = asyncio.get_running_loop().call_later(self._seconds, transport.abort)
        return True

    def served(self, transport: asyncio.BaseTransport | None) -> None:
        """The connection's request is being handled: what follows has time limits of its own."""
        timer = self._timers.get(transport) if transport is not None else None
        if timer is not None:
            timer.cancel()

    def leave(self, transport: asyncio.Transport) -> None:
        """The connection has ended."""
        timer = self._timers.pop(transport, None)
        if timer is None:
            return
        timer.cancel()
        address = _address(transport)
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Part of every application behind the door."""
        self.served(request.transport)
        return await handler(request)


class _Guarded(asyncio.Protocol):
    """A connection: everything is passed on to aiohttp's own protocol, once it is let in."""

    def __init__(self, door: FrontDoor, inner: asyncio.Protocol) -> None:
        self._door = door
        self._inner = inner
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        connection = cast("asyncio.Transport", transport)
        if not self._door.enter(connection):
            connection.abort()
            return
        self._transport = connection
        self._inner.connection_made(connection)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._door.leave(self._transport)
            self._inner.connection_lost(exc)


@asynccontextmanager
async def serving_strangers(address: str, app: web.Application, door: FrontDoor) -> AsyncIterator[None]:
    """Serve `app`, which has the door's middleware, while inside; on an empty address, nowhere.

    Raises OSError when it can't be bound.
    """
    if not address:
        yield
        return
    runner = web.AppRunner(app, access_log=None, auto_decompress=False)
    await runner.setup()
    make = runner.server
    assert make is not None  # noqa: S101 - setup has made it
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Guarded(door, make()), host.strip("[]") or None, int(port))
    try:
        yield
    finally:
        server.close()
        await runner.cleanup()


def _address(transport: asyncio.BaseTransport) -> str:
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""
