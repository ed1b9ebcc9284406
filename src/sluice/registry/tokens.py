"""Bearer tokens: asked for at a registry's realm, kept until they expire, one request for all who wait.

Docker's token authentication specification and its OAuth2 form, for identity tokens. Where a login may be sent to is
decided in `sluice.registry.challenge`; a realm is never followed elsewhere.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
from yarl import URL

from sluice.core.errors import AuthenticationFailed
from sluice.registry.challenge import Challenge, realm_fault
from sluice.registry.errors import auth_refused, realm_refused, refusal, unreadable
from sluice.registry.keyring import Login
from sluice.registry.limits import RegistryLimits
from sluice.registry.transport import Answer, Call, Transport

DEFAULT_SECONDS = 60.0
LONGEST_SECONDS = 12 * 3600.0
EARLY_SECONDS = 10.0
MAX_TOKEN = 64 * 1024
MAX_KEPT = 1_000
CLIENT_ID = "sluice"


class _TokenAnswer(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None


_DECODER = msgspec.json.Decoder(_TokenAnswer)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """Who asks whom for what. `base` is a call to the registry itself, whose trust and proxy are used."""

    challenge: Challenge
    registry: str
    repository: str
    login: Login | None
    base: Call
    insecure: bool = False

    @property
    def scope(self) -> str:
        """What is asked for: to read this one repository, whatever the challenge names."""
        return f"repository:{self.repository}:pull"

    def key(self) -> str:
        """One-way name of everything that decides the token."""
        login = self.login or Login()
        secret = (login.username, login.password, login.identity_token)
        parts = (self.challenge.realm, self.challenge.service, self.registry, self.scope, *secret)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class TokenCache:
    """Tokens by request. `named` are hosts that the user lets any realm name."""

    def __init__(
        self,
        transport: Transport,
        limits: RegistryLimits,
        named: frozenset[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._limits = limits
        self._named = named
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def token(self, request: TokenRequest) -> str:
        """A token that is good for some seconds more.

        Raises UserError (RealmRefused), AuthenticationFailed and RegistryError.
        """
        key = request.key()
        lock = self._locks.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                kept = self._tokens.get(key)
                if kept is None or kept[1] <= self._clock():
                    kept = await self._fetch(request)
                    self._keep(key, kept)
                return kept[0]
        finally:
            if not lock.locked():
                self._locks.pop(key, None)

    def forget(self, request: TokenRequest) -> None:
        """The registry did not take this token: ask for another next time."""
        self._tokens.pop(request.key(), None)

    def _keep(self, key: str, token: tuple[str, float]) -> None:
        if len(self._tokens) >= MAX_KEPT:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[key] = token

    async def _fetch(self, request: TokenRequest) -> tuple[str, float]:
        realm = URL(request.challenge.realm)
        await self._check(request)
        same = realm.host == request.base.url.host
        call = replace(
            request.base,
            what=f"the token service {realm.host} of {request.registry}",
            max_bytes=self._limits.token_bytes,
            headers={"Accept": "application/json"},
            verify=request.base.verify or not same,
            own_host=same,
            follow=False,
        )
        asked_at = self._clock()
        answer = await self._transport.send(_with_login(call, realm, request))
        if answer.status != 200:
            raise _refused(request, call.what, answer)
        token, seconds = _read(call.what, answer.body)
        return token, asked_at + max(seconds - EARLY_SECONDS, 1.0)

    async def _check(self, request: TokenRequest) -> None:
        """The list of public suffixes is read for a realm of another host: not on the event loop."""
        realm = request.challenge.realm
        # Without a login there is nothing to lose, but the URL must be one that may be asked.
        named = self._named if request.login is not None else self._named | {URL(realm).host or ""}
        fault = await asyncio.to_thread(
            realm_fault, realm, request.registry, insecure=request.insecure, named=frozenset(named)
        )
        if fault:
            raise realm_refused(request.registry, realm, fault)


def _with_login(call: Call, realm: URL, request: TokenRequest) -> Call:
    query = {"service": request.challenge.service, "scope": request.scope}
    login = request.login
    if login is not None and login.identity_token:
        form = {**query, "grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": login.identity_token}
        return replace(call, method="POST", url=realm, form=form)
    wanted = {name: value for name, value in query.items() if value}
    call = replace(call, method="GET", url=realm.update_query(wanted))
    if login is None:
        return call
    return replace(call, headers={**call.headers, "Authorization": basic(login)})


def basic(login: Login) -> str:
    """The value of the Authorization header for a user name and a password."""
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode("ascii")


def _refused(request: TokenRequest, what: str, answer: Answer) -> Exception:
    if answer.status in {400, 401, 403, 404} and request.login is not None:
        return auth_refused(request.registry, f"its token service answers {answer.status} to the login")
    error = refusal(what, answer.status, answer.headers, answer.body)
    if isinstance(error, AuthenticationFailed):
        return auth_refused(
            request.registry, f"its token service answers {answer.status}, and there is no login for it"
        )
    return error


def _read(what: str, body: bytes) -> tuple[str, float]:
    try:
        answer = _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        raise unreadable(what, "it is not a token answer") from None
    token = answer.token or answer.access_token or ""
    if not token or len(token) > MAX_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise unreadable(what, "it holds no usable token")
    seconds = answer.expires_in if answer.expires_in is not None else DEFAULT_SECONDS
    return token, min(max(seconds, 0.0), LONGEST_SECONDS)
