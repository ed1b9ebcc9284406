"""A proxy before the API server that does what a test says to chosen requests, and remembers every write.

Clients come by plain http (a kubeconfig made by `write_kubeconfig`); the proxy goes to the API server as the cluster's
admin. It works on any operator that can be given a kubeconfig: it knows nothing of ours but what is on the wire.
`decide` looks at each request and returns a `Fault`, or None to let it pass.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from devcluster.cluster import Cluster

READS = frozenset({"GET", "HEAD", "OPTIONS"})
# Said of a connection, not of a request: each side has its own.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host", "expect", "upgrade"})
MAX_BODY = 1 << 30


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `number` counts writes from 1 since the last `arm`; reads and dry-runs have 0."""

    method: str
    path: str
    query: Mapping[str, str]
    agent: str
    number: int = 0

    @property
    def dry_run(self) -> bool:
        """True when the server is not to store anything."""
        return bool(self.query.get("dryRun"))

    @property
    def watch(self) -> bool:
        """True for a stream of events."""
        return self.query.get("watch") in {"1", "true"}


@dataclass(slots=True)
class Write:
    """A write and its answer; `status` stays 0 while there is none, and where it was never forwarded."""

    asked: Asked
    status: int = 0
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request, in this order.

    Wait for `delay` seconds, and for `hold` to be set; run `before`; without `forward` answer `status` (or drop the
    connection); forward; run `after`; without `answer` drop the connection instead of passing the answer on; `edit`
    changes the answer's body. A watch with `cut` ends after that many seconds, its connection reset; with `lag` each
    piece of it arrives that many seconds late, and with `retell` each line of it becomes those lines. With a `rate` the
    answer comes at so many bytes a second.
    """

    delay: float = 0.0
    hold: asyncio.Event | None = None
    before: Callable[[], None] | None = None
    forward: bool = True
    status: int = 0
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: Callable[[], None] | None = None
    answer: bool = True
    edit: Callable[[bytes], bytes] | None = None
    cut: float | None = None
    lag: float = 0.0
    retell: Callable[[bytes], Sequence[bytes]] | None = None
    rate: int = 0


DROP = Fault(forward=False)
LOSE_ANSWER = Fault(answer=False)


def refuse(status: int, reason: str, *, retry_after: int | None = None) -> Fault:
    """An answer that the API server could have given."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Fault(forward=False, status=status, reason=reason, headers=headers)


Decide = Callable[[Asked], Fault | None]


def passes(_: Asked) -> None:
    """Let everything pass."""


class FaultProxy:
    """Use it with `with`: it runs in a thread of its own. `counts` says which writes get a number."""

    def __init__(self, cluster: Cluster, counts: Callable[[Asked], bool] = lambda asked: True) -> None:
        self._target = URL(cluster.server)
        self._tls = ssl.create_default_context(cafile=str(cluster.ca))
        self._tls.load_cert_chain(cluster.admin.certificate, cluster.admin.key)
        self._counts = counts
        self._decide: Decide = passes
        self._number = 0
        self._open = 0
        self._watches: set[asyncio.Transport] = set()
        self._lock = threading.Lock()
        self._stopped: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: aiohttp.ClientSession | None = None
        self.writes: list[Write] = []
        self.url = ""

    def arm(self, decide: Decide = passes) -> None:
        """From now on `decide` rules; writes are counted anew, and forgotten."""
        with self._lock:
            self._decide, self._number, self.writes = decide, 0, []

    @property
    def numbered(self) -> list[Write]:
        """The writes that were counted since `arm`."""
        with self._lock:
            return [w for w in self.writes if w.asked.number]

    def settle(self, seconds: float = 5.0) -> None:
        """Return when no request but watches is under way: what a killed client had sent has been answered."""
        deadline = time.monotonic() + seconds
        while self._open:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._open} requests are still under way")
            time.sleep(0.005)

    def set(self, event: asyncio.Event) -> None:
        """Set what a `hold` waits for."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(event.set)

    def cut_watches(self) -> None:
        """Reset every open watch."""

        def cut() -> None:
            for transport in list(self._watches):
                transport.abort()

        assert self._loop is not None
        self._loop.call_soon_threadsafe(cut)

    def write_kubeconfig(self, path: Path) -> Path:
        """A kubeconfig that leads here."""
        cluster = {"name": "proxy", "cluster": {"server": self.url}}
        context = {"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}
        config = {"clusters": [cluster], "users": [{"name": "nobody", "user": {}}], "contexts": [context]}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **config, "current-context": "proxy"}))
        return path

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="fault-proxy", daemon=True)
        self._thread.start()
        assert ready.wait(10), "the proxy does not listen"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stopped is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as self._session:
            runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await self._stopped.wait()
            await runner.cleanup()

    # --- one request --------------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        asked, write, fault = self._note(request)
        if asked.watch:
            with self._watching(request):
                return await self._pass(request, body, write, fault)
        self._open += 1
        try:
            return await self._pass(request, body, write, fault)
        finally:
            self._open -= 1

    @contextmanager
    def _watching(self, request: web.BaseRequest) -> Iterator[None]:
        transport = request.transport
        assert transport is not None
        self._watches.add(transport)
        try:
            yield
        finally:
            self._watches.discard(transport)

    def _note(self, request: web.BaseRequest) -> tuple[Asked, Write | None, Fault]:
        with self._lock:
            agent = request.headers.get("User-Agent", "")
            asked = Asked(request.method, request.path, dict(request.query), agent)
            write = None
            if asked.method not in READS and not asked.dry_run:
                if self._counts(asked):
                    self._number += 1
                    asked = Asked(asked.method, asked.path, asked.query, agent, self._number)
                write = Write(asked)
                self.writes.append(write)
            return asked, write, self._decide(asked) or Fault()

    async def _pass(
        self, request: web.BaseRequest, body: bytes, write: Write | None, fault: Fault
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
        if write is not None:
            write.forwarded = True
        try:
            async with self._session.request(
                request.method, url, data=body or None, headers=headers, allow_redirects=False
            ) as answer:
                if write is not None:
                    write.status = answer.status
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
    elif fault.rate:
        async for chunk in answer.content.iter_chunked(max(fault.rate // 10, 1)):
            yield chunk
    else:
        async for chunk in answer.content.iter_any():
            yield chunk


def _refusal(fault: Fault) -> web.Response:
    text = f"the fault proxy says {fault.reason}"
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text}
    body = json.dumps({**status, "reason": fault.reason, "code": fault.status})
    return web.Response(status=fault.status, text=body, content_type="application/json", headers=dict(fault.headers))


def _drop(request: web.BaseRequest) -> web.Response:
    """Reset the connection: the client gets no answer at all."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
