"""Who may call fluxd's HTTP API: v1 asked nobody, so here it is who is on this machine, or has the token.

A page in a browser must not be able to call it either: it would send an Origin, or a Host that is not ours.
"""

from __future__ import annotations

import hmac
from pathlib import Path

from aiohttp import web

from sluice.core.codes import API_TOKEN
from sluice.core.errors import UserError
from sluice.core.fluxd_api.fault import ApiFault
from sluice.core.fluxd_api.local_host import is_local
from sluice.core.problem import Origin, Problem

MIN_TOKEN, MAX_TOKEN = 16, 512
SCHEME = "Scope-Probe token="
_UNAUTHORIZED = (
    "The request failed authentication: the token is missing or wrong. Give it to fluxctl with --token, or in the "
    "environment variable FLUX_SERVICE_TOKEN."
)


class Guard:
    """Lets requests pass. Without a token only such that were sent to an address of this machine by its name."""

    def __init__(self, token: str = "") -> None:
        self._token = token.encode()

    def check(self, request: web.Request) -> None:
        """Raises ApiFault (401, 403) for a request that must not be answered."""
        if "Origin" in request.headers:
            raise ApiFault("user", "requests of web pages are refused", status=403)
        if self._token:
            sent = request.headers.getall("Authorization", [])
            if len(sent) != 1 or not self._is_right(sent[0]):
                raise ApiFault("user", "request failed authentication", _UNAUTHORIZED, status=401)
        elif not is_local(request.headers.get("Host", "")):
            raise ApiFault("user", "the Host header names another machine", status=403)

    def _is_right(self, header: str) -> bool:
        given = header.removeprefix(SCHEME) if header.startswith(SCHEME) else ""
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._token)


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
