"""Issuers of the tokens that callers prove themselves by: their keys, fetched when first needed and kept for an hour.

Anybody may call, with any token: an issuer is asked once for many calls, again for an unknown key once a minute at
most, and after a failure not before ten seconds. Its addresses are checked as those of notifications are.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from sluice.core.codes import TOKEN_ISSUER, TOKEN_KEYS
from sluice.core.egress import EgressPolicy
from sluice.core.errors import RemoteError, SluiceError
from sluice.core.problem import Problem, clip, printable
from sluice.notify.message import Request
from sluice.notify.transport import Route, Transport

if TYPE_CHECKING:
    from sluice.notify.id_token import Keys

KEPT_SECONDS = 3600.0
NEW_KEY_SECONDS = 60.0
FAILED_SECONDS = 10.0
MAX_ISSUERS = 100
_WELL_KNOWN = "/.well-known/openid-configuration"


@dataclass(slots=True)
class _Issuer:
    """What is known of one issuer: its keys since when, or why there are none since when."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    keys: Keys | None = None
    failure: tuple[Problem, ...] = ()
    at: float = float("-inf")


class Issuers:
    """Verifies tokens. TLS trusts the system's authorities, or those that SSL_CERT_FILE names."""

    def __init__(self, policy: EgressPolicy, user_agent: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._user_agent = user_agent
        self._clock = clock
        self._issuers: OrderedDict[str, _Issuer] = OrderedDict()

    async def claims(self, token: str, issuer: str, audience: str) -> dict[str, Any]:
        """The claims of a token of that issuer, for that audience.

        Raises TokenRefused for one that is not genuine, RemoteError (TokenIssuer, TokenKeys) when that can't be told.
        """
        from sluice.notify.id_token import KeyUnknown, claims_of  # slow to import, and few receivers need it

        keys = await self._keys(issuer, KEPT_SECONDS)
        try:
            return claims_of(token, keys, issuer, audience)
        except KeyUnknown:
            keys = await self._keys(issuer, NEW_KEY_SECONDS)
            return claims_of(token, keys, issuer, audience)

    async def _keys(self, name: str, good_for: float) -> Keys:
        issuer = self._issuers.setdefault(name, _Issuer())
        self._issuers.move_to_end(name)
        while len(self._issuers) > MAX_ISSUERS:
            self._issuers.popitem(last=False)
        async with issuer.lock:
            age = self._clock() - issuer.at
            if issuer.failure and age < FAILED_SECONDS:
                raise RemoteError(*issuer.failure)  # a new one: many calls may raise it, and each adds to its traceback
            if issuer.keys is not None and not issuer.failure and age < good_for:
                return issuer.keys
            issuer.at = self._clock()
            try:
                issuer.keys, issuer.failure = await self._fetch(name), ()
            except SluiceError as error:
                issuer.failure = error.problems
                raise
            return issuer.keys

    async def _fetch(self, issuer: str) -> Keys:
        from sluice.notify.id_token import keys_of

        route = Route(tls=await asyncio.to_thread(ssl.create_default_context))
        async with Transport(self._policy, self._user_agent) as transport:
            about = await _get(transport, route, issuer, issuer.rstrip("/") + _WELL_KNOWN)
            named, address = (about.get(key) if isinstance(about, dict) else None for key in ("issuer", "jwks_uri"))
            if named != issuer:
                says = clip(printable(str(named)), 200)
                fix = "write the issuer's URL as it stands in its tokens"
                raise RemoteError(Problem(TOKEN_KEYS, f"the issuer {issuer} says that it is {says}", fix=fix))
            if not isinstance(address, str) or not address.startswith("https://"):
                raise RemoteError(Problem(TOKEN_KEYS, f"the issuer {issuer} names no address of its keys"))
            document = await _get(transport, route, issuer, address)
        try:
            return keys_of(document)
        except ValueError as error:
            title = f"the keys of the issuer {issuer} can't be used"
            raise RemoteError(Problem(TOKEN_KEYS, title, cause=str(error))) from None


async def _get(transport: Transport, route: Route, issuer: str, url: str) -> Any:
    title = f"the issuer {issuer} can't be asked for its keys"
    try:
        reply = await transport.send(Request(url, method="GET"), route)
    except SluiceError as error:
        first = error.problems[0]
        raise RemoteError(Problem(TOKEN_ISSUER, title, cause=first.cause or first.title, fix=first.fix)) from None
    if reply.status != 200:
        raise RemoteError(Problem(TOKEN_ISSUER, title, cause=f"it answered with status {reply.status}"))
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        cause = "its answer is no JSON, or too long"
        raise RemoteError(Problem(TOKEN_KEYS, f"the issuer {issuer} can't be understood", cause=cause)) from None
