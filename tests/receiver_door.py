"""The address of receivers without a cluster behind it: calls over HTTP, and who would have been asked to look."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from sluice.api.kinds import ObjectMeta
from sluice.api.receiver import Receiver, ReceiverResource, ReceiverSpec
from sluice.core.caller_token import TokenRule
from sluice.core.cel import parse_cel
from sluice.core.egress import parse_egress
from sluice.core.problem import Problem
from sluice.notify.issuers import Issuers
from sluice.reconcilers.receiver_calls import Said
from sluice.reconcilers.receivers import OpenReceiver, Receivers, Target
from sluice.server.front_door import FrontDoor
from sluice.server.hooks import Hooks
from tests.operator_fixture import free_port
from tests.webhook_calls import TOKEN

LOOPBACK = ("127.0.0.0/8",)
SOURCE = ReceiverResource(kind="GitRepository", name="app")


@dataclass
class Door:
    """An open address. `asked` has an entry for each accepted call: the receiver's name and what a filter sees."""

    port: int
    receivers: Receivers
    asked: list[tuple[str, Said]] = field(default_factory=list)

    def open(self, type_: str, *, namespace: str = "apps", callers: tuple[TokenRule, ...] = ()) -> str:
        """Open a receiver of that type, with a filter; returns its path."""
        name = f"{type_}-{len(self.receivers.paths())}"
        spec = ReceiverSpec(type=type_, resources=(SOURCE,))
        item = Receiver(metadata=ObjectMeta(name=name, namespace=namespace), spec=spec)
        target = Target(SOURCE, (parse_cel("true", "res", "req"),))
        token = "" if type_ == "generic-oidc" else TOKEN
        return self.receivers.open(OpenReceiver(item, token, (target,), callers))

    async def post(self, path: str, body: bytes = b"{}", **headers: str) -> tuple[int, str]:
        """Call it; names of headers are given with `_` for `-`."""
        return await self.send("POST", path, body, {name.replace("_", "-"): text for name, text in headers.items()})

    async def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """One request; the status and text of its answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, f"http://127.0.0.1:{self.port}{path}", data=io.BytesIO(body), headers=headers
            ) as answer,
        ):
            return answer.status, await answer.text()

    async def raw(self, *parts: bytes) -> bytes:
        """Send bytes as they are; returns the first line of the answer, nothing when there was none."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            return (await reader.readline()).strip()
        except ConnectionError:
            return b""
        finally:
            writer.close()


@asynccontextmanager
async def open_door(*, egress: tuple[str, ...] = LOOPBACK, read_seconds: float = 5.0) -> AsyncIterator[Door]:
    """An address that answers while inside."""
    door = Door(free_port(), Receivers())

    async def ask(receiver: OpenReceiver, said: Said) -> tuple[Problem, ...]:
        door.asked.append((receiver.item.metadata.name, said))
        return ()

    hooks = Hooks(door.receivers, Issuers(parse_egress(egress), "sluice/test"), read_seconds=read_seconds)
    hooks.ask = ask
    async with hooks.serving(f"127.0.0.1:{door.port}", FrontDoor()):
        yield door


def head_of(path: str, **headers: Any) -> bytes:
    """The head of a POST, as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
