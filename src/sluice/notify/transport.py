"""Sends the requests of providers: checked addresses, no proxy but the given one, deadlines, small answers.

A name is looked up once and the connection goes to what was checked, so that an answer that changes leads nowhere.
What goes wrong is told by host alone: the rest of an address may be a password.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from sluice.core.codes import EGRESS_BLOCKED, NOTIFY_ADDRESS, NOTIFY_REDIRECT, NOTIFY_UNREACHABLE
from sluice.core.egress import FLAG, EgressPolicy, is_number
from sluice.core.errors import RemoteError, UserError
from sluice.core.problem import Problem, clip, printable
from sluice.notify.limits import DEFAULT_LIMITS, NotifyLimits
from sluice.notify.message import Request

# A POST keeps its method and its body through these two only.
_SAME_REQUEST = {307, 308}
_OTHER_REQUEST = {301, 302, 303}


@dataclass(frozen=True, slots=True)
class Route:
    """How one provider is reached: TLS that is not the system's, a proxy, seconds for one attempt."""

    tls: ssl.SSLContext | None = None
    proxy: str = field(default="", repr=False)
    seconds: float = DEFAULT_LIMITS.attempt_seconds


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, whatever its status. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Blocked(OSError):
    """A host has an address that must not be reached."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address} is {reason}")
        self.address = address
        self.reason = reason


class _CheckedResolver(AbstractResolver):
    """Looks names up, and refuses a host when one of its addresses must not be reached."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for entry in found:
            reason = self._policy.refusal(host, entry["host"])
            if reason:
                raise Blocked(entry["host"], reason)
        return found

    async def close(self) -> None:
        """Nothing is held."""


class Transport:
    """Open it with `async with`; one serves all providers."""

    def __init__(self, policy: EgressPolicy, user_agent: str, limits: NotifyLimits = DEFAULT_LIMITS) -> None:
        self._policy = policy
        self._user_agent = user_agent
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._limits.connections, keepalive_timeout=30.0, resolver=_CheckedResolver(self._policy)
            ),
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: Request, route: Route) -> Reply:
        """Send it and read the answer, redirects included.

        Raises RemoteError when there is no answer, UserError for an address that must not be reached or can't be.
        """
        try:
            async with asyncio.timeout(route.seconds):
                for _ in range(self._limits.redirects + 1):
                    reply = await self._once(request, route)
                    if reply.status not in _SAME_REQUEST | _OTHER_REQUEST:
                        return reply
                    request = _redirected(request, reply)
        except TimeoutError:
            raise _unreachable(request, f"no answer within {route.seconds:g} s") from None
        raise _redirect(request, f"more than {self._limits.redirects} redirects")

    async def connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A plain connection for a protocol that is not HTTP: the host is looked up once, and checked, as for requests.

        Raises UserError for an address that must not be reached, OSError when there is no connection.
        """
        self._check_literal(URL.build(scheme="http", host=host, port=port))
        try:
            found = await _CheckedResolver(self._policy).resolve(host, port)
        except Blocked as error:
            raise _blocked(URL.build(scheme="http", host=host), error.address, error.reason) from None
        if not found:
            raise OSError("its name is not known")
        async with asyncio.timeout(self._limits.connect_seconds):
            return await asyncio.open_connection(found[0]["host"], port)

    async def _once(self, request: Request, route: Route) -> Reply:
        if self._session is None:
            raise RuntimeError("the transport is not open")
        url = _parsed(request.url)
        for each in (url, _parsed(route.proxy)) if route.proxy else (url,):
            self._check_literal(each)
        try:
            call = self._session.request(
                request.method,
                url,
                data=request.body if request.method != "GET" else None,
                headers={"Content-Type": request.content_type, **request.headers},
                allow_redirects=False,
                proxy=route.proxy or None,
                ssl=route.tls if route.tls is not None else True,
            )
            async with call as response:
                body = await self._read(response, max(self._limits.answer_bytes, request.answer_bytes))
                return Reply(response.status, {k.lower(): v for k, v in response.headers.items()}, body)
        except Blocked as error:
            raise _blocked(url, error.address, error.reason) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            blocked = _cause_of(error)
            if blocked is not None:
                raise _blocked(url, blocked.address, blocked.reason) from None
            raise _unreachable(request, _why(error)) from None

    def _check_literal(self, url: URL) -> None:
        """A host that is an address, in whatever spelling, is not looked up, so the resolver never sees it."""
        host = url.host or ""
        try:
            reason = self._policy.refusal(host, host)
        except ValueError:
            reason = "an address in disguise" if is_number(host) else ""
        if reason:
            raise _blocked(url, host, reason)

    async def _read(self, response: aiohttp.ClientResponse, most: int) -> bytes:
        """As much of the body as is looked at; what else comes is not waited for."""
        kept = bytearray()
        async for chunk in response.content.iter_any():
            kept += chunk
            if len(kept) >= most:
                response.close()
                break
        return bytes(kept[:most])


def host_of(url: str) -> str:
    """The host of an address, which alone of it is told."""
    try:
        return URL(url).host or "?"
    except ValueError:
        return "?"


def _parsed(url: str) -> URL:
    try:
        parsed = URL(url)
        if parsed.scheme in {"http", "https"} and parsed.host:
            return parsed
    except ValueError:
        pass
    raise UserError(Problem(NOTIFY_ADDRESS, "the address of a notification is no URL", fix="correct the address"))


def _redirected(request: Request, reply: Reply) -> Request:
    """The same request to where the receiver has moved; nothing goes to another host, for the body is for this one."""
    here = URL(request.url)
    try:
        there = here.join(URL(reply.headers.get("location", ""), encoded=True))
        same = there.host == here.host and there.scheme in {"http", "https"}
    except ValueError:
        raise _redirect(request, "the new address is no URL") from None
    if reply.status in _OTHER_REQUEST and request.method != "GET":
        raise _redirect(request, f"status {reply.status} asks for another request than the one that was made")
    if not same:
        raise _redirect(request, "it leads to another host")
    if here.scheme == "https" and there.scheme != "https":
        raise _redirect(request, "it leads from https to http")
    return replace(request, url=str(there))


def _cause_of(error: BaseException) -> Blocked | None:
    """What the resolver refused, out of the wrappings of the client."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Blocked):
            return seen
        inner = getattr(seen, "os_error", None)
        seen = inner if isinstance(inner, BaseException) and inner is not seen else seen.__cause__
    return None


def _why(error: Exception) -> str:
    """What happened, without an address: the client's own words may hold it whole."""
    inner = getattr(error, "os_error", None)
    reason = getattr(inner or error, "strerror", None)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {clip(printable(str(error.certificate_error)), 200)}"
    return clip(printable(str(reason or type(error).__name__)), 200)


def _blocked(url: URL, address: str, reason: str) -> UserError:
    title = f"notifications must not be sent to {url.host}"
    fix = f"name it with {FLAG}, where it is meant" if FLAG in reason else "name another receiver"
    cause = f"{url.host} is {reason}" if address == url.host else f"{url.host} is {address}, {reason}"
    return UserError(Problem(EGRESS_BLOCKED, title, field="spec.address", cause=cause, fix=fix))


def _redirect(request: Request, cause: str) -> UserError:
    title = f"{host_of(request.url)} redirects to where notifications are not sent"
    fix = "write the address that it redirects to"
    return UserError(Problem(NOTIFY_REDIRECT, title, field="spec.address", cause=cause, fix=fix))


def _unreachable(request: Request, cause: str) -> RemoteError:
    return RemoteError(Problem(NOTIFY_UNREACHABLE, f"{host_of(request.url)} could not be reached", cause=cause))
