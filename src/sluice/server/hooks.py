"""POST /hook/…: a git host or a registry says that there is something new. All that it can do is make us look.

Whoever reaches the port may call: the path is looked up first, then method, size and time are bounded, and the body
is read as what it claims to be only after its signature was checked. Answers are those of Flux's receivers.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from aiohttp import web

from sluice.core.problem import Problem, summarize
from sluice.core.webhook import MAX_BODY, Call, Refused, Told, check_call, counts
from sluice.reconcilers.receivers import OpenReceiver, Receivers
from sluice.server.front_door import FrontDoor, serving_strangers

READ_SECONDS = 10.0
# A delivery that comes again within this time is one that somebody repeats, or a host that is not sure of our answer.
REMEMBERED_SECONDS = 300.0
REMEMBERED = 10_000
log = structlog.get_logger()
Ask = Callable[[OpenReceiver, Any], Awaitable[tuple[Problem, ...]]]


class Hooks:
    """The calls to all receivers. Nothing is answered before `ask` is there: then this process leads."""

    def __init__(self, receivers: Receivers, clock: Callable[[], float] = time.monotonic) -> None:
        self.ask: Ask | None = None
        self.receivers = receivers
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()

    @asynccontextmanager
    async def serving(self, address: str, door: FrontDoor | None = None) -> AsyncIterator[None]:
        """Answer at that address while inside; at an empty one, nowhere. Raises OSError when it can't be bound."""
        door = door or FrontDoor()
        app = web.Application(client_max_size=MAX_BODY, middlewares=[door.middleware])
        app.add_routes([web.post("/hook/{digest}", self._post)])
        async with serving_strangers(address, app, door):
            yield

    async def _post(self, request: web.Request) -> web.Response:
        if self.ask is None:
            return _answer(503, "starting")
        path = request.path
        receiver = self.receivers.get(path)
        if receiver is None:
            return _answer(404, "not found")
        if receiver.suspended:
            return _answer(503, "suspended")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            return _answer(415, "compressed bodies are not accepted")
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await request.read()
        except TimeoutError:
            return _answer(408, "too slow")
        headers = {name.lower(): tuple(request.headers.getall(name)) for name in request.headers}
        try:
            told, content = _accept(receiver, Call(headers, body))
        except Refused as why:
            log.warning("call refused", receiver=str(receiver.item.metadata.key), why=str(why))
            return _answer(400, "refused")
        return await self._act(self.ask, receiver, path, told, content)

    async def _act(self, ask: Ask, receiver: OpenReceiver, path: str, told: Told, content: Any) -> web.Response:
        if told.ping:
            return _answer(200, "pong")
        if not self._is_new(path, told.delivery):
            return _answer(200, "repeated")
        problems = await ask(receiver, content)
        if not problems:
            return _answer(200, "")
        self._seen.pop((path, told.delivery), None)
        log.warning("not all could be asked", receiver=str(receiver.item.metadata.key), error=summarize(problems))
        return _answer(500, "not everything that the receiver names could be asked to look")

    def _is_new(self, path: str, delivery: str) -> bool:
        if not delivery:
            return True
        now, key = self._clock(), (path, delivery)
        before = self._seen.get(key)
        if before is not None and now - before < REMEMBERED_SECONDS:
            return False
        self._seen[key] = now
        self._seen.move_to_end(key)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True


def _accept(receiver: OpenReceiver, call: Call) -> tuple[Told, Any]:
    """What the call says, and its body where a filter looks into it. Raises Refused."""
    told = check_call(receiver.item.spec.type, receiver.token, call)
    if not told.ping and not counts(receiver.item.spec.events, told):
        raise Refused("the event is none of spec.events")
    return told, call.json() if receiver.needs_body and not told.ping else None


def _answer(status: int, text: str) -> web.Response:
    answer = web.Response(status=status, text=f"{text}\n" if text else "")
    answer.force_close()  # callers are many and come seldom: none of them may keep a connection
    return answer
