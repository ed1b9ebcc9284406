"""Requests to one API server: bounded, with a deadline, retried only where that is safe, answers limited in size.

One transport holds the connections; clients that act as different users share it. It knows HTTP and nothing of
kinds. Watches have connections of their own, so that a thousand of them do not starve requests.
"""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from sluice.core.errors import ClusterError, SluiceError
from sluice.kube.config import ClusterAccess
from sluice.kube.errors import Asked, fenced, refusal, retry_after, unreachable, unreadable

MAX_RETRIES = 5
LARGE = 512 * 1024
MAX_ERROR_BODY = 4 * 1024 * 1024
NO_ANSWER = "<error>"  # as client-go counts it
_LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError, ConnectionResetError)
Identity = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `repeatable` means that sending it twice does what sending it once does."""

    method: str
    path: str
    query: str = ""
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    repeatable: bool = True
    max_body: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer. `sent` counts how often the request may have reached the server: over 1 an answer was lost."""

    status: int
    body: bytes
    warnings: tuple[str, ...]
    sent: int


@dataclass(slots=True)
class Usage:
    """What was asked so far: requests by method and status (`<error>` when none came), seconds waited for patience."""

    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    throttled: float = 0.0


class Transport:
    """The connections to one API server. Open it with `async with`; `request_timeout` is in seconds.

    `may_write` is asked before each request that is no read: whoever has lost its lease sends nothing more.
    """

    def __init__(
        self,
        access: ClusterAccess,
        *,
        user_agent: str,
        max_in_flight: int,
        request_timeout: float,
        may_write: Callable[[], bool],
    ) -> None:
        self.access = access
        self._may_write = may_write
        self.request_timeout = request_timeout
        self.usage = Usage()
        self._base = URL(access.server)
        self._user_agent = user_agent
        self._max_in_flight = max_in_flight
        self._slots = asyncio.Semaphore(max_in_flight)
        self._requests: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._options: dict[str, Any] = {"allow_redirects": False}
        if access.ssl is not None:
            self._options["ssl"] = access.ssl
        if access.tls_server_name:
            self._options["server_hostname"] = access.tls_server_name
        if access.proxy_url:
            self._options["proxy"] = access.proxy_url

    async def __aenter__(self) -> Self:
        self._requests = self._session(limit=self._max_in_flight)
        self._streams = self._session(limit=0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in (self._requests, self._streams):
            if session is not None:
                await session.close()
        self._requests = self._streams = None

    def _session(self, *, limit: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, keepalive_timeout=60.0),
            # An idle loopback or LAN link is faster without compression, and no bomb can hide in plain text.
            headers={"User-Agent": self._user_agent, "Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            max_line_size=64 * 1024,
            max_field_size=64 * 1024,
        )

    async def send(self, call: Call, asked: Asked, identity: Identity = ()) -> Answer:
        """Send `call` and return its 2xx answer.

        Waits for a free slot first; the deadline counts from then. 429, and 503 with Retry-After for what may be
        repeated, is waited out at most 5 times and within the deadline. Raises ClusterError and AuthenticationFailed.
        """
        async with self._slots:
            try:
                async with asyncio.timeout(self.request_timeout) as deadline:
                    return await self._persist(call, asked, identity, deadline.when() or 0.0)
            except TimeoutError as error:
                raise unreachable(asked, error) from None

    async def _persist(self, call: Call, asked: Asked, identity: Identity, deadline: float) -> Answer:
        waits = sent = 0
        may_renew = may_resend = True
        while True:
            if call.method != "GET" and not self._may_write():
                raise fenced(asked)
            try:
                sent += 1
                status, headers, body = await self._once(call, asked, identity)
                self._count(call, str(status))
            except _LOST as error:
                self._count(call, NO_ANSWER)
                if isinstance(error, aiohttp.ClientConnectorError) or not (call.repeatable and may_resend):
                    raise unreachable(asked, error) from error
                may_resend = False  # a kept-alive connection that the server had closed
                continue
            except (aiohttp.ClientError, OSError, ValueError) as error:
                self._count(call, NO_ANSWER)
                raise unreachable(asked, error) from error
            if 200 <= status < 300:
                return Answer(status, body, _warnings(headers), sent)
            if status == 401 and may_renew and await self.access.auth.refused():
                may_renew = False
                sent -= 1
                continue
            wait = _wait_for(call, status, headers)
            if wait is None or waits == MAX_RETRIES or asyncio.get_running_loop().time() + wait >= deadline:
                raise refusal(asked, status, headers, body)
            waits += 1
            sent -= 1
            self.usage.throttled += wait
            await asyncio.sleep(wait)

    def _count(self, call: Call, code: str) -> None:
        self.usage.answered[call.method, code] += 1

    async def _once(self, call: Call, asked: Asked, identity: Identity) -> tuple[int, Mapping[str, str], bytes]:
        session = self._requests
        if session is None:
            raise RuntimeError("the client is not open: use `async with`")
        headers = await self._headers(call.headers, identity)
        async with session.request(
            call.method, self._url(call.path, call.query), data=_payload(call.body), headers=headers, **self._options
        ) as response:
            limit = call.max_body if response.status < 300 else MAX_ERROR_BODY
            return response.status, response.headers, await _read(response, limit, asked)

    @asynccontextmanager
    async def stream(self, call: Call, asked: Asked, identity: Identity = ()) -> AsyncIterator[aiohttp.StreamReader]:
        """Open `call` and hand out its body as it comes. The deadline covers the way to the first byte only."""
        session = self._streams
        if session is None:
            raise RuntimeError("the client is not open: use `async with`")
        response = await self._open(session, call, asked, identity)
        if response.status == 401 and await self.access.auth.refused():
            response.close()
            response = await self._open(session, call, asked, identity)
        try:
            if response.status != 200:
                async with asyncio.timeout(self.request_timeout):
                    body = await _read(response, MAX_ERROR_BODY, asked)
                raise refusal(asked, response.status, response.headers, body)
            yield response.content
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(asked, error) from error
        finally:
            _abandon(response)

    async def _open(
        self, session: aiohttp.ClientSession, call: Call, asked: Asked, identity: Identity
    ) -> aiohttp.ClientResponse:
        headers = await self._headers(call.headers, identity)
        try:
            async with asyncio.timeout(self.request_timeout):
                response = await session.request(
                    call.method, self._url(call.path, call.query), headers=headers, **self._options
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._count(call, NO_ANSWER)
            raise unreachable(asked, error) from error
        self._count(call, str(response.status))
        return response

    async def _headers(self, own: Mapping[str, str] | None, identity: Identity) -> Mapping[str, str] | None:
        credentials = await self.access.auth.headers()
        if not identity:
            if not credentials:
                return own
            return {**credentials, **own} if own else credentials
        headers: CIMultiDict[str] = CIMultiDict(credentials)
        headers.update(own or {})
        headers.extend(identity)
        return headers

    def _url(self, path: str, query: str) -> URL:
        # Both are percent-encoded already; yarl must not decode a hostile name back into a path.
        base = self._base
        path = base.raw_path.rstrip("/") + path
        return URL.build(scheme=base.scheme, authority=base.raw_authority, path=path, query_string=query, encoded=True)


@dataclass(frozen=True, slots=True)
class Channel:
    """A transport used as one identity (`Impersonate-…` headers; none is the access's own)."""

    transport: Transport
    identity: Identity = ()

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self.transport.access.server

    async def send(self, call: Call, asked: Asked) -> Answer:
        """See `Transport.send`."""
        return await self.transport.send(call, asked, self.identity)

    def stream(self, call: Call, asked: Asked) -> AbstractAsyncContextManager[aiohttp.StreamReader]:
        """See `Transport.stream`."""
        return self.transport.stream(call, asked, self.identity)


def _payload(body: bytes | None) -> bytes | io.BytesIO | None:
    """The body as aiohttp wants it: a large one in pieces, so that writing it does not hold the loop."""
    return body if body is None or len(body) < LARGE else io.BytesIO(body)


def _wait_for(call: Call, status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds to wait before the request is sent again; None when it must not be."""
    wait = retry_after(headers)
    if status == 429:
        return 1.0 if wait is None else wait
    return wait if status == 503 and call.repeatable else None


def _warnings(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The texts of `Warning: 299 - "…"` headers, in order."""
    if "Warning" not in headers:
        return ()
    values = headers.getall("Warning") if hasattr(headers, "getall") else [headers["Warning"]]
    return tuple(_warning_text(value) for value in values)


def _warning_text(value: str) -> str:
    _, _, quoted = value.partition('"')
    return quoted.rpartition('"')[0].replace('\\"', '"').replace("\\\\", "\\") or value


async def _read(response: aiohttp.ClientResponse, limit: int, asked: Asked) -> bytes:
    """The whole body. Raises ClusterError when it is larger than `limit` or encoded in a way we did not ask for."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        response.close()
        raise unreadable(asked, "it is compressed although that was not asked for")
    length = response.content_length
    if length is not None and length <= limit:
        return await response.read()
    kept = bytearray()
    if length is None:
        async for chunk in response.content.iter_any():
            kept += chunk
            if len(kept) > limit:
                break
    if length is not None or len(kept) > limit:
        response.close()
        raise unreadable(asked, f"it is larger than {limit >> 20} MiB")
    return bytes(kept)


def _abandon(response: aiohttp.ClientResponse) -> None:
    """Drop the connection of an unfinished answer at once: it can't be used again, and a TLS farewell would linger."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def is_gone(error: SluiceError) -> bool:
    """True for 410: the resourceVersion or continue token asked for is no longer known."""
    return isinstance(error, ClusterError) and error.status == 410
