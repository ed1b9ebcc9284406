"""Who may call fluxd's HTTP API: v1 asked nobody, so here it is who is on this machine, or has the token.

Where the operator is told so, that may be the token of a Kubernetes account that RBAC lets call the path.

A page in a browser must not be able to call it either: it would send an Origin, or a Host that is not ours.
"""

from __future__ import annotations

import hmac
from pathlib import Path

import structlog
from aiohttp import web

from sluice.core.codes import API_TOKEN
from sluice.core.errors import SluiceError, UserError
from sluice.core.fluxd_api.fault import ApiFault
from sluice.core.fluxd_api.local_host import is_local
from sluice.core.problem import Origin, Problem, printable
from sluice.kube.caller_access import CallerAccess

MIN_TOKEN, MAX_TOKEN = 16, 512
SCHEME = "Scope-Probe token="
# Not the paths themselves: every account may `get /api/*`, for discovery.
PREFIX, RBAC_PREFIX = "/api/flux/", "/sluice/fluxd/"
log = structlog.get_logger()
_UNAUTHORIZED = (
    "The request failed authentication: the token is missing or wrong. Give it to fluxctl with --token, or in the "
    "environment variable FLUX_SERVICE_TOKEN."
)


class Guard:
    """Lets requests pass. Without a token only such that were sent to an address of this machine by its name.

    With `access`, tokens of Kubernetes are tokens.
    """

    def __init__(self, token: str = "", access: CallerAccess | None = None) -> None:
        self._token = token.encode()
        self._access = access

    async def check(self, request: web.Request) -> None:
        """Raises ApiFault (401, 403, and 503 where nobody can be asked) for a request that must not be answered."""
        if "Origin" in request.headers:
            raise ApiFault("user", "requests of web pages are refused", status=403)
        if self._token or self._access is not None:
            sent = request.headers.getall("Authorization", [])
            if len(sent) != 1 or not await self._is_right(request, sent[0]):
                raise ApiFault("user", "request failed authentication", _UNAUTHORIZED, status=401)
        elif not is_local(request.headers.get("Host", "")):
            raise ApiFault("user", "the Host header names another machine", status=403)

    async def _is_right(self, request: web.Request, header: str) -> bool:
        given = header.removeprefix(SCHEME) if header.startswith(SCHEME) else ""
        if self._token and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token):
            return True
        if self._access is None or not given or not given.isascii():
            return False
        return await self._is_allowed(self._access, request, given)

    async def _is_allowed(self, access: CallerAccess, request: web.Request, token: str) -> bool:
        verb = "get" if request.method == "HEAD" else request.method.lower()
        path = RBAC_PREFIX + request.path.removeprefix(PREFIX)
        try:
            verdict = await access.verdict(token, verb, path)
        except SluiceError as error:
            log.warning("a caller's token can't be reviewed", error=str(error))
            raise ApiFault("server", "who calls can't be asked of Kubernetes now; ask again", status=503) from None
        if verdict == "forbidden":
            why = f"Kubernetes' RBAC does not let this account {verb} the nonResourceURL {printable(path[:200])}."
            raise ApiFault("user", "forbidden", why, status=403)
        return verdict == "allowed"


def read_token(path: Path) -> str:
    """The token in a file, one line. Raises UserError (ApiToken); whoever wrote the file can fix it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TOKEN + 2)
    except OSError as error:
        raise _refused(path, error.strerror or type(error).__name__) from None
    text = data.decode("ascii", "replace").strip()
    if not MIN_TOKEN <= len(text) <= MAX_TOKEN:
        raise _refused(path, f"it has not {MIN_TOKEN} to {MAX_TOKEN} characters")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise _refused(path, "it holds a space, a line break or a character that a header can't have")
    return text


def _refused(path: Path, cause: str) -> UserError:
    title, fix = "the token of fluxd's API can't be used", "write one line into it: openssl rand -hex 32"
    return UserError(Problem(API_TOKEN, title, None, Origin(str(path)), "--fluxd-api-token-file", cause, fix))
