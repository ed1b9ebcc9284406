"""Strangers who hold connections: they are let go, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from sluice.server.front_door import FrontDoor, serving_strangers

HELLO = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def serving(door: FrontDoor) -> AsyncIterator[int]:
    async def hello(_: web.Request) -> web.Response:
        answer = web.Response(text="hello")
        answer.force_close()
        return answer

    app = web.Application(middlewares=[door.middleware])
    app.add_routes([web.get("/", hello)])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    async with serving_strangers(f"127.0.0.1:{port}", app, door):
        yield port


async def talk(port: int, *parts: bytes) -> bytes:
    """Send the parts and return all of the answer; nothing when the connection was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_head_that_never_ends_is_cut_and_others_are_served_meanwhile() -> None:
    async with serving(FrontDoor(seconds=1.0)) as port, asyncio.timeout(60), asyncio.TaskGroup() as group:
        slow = [group.create_task(talk(port, b"GET / HTTP/1.1\r\nX: ")) for _ in range(50)]
        assert (await talk(port, HELLO)).endswith(b"hello")
        assert [await each for each in slow] == [b""] * 50


async def test_one_address_has_so_many_connections_and_gets_them_back() -> None:
    door = FrontDoor(seconds=30, each=3)
    async with serving(door) as port, asyncio.timeout(60):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert await talk(port, HELLO) == b""
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        answer = b""
        while not answer.endswith(b"hello"):
            answer = await talk(port, HELLO)


async def test_all_addresses_together_have_so_many() -> None:
    async with serving(FrontDoor(seconds=30, most=1)) as port, asyncio.timeout(60):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await talk(port, HELLO) == b""
        writer.close()
