"""Spans → a collector, by OTLP/HTTP in JSON: in batches, from a bounded queue, and never in anybody's way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

import msgspec
import structlog

from sluice import __version__
from sluice.core.egress import parse_egress
from sluice.core.errors import SluiceError
from sluice.core.schedule import backoff
from sluice.core.span import Attribute, Span, otlp_of
from sluice.notify.message import Request
from sluice.notify.transport import Route, Transport

PATH = "/v1/traces"
MAX_WAITING = 4096  # spans; beyond them the oldest are dropped
MAX_TOGETHER = 512
PAUSE = 1.0  # seconds for which spans are gathered
FAREWELL = 2.0  # seconds for what waits at the end
_LATER = {429, 502, 503, 504}  # the protocol's list of what may be tried again
# Whoever starts the operator names the collector: it may be anywhere but where credentials of machines are.
_ANYWHERE = ("0.0.0.0/0", "::/0")
log = structlog.get_logger()


class OtlpExporter:
    """Sends to one collector. `offer` the spans, `run` it as a task; what can't be sent is dropped, and said once."""

    def __init__(self, endpoint: str, resource: Mapping[str, Attribute], *, pause: float = PAUSE) -> None:
        self._url = endpoint if endpoint.endswith(PATH) else endpoint.rstrip("/") + PATH
        self._resource = {"service.name": "sluice", "service.version": __version__, **resource}
        self._pause = pause
        self._waiting: deque[Span] = deque(maxlen=MAX_WAITING)
        self._some = asyncio.Event()
        self._failures = 0

    def offer(self, spans: tuple[Span, ...]) -> None:
        """Have them sent soon. Returns at once."""
        self._waiting.extend(spans)
        self._some.set()

    async def run(self) -> None:
        """Send until cancelled; what waits then is tried once more, for two seconds."""
        async with Transport(parse_egress(_ANYWHERE), f"sluice/{__version__}") as transport:
            try:
                while True:
                    await self._some.wait()
                    await asyncio.sleep(self._pause if not self._failures else backoff(self._failures))
                    self._some.clear()
                    await self._send_all(transport)
            finally:
                await self._farewell(transport)

    async def _send_all(self, transport: Transport) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(MAX_TOGETHER, len(self._waiting)))]
            problem, again = await self._send(transport, batch)
            if not problem:
                self._over()
                continue
            self._failures += 1
            if self._failures == 1:
                log.warning("traces are not taken", error=problem)
            if again:
                self._waiting.extendleft(reversed(batch[: MAX_WAITING - len(self._waiting)]))
                self._some.set()
                return

    async def _send(self, transport: Transport, batch: list[Span]) -> tuple[str, bool]:
        """What went wrong, nothing if nothing did; and whether the same may be taken later."""
        body = msgspec.json.encode(otlp_of(batch, self._resource, __version__))
        try:
            reply = await transport.send(Request(self._url, body), Route())
        except SluiceError as error:
            return str(error), True
        if reply.status < 300:
            return "", False
        return f"the collector answered with status {reply.status}", reply.status in _LATER

    def _over(self) -> None:
        if self._failures:
            log.info("traces are taken again")
        self._failures = 0

    async def _farewell(self, transport: Transport) -> None:
        try:
            async with asyncio.timeout(FAREWELL):
                await self._send_all(transport)
        except TimeoutError:
            log.warning("traces are lost", spans=len(self._waiting))
