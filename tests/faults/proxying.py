"""What the fault proxies share: a server in a thread that forwards each request, or does what a `Fault` says to it.

Clients come by plain http. A proxy decides what a request meets; how that is done to the connection is here.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests.operator_fixture import close_what_is_left

# Said of a connection, not of a request: each side has its own.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect", "upgrade"})


@dataclass(slots=True, kw_only=True)
class Passage:
    """What became of a request; `status` stays 0 while there is no answer, and where it was never forwarded."""

    status: int = 0
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request, in this order.

    Wait for `delay` seconds, and for `hold` to be set; run `before`; without `forward` answer `status` with `headers`
    and `body` (or drop the connection); forward; run `after`; without `answer` drop the connection instead of passing
    the answer on; `edit` changes the answer's body. With `keep` so many bytes of the answer are passed on, and then the
    connection is reset. A watch with `cut` ends after that many seconds, its connection reset; with `lag` each piece of
    it arrives that many seconds late, and with `retell` each line of it becomes those lines. With a `rate` the answer
    comes at so many bytes a second.
    """

    delay: float = 0.0
    hold: asyncio.Event | None = None
    before: Callable[[], None] | None = None
    forward: bool = True
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: Callable[[], None] | None = None
    answer: bool = True
    edit: Callable[[bytes], bytes] | None = None
    keep: int | None = None
    cut: float | None = None
    lag: float = 0.0
    retell: Callable[[bytes], Sequence[bytes]] | None = None
    rate: int = 0


DROP = Fault(forward=False)
LOSE_ANSWER = Fault(answer=False)


class Proxy(ABC):
    """Forwards to `target`. Use it with `with`: it runs in a thread of its own, and `url` leads to it."""

    def __init__(self, target: str, tls: ssl.SSLContext | None = None) -> None:
        self._target = URL(target)
        self._tls = tls
        self._open = 0
        self._lock = threading.RLock()  # `decide` may look at what was asked
        self._stopped: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    @abstractmethod
    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; `_counted` and `_pass` do the work."""

    def settle(self, seconds: float = 40.0) -> None:
        """Return when no request is under way (but watches): what a killed client had sent has been answered."""
        deadline = time.monotonic() + seconds
        while self._open:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._open} requests are still under way")
            time.sleep(0.005)

    def set(self, event: asyncio.Event) -> None:
        """Set what a `hold` waits for."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(event.set)

    def __enter__(self) -> Self:
        ready = threading.Event()

        def serve() -> None:
            asyncio.run(self._serve(ready))
            assert self._loop is not None
            close_what_is_left(self._loop)

        self._thread = threading.Thread(target=serve, name="fault-proxy", daemon=True)
        self._thread.start()
        assert ready.wait(30), "the proxy does not listen"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stopped is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(30)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls or True)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as self._session:
            # Compressed bodies go on as they came.
            runner = web.ServerRunner(web.Server(self._handle, auto_decompress=False), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await self._stopped.wait()
            await runner.cleanup()

    # --- one request --------------------------------------------------------------------------------------------

    async def _counted(
        self, request: web.BaseRequest, body: bytes, passage: Passage | None, fault: Fault
    ) -> web.StreamResponse:
        """As `_pass`, and `settle` waits for it."""
        self._open += 1
        try:
            return await self._pass(request, body, passage, fault)
        finally:
            self._open -= 1

    async def _pass(
        self, request: web.BaseRequest, body: bytes, passage: Passage | None, fault: Fault
    ) -> web.StreamResponse:
        await asyncio.sleep(fault.delay)
        if fault.hold is not None:
            await fault.hold.wait()
        if fault.before is not None:
            fault.before()
        if not fault.forward:
            return _refusal(fault) if fault.status else _drop(request)
        assert self._session is not None
        url = self._target.join(URL(request.raw_path, encoded=True))
        headers = CIMultiDict((k, v) for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP)
        if passage is not None:
            passage.forwarded = True
        try:
            async with self._session.request(
                request.method, url, data=body or None, headers=headers, allow_redirects=False
            ) as answer:
                if passage is not None:
                    passage.status = answer.status
                if fault.after is not None or not fault.answer:
                    await answer.read()
                if fault.after is not None:
                    fault.after()
                return await _relay(request, answer, fault)
        except aiohttp.ClientError:
            return _drop(request)


async def _relay(request: web.BaseRequest, answer: aiohttp.ClientResponse, fault: Fault) -> web.StreamResponse:
    if not fault.answer:
        return _drop(request)
    kept = CIMultiDict((k, v) for k, v in answer.headers.items() if k.lower() not in HOP_BY_HOP)
    if fault.edit is not None:
        return web.Response(status=answer.status, headers=kept, body=fault.edit(await answer.read()))
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=kept)
    try:
        async with asyncio.timeout(fault.cut):
            await response.prepare(request)
            async for chunk in _pieces(answer, fault):
                await asyncio.sleep(fault.lag + (len(chunk) / fault.rate if fault.rate else 0.0))
                await response.write(chunk)
    except TimeoutError:
        return _drop(request)
    except ConnectionError:
        return response  # the client has gone: a killed operator
    if fault.keep is not None:
        return _drop(request)
    await response.write_eof()
    return response


async def _pieces(answer: aiohttp.ClientResponse, fault: Fault) -> AsyncIterator[bytes]:
    """What is passed on of an answer, piece by piece."""
    if fault.retell is not None:
        rest = b""
        async for chunk in answer.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                for told in fault.retell(line):
                    yield told + b"\n"
    elif fault.keep is not None:
        yield (await answer.read())[: fault.keep]
    elif fault.rate:
        async for chunk in answer.content.iter_chunked(max(fault.rate // 10, 1)):
            yield chunk
    else:
        async for chunk in answer.content.iter_any():
            yield chunk


def _refusal(fault: Fault) -> web.Response:
    return web.Response(status=fault.status, body=fault.body, headers=dict(fault.headers))


def _drop(request: web.BaseRequest) -> web.Response:
    """Reset the connection: the client gets no answer at all."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
