"""Single requests to registries and token services: checked addresses, deadlines, byte limits, careful redirects.

One session for all; it knows HTTP and nothing of registries. A name is looked up once and the connection goes to what
was checked, so that an answer that changes leads nowhere (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from sluice.core.git_url import blocked_reason
from sluice.registry.access import SYSTEM_TRUST, Trust
from sluice.registry.errors import AddressBlocked, address_blocked, redirect_refused, unreachable, unreadable
from sluice.registry.limits import RegistryLimits, RegistryPolicy

_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_CONTEXTS = 64


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `what` names in messages what is asked for. `verify` False takes any certificate of this host."""

    what: str
    method: str
    url: URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    max_bytes: int = 1 << 20
    trust: Trust = SYSTEM_TRUST
    verify: bool = True
    proxy: str = field(default="", repr=False)
    follow: bool = True
    own_host: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Names of headers are in lower case; `challenges` are WWW-Authenticate's."""

    status: int
    headers: Mapping[str, str]
    challenges: tuple[str, ...]
    body: bytes


class CheckedResolver(AbstractResolver):
    """Looks names up, and refuses addresses that must not be reached."""

    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of a host. Raises AddressBlocked, an OSError, when one of them must not be reached."""
        found = await self._inner.resolve(host, port, family)
        for entry in found:
            reason = blocked_reason(entry["host"], allow_loopback=self._allow_loopback)
            if reason:
                raise AddressBlocked(entry["host"], reason)
        return found

    async def close(self) -> None:
        """Nothing is held."""


class Transport:
    """Sends calls. Open it with `async with`.

    With `any_address` no address is refused: for URLs that are written in our code or the operator's own environment,
    such as the metadata service of a cloud.
    """

    def __init__(
        self, policy: RegistryPolicy, limits: RegistryLimits, user_agent: str, *, any_address: bool = False
    ) -> None:
        self._policy = policy
        self._any_address = any_address
        self._limits = limits
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None
        self._contexts: dict[tuple[Trust, bool, bool], ssl.SSLContext] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=30.0,
                resolver=None if self._any_address else CheckedResolver(allow_loopback=self._policy.allow_loopback),
            ),
            # No bomb can hide in what is not compressed.
            headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            max_line_size=16 * 1024,
            max_field_size=16 * 1024,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, call: Call) -> Answer:
        """Send a call and read its whole answer, redirects included.

        Raises RegistryError, AuthenticationFailed (certificate) and UserError (an address that must not be reached).
        """
        try:
            async with asyncio.timeout(self._limits.request_seconds):
                for _ in range(self._limits.redirects + 1):
                    answer = await self._once(call)
                    if answer.status not in _REDIRECTS or not call.follow or call.method not in {"GET", "HEAD"}:
                        return answer
                    call = _redirected(call, answer.headers.get("location", ""))
        except TimeoutError as error:
            raise unreachable(host_of(call.url), error) from None
        raise redirect_refused(call.what, str(call.url), f"more than {self._limits.redirects} redirects")

    async def _once(self, call: Call) -> Answer:
        if self._session is None:
            raise RuntimeError("the transport is not open")
        self._check_literal(call.url)
        proxy = call.proxy or self._policy.proxies.proxy_of(call.url)
        if proxy:
            self._check_literal(URL(proxy))
        try:
            request = self._session.request(
                call.method,
                call.url,
                headers=call.headers,
                data=call.form if call.form is not None else call.body,
                allow_redirects=False,
                proxy=proxy or None,
                ssl=self._context(call, proxy),
            )
            async with request as response:
                body = await _read(response, call)
                return Answer(
                    response.status,
                    {name.lower(): value for name, value in response.headers.items()},
                    tuple(response.headers.getall("WWW-Authenticate", ())),
                    body,
                )
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise unreachable(host_of(call.url), error) from error

    def _check_literal(self, url: URL) -> None:
        """A host that is an address is not looked up, so the resolver never sees it."""
        host = url.host or ""
        reason = "" if self._any_address else _literal_fault(host, self._policy.allow_loopback)
        if reason:
            raise address_blocked(host_of(url), host, reason)

    def _context(self, call: Call, proxy: str) -> ssl.SSLContext | bool:
        if call.url.scheme != "https" and not proxy.startswith("https"):
            return True
        key = (call.trust, call.verify, call.own_host)
        context = self._contexts.get(key)
        if context is None:
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.clear()
            context = self._contexts[key] = call.trust.context(verify=call.verify, own_host=call.own_host)
        return context


@lru_cache(maxsize=256)
def _literal_fault(host: str, allow_loopback: bool) -> str:
    """Why an address must not be reached; empty when it may, and for names."""
    try:
        return blocked_reason(host, allow_loopback=allow_loopback)
    except ValueError:
        return ""


def host_of(url: URL) -> str:
    """Host and, where it is not the scheme's own, port: how people name a registry."""
    host = url.host or ""
    host = f"[{host}]" if ":" in host else host
    return host if url.is_default_port() else f"{host}:{url.port}"


def _redirected(call: Call, location: str) -> Call:
    """The call that a redirect asks for; whatever is secret stays behind when it leads to another origin."""
    if not location.isascii() or not location.isprintable() or " " in location:
        raise redirect_refused(call.what, location, "it is not a URL")
    try:
        # As it is: what is signed in its query must not be encoded anew.
        target = call.url.join(URL(location, encoded=True))
        _ = target.port, target.host
    except ValueError:
        raise redirect_refused(call.what, location, "it is not a URL") from None
    if target.scheme not in {"http", "https"} or not target.host or target.user is not None:
        raise redirect_refused(call.what, location, "it is not a plain http or https URL")
    if call.url.scheme == "https" and target.scheme != "https":
        raise redirect_refused(call.what, location, "it leads from https to http")
    if target.origin() == call.url.origin():
        return replace(call, url=target)
    kept = {name: value for name, value in call.headers.items() if name.lower() != "authorization"}
    return replace(call, url=target, headers=kept, own_host=False, verify=True)


async def _read(response: aiohttp.ClientResponse, call: Call) -> bytes:
    """The whole body, up to the call's limit."""
    if call.method == "HEAD":
        return b""
    if response.headers.get("Content-Encoding", "identity") not in {"identity", ""}:
        response.close()
        raise unreadable(call.what, "it is compressed although that was not asked for")
    kept = bytearray()
    async for chunk in response.content.iter_any():
        kept += chunk
        if len(kept) > call.max_bytes:
            response.close()
            raise unreadable(call.what, f"it is larger than {call.max_bytes >> 10} KiB")
    return bytes(kept)
