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
from typing import Any, TypeAlias

import structlog
from aiohttp import web

from sluice.api.validate_receiver import OIDC
from sluice.core.caller_token import PROVED_BY_TOKEN, bearer_of, check_claims, rule_of
from sluice.core.errors import SluiceError
from sluice.core.problem import Problem, summarize
from sluice.core.webhook import MAX_BODY, Call, Refused, Told, check_call, content_of, counts
from sluice.notify.issuers import Issuers
from sluice.reconcilers.receiver_calls import Said
from sluice.reconcilers.receivers import OpenReceiver, Receivers
from sluice.server.front_door import FrontDoor, serving_strangers

READ_SECONDS = 10.0
# A delivery that comes again within this time is one that somebody repeats, or a host that is not sure of our answer.
REMEMBERED_SECONDS = 300.0
REMEMBERED = 10_000
log = structlog.get_logger()
Ask: TypeAlias = Callable[[OpenReceiver, Said], Awaitable[tuple[Problem, ...]]]


class Hooks:
    """The calls to all receivers. Nothing is answered before `ask` is there: then this process leads."""

    def __init__(
        self,
        receivers: Receivers,
        issuers: Issuers,
        *,
        clock: Callable[[], float] = time.monotonic,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.ask: Ask | None = None
        self.receivers = receivers
        self._issuers = issuers
        self._clock = clock
        self._read_seconds = read_seconds
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
            async with asyncio.timeout(self._read_seconds):
                body = await request.read()
        except TimeoutError:
            return _answer(408, "too slow")
        headers = {name.lower(): tuple(request.headers.getall(name)) for name in request.headers}
        call = Call(headers, body)
        try:
            claims = await self._claims(receiver, call)
            told, said = _accept(receiver, call, claims)
        except Refused as why:
            log.warning("call refused", receiver=str(receiver.item.metadata.key), why=str(why))
            return _answer(400, "refused")
        except SluiceError as error:
            log.warning("call not judged", receiver=str(receiver.item.metadata.key), error=str(error))
            return _answer(503, "the caller can't be told from others now")
        return await self._act(self.ask, receiver, path, told, said)

    async def _claims(self, receiver: OpenReceiver, call: Call) -> dict[str, Any] | None:
        """What a caller's token says of it, None where tokens prove nobody. Raises Refused; RemoteError."""
        if receiver.item.spec.type not in PROVED_BY_TOKEN:
            return None
        from sluice.notify.id_token import TokenRefused, issuer_of  # slow to import, and few receivers need it

        token = bearer_of(call)
        try:
            rule = rule_of(receiver.callers, issuer_of(token))
            claims = await self._issuers.claims(token, rule.issuer, rule.audience)
        except TokenRefused as why:
            raise Refused(str(why)) from None
        check_claims(rule, claims)
        return claims

    async def _act(self, ask: Ask, receiver: OpenReceiver, path: str, told: Told, said: Said) -> web.Response:
        if told.ping:
            return _answer(200, "pong")
        if not self._is_new(path, told.delivery):
            return _answer(200, "repeated")
        problems = await ask(receiver, said)
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


def _accept(receiver: OpenReceiver, call: Call, claims: dict[str, Any] | None) -> tuple[Told, Said]:
    """What the call says, and what filters see of it where there are any. Raises Refused."""
    spec = receiver.item.spec
    told = check_call(spec.type, receiver.token, call)
    if not told.ping and not counts(spec.events, told):
        raise Refused("the event is none of spec.events")
    if told.ping or not receiver.needs_body:
        return told, {}
    seen = {"req": content_of(spec.type, call)}
    return told, seen if claims is None or spec.type != OIDC else {**seen, "claims": claims}


def _answer(status: int, text: str) -> web.Response:
    answer = web.Response(status=status, text=f"{text}\n" if text else "")
    answer.force_close()  # callers are many and come seldom: none of them may keep a connection
    return answer
