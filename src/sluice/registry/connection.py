"""Requests about one repository, logged in as the registry asks: none, by password, or by a token from its realm.

The first request goes without a login; what the registry then asks for is remembered for its host, so that later
requests need one round trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from yarl import URL

from sluice.core.errors import AuthenticationFailed, RemoteError
from sluice.core.image import ImageRef
from sluice.registry.access import RegistryAccess, TokenExchange
from sluice.registry.challenge import Challenge, read_challenge
from sluice.registry.errors import auth_refused, cloud_login_withheld, error_codes, limited, retry_after, unreadable
from sluice.registry.keyring import Login
from sluice.registry.limiter import HostLimiter
from sluice.registry.limits import RegistryLimits
from sluice.registry.tokens import TokenCache, TokenRequest, basic
from sluice.registry.transport import Answer, Call, Transport

MAX_LOGINS = 5
# Each round learns something (a challenge, that a token or a login is not taken); a registry may not go on for ever.
MAX_ROUNDS = 12
PING_BYTES = 64 * 1024


@dataclass(slots=True)
class Host:
    """What is known of a registry's host: it is asked again only when it says something else.

    `page_size` is the place in `repository.PAGES` of what it gives.
    """

    name: str
    limiter: HostLimiter
    insecure: bool
    scheme: str = "https"
    challenge: Challenge | None = None
    page_size: int = 0


@dataclass(slots=True)
class _Attempt:
    """What one request has tried so far."""

    authorization: str = ""
    request: TokenRequest | None = None
    renewed: bool = False
    pinged: bool = False


class Connection:
    """The authenticated way to one repository."""

    def __init__(
        self,
        transport: Transport,
        tokens: TokenCache,
        limits: RegistryLimits,
        image: ImageRef,
        access: RegistryAccess,
        host: Host,
    ) -> None:
        self.image = image
        self.host = host
        self.limits = limits
        self._transport = transport
        self._tokens = tokens
        self._access = access
        self._logins = Logins(access, image, host)

    async def ping(self) -> None:
        """Ask the host whether it is a registry, and how to log in. Raises as `get` does."""
        what = f"registry {self.host.name}"
        answer = await self._send(self._call("GET", "/v2/", what, PING_BYTES))
        self._learn(answer)
        if answer.status not in {200, 401}:
            raise unreadable(what, f"/v2/ answers {answer.status}, so it is no registry")

    async def get(
        self,
        path: str,
        what: str,
        max_bytes: int,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> Answer:
        """Ask for `path` below the repository (`tags/list`); `what` is the name that messages give it.

        Any answer but 401, 403 and 429 is returned as it is. Raises UserError (an address or a realm that is refused),
        AuthenticationFailed (no login is taken; the certificate) and RegistryError.
        """
        call = self._call(method, f"/v2/{self.image.repository}/{path}", what, max_bytes, query)
        attempt = _Attempt()
        for _ in range(MAX_ROUNDS):
            await self._authorize(call, attempt)
            sent = dict(headers or {})
            if attempt.authorization:
                sent["Authorization"] = attempt.authorization
            answer = await self._send(replace(call, headers=sent, url=call.url.with_scheme(self.host.scheme)))
            hidden = answer.status == 404 and not attempt.authorization
            if answer.status not in {401, 403} and not hidden:
                return answer
            if await self._learns_more(answer, attempt):
                continue
            if hidden:
                return answer
            break
        to_login = "to the login" if attempt.authorization else "and there is no login for it"
        raise auth_refused(what, f"it answers 401 or 403 {to_login}")

    async def _learns_more(self, answer: Answer, attempt: _Attempt) -> bool:
        """True when the request is worth repeating, because something is known now that was not."""
        if self._learn(answer):
            return True
        if attempt.request is not None and answer.status == 401 and not attempt.renewed:
            attempt.renewed = True  # a token may be taken back before its time
            self._tokens.forget(attempt.request)
            return True
        if not attempt.authorization and not attempt.pinged and await self._logins.current() is not None:
            # Some registries hide what they would show to a login, and only say at their root that there is one.
            attempt.pinged = True
            await self.ping()
            return self.host.challenge is not None
        if attempt.authorization and await self._logins.go_on():
            attempt.renewed = False
            return True
        return False

    def _learn(self, answer: Answer) -> bool:
        challenge = read_challenge(answer.challenges)
        if challenge is None or challenge == self.host.challenge:
            return False
        self.host.challenge = challenge
        return True

    async def _authorize(self, call: Call, attempt: _Attempt) -> None:
        """Fill in the Authorization header for what is known of the host; none before it has asked for one."""
        attempt.authorization, attempt.request = "", None
        challenge = self.host.challenge
        if challenge is None:
            return
        while True:
            login = await self._logins.current()
            if login is not None and login.bearer:
                attempt.authorization = f"Bearer {login.bearer}"
            elif challenge.scheme == "basic":
                attempt.authorization = basic(login) if login is not None else ""
            else:
                insecure = self.host.scheme == "http"
                request = TokenRequest(challenge, self.host.name, self.image.repository, login, call, insecure)
                try:
                    attempt.authorization = f"Bearer {await self._tokens.token(request)}"
                except AuthenticationFailed:
                    if not await self._logins.go_on():
                        raise
                    continue
                attempt.request = request
            return

    def _call(self, method: str, path: str, what: str, max_bytes: int, query: str = "") -> Call:
        text = f"{self.host.scheme}://{self.host.name}{path}" + (f"?{query}" if query else "")
        return Call(
            what=what,
            method=method,
            url=URL(text, encoded=True),
            max_bytes=max_bytes,
            trust=self._access.trust,
            verify=not self.host.insecure,
            proxy=self._access.proxy,
        )

    async def _send(self, call: Call) -> Answer:
        async with self.host.limiter.turn(call.what):
            answer = await self._send_either_way(call)
        if answer.status == 429 or (answer.status >= 400 and "TOOMANYREQUESTS" in error_codes(answer.body)):
            wait = retry_after(answer.headers)
            self.host.limiter.limited(wait)
            raise limited(call.what, wait)
        return answer

    async def _send_either_way(self, call: Call) -> Answer:
        """Over https; where the host was named as insecure, over http when that does not work."""
        if not self.host.insecure or self.host.scheme == "http":
            return await self._transport.send(call)
        try:
            return await self._transport.send(call)
        except RemoteError:
            answer = await self._transport.send(replace(call, url=_as_http(call.url)))
            self.host.scheme = "http"
            return answer


class Logins:
    """The logins for one image, tried one after another: those of the keyring, or else that of a cloud's exchange.

    A cloud's login is the operator's, and whoever writes the spec may be somebody else: it is not sent where the spec
    decides whom to trust.
    """

    def __init__(self, access: RegistryAccess, image: ImageRef, host: Host) -> None:
        self._keyring = access.keyring.logins(image)[:MAX_LOGINS]
        name = host.name
        self._exchange = next((e for e in access.exchanges if e.serves(name)), None) if not self._keyring else None
        self._trusted = not host.insecure and not access.trust.ca
        self._host = name
        self._position = 0
        self._renewed = False

    async def current(self) -> Login | None:
        """The login to try now; None when there is none, or none is left.

        Raises RegistryError (CloudToken), and UserError when the cloud's login must not go there.
        """
        exchange: TokenExchange | None = self._exchange
        if exchange is not None and self._position == 0:
            if not self._trusted:
                raise cloud_login_withheld(self._host)
            return await exchange.login(self._host)
        return self._keyring[self._position] if self._position < len(self._keyring) else None

    async def go_on(self) -> bool:
        """The current login was refused: go on to the next. False when there is none left."""
        if self._exchange is not None and not self._renewed:
            self._renewed = True  # its token may have been taken back: one more is asked for
            await self._exchange.refused(self._host)
            return True
        self._position += 1
        return self._position < len(self._keyring)


def _as_http(url: URL) -> URL:
    port = url.port
    return url.with_scheme("http").with_port(None if port == 443 else port)
