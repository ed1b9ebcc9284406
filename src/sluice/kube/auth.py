"""Credentials for the API server: each kind answers the headers of the next request.

The client asks for headers before every request, so an answer must be cheap when nothing changed. When the server
answers 401 the client says `refused`; the answer is whether a fresh credential was obtained and one retry is due.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from sluice.core.codes import UNAUTHENTICATED
from sluice.core.errors import AuthenticationFailed
from sluice.core.problem import Problem

NO_HEADERS: Mapping[str, str] = {}
MAX_TOKEN = 64 * 1024


class Auth(Protocol):
    """Where the credentials of a request come from."""

    async def headers(self) -> Mapping[str, str]:
        """The headers that identify us. Raises AuthenticationFailed when no credential can be had."""
        ...

    async def refused(self) -> bool:
        """The server answered 401: forget what is cached; True when another credential is at hand."""
        ...


class FixedAuth:
    """Headers that never change: none (anonymous, or a client certificate), a token, or a password."""

    def __init__(self, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self._headers = headers

    @staticmethod
    def bearer(token: str) -> FixedAuth:
        """A static bearer token."""
        return FixedAuth({"Authorization": f"Bearer {token}"})

    @staticmethod
    def basic(username: str, password: str) -> FixedAuth:
        """User name and password."""
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        return FixedAuth({"Authorization": f"Basic {pair}"})

    async def headers(self) -> Mapping[str, str]:
        """Always the same."""
        return self._headers

    async def refused(self) -> bool:
        """There is no other credential."""
        return False


class TokenFileAuth:
    """A token in a file that somebody rotates: read again when the file changes, and each minute in any case."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._token = ""
        self._headers: Mapping[str, str] = NO_HEADERS
        self._stamp = (0, 0)
        self._looked_at = self._read_at = -1e9

    async def headers(self) -> Mapping[str, str]:
        """The current token. Raises AuthenticationFailed when the file can't be read and none was read before."""
        now = self._clock()
        if now - self._looked_at >= 1.0:
            self._look(now)
        return self._headers

    async def refused(self) -> bool:
        """Read the file now; True when its token differs from the one that was refused."""
        before = self._token
        self._read_at = -1e9
        self._look(self._clock())
        return self._token != before

    def _look(self, now: float) -> None:
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp or now - self._read_at >= 60.0:
                self._keep(self._read(), stamp, now)
        except (OSError, ValueError) as error:
            # A rotation may swap the file under us: the token in hand stays good until the server says otherwise.
            if not self._token:
                raise AuthenticationFailed(
                    Problem(
                        UNAUTHENTICATED,
                        "the token file can't be read",
                        cause=f"{self._path}: {getattr(error, 'strerror', None) or error}",
                        fix="check that the service account token is mounted and readable",
                    )
                ) from error
        self._looked_at = now

    def _read(self) -> str:
        with self._path.open("rb") as file:
            token = file.read(MAX_TOKEN).decode("ascii").strip()
        if not token or not token.isprintable():
            raise ValueError("the file holds no token")
        return token

    def _keep(self, token: str, stamp: tuple[int, int], now: float) -> None:
        self._stamp, self._read_at = stamp, now
        if token != self._token:
            self._token = token
            self._headers = {"Authorization": f"Bearer {token}"}
