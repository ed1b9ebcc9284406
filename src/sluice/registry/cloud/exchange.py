"""Keeps the logins of one cloud: each until shortly before its end, one request for all, a pause after failure.

fluxd's figures: a login is kept for 12 hours at most, and a service that failed is left alone for 10 minutes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from yarl import URL

from sluice.core import codes
from sluice.core.errors import SluiceError
from sluice.core.problem import Problem, clip, printable
from sluice.registry.errors import RegistryError
from sluice.registry.keyring import Login
from sluice.registry.transport import Answer, Call, Transport

LONGEST_SECONDS = 12 * 3600.0
EARLY_SECONDS = 300.0
EMBARGO_SECONDS = 10 * 60.0
MAX_ANSWER = 256 * 1024
MAX_FILE = 64 * 1024
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CloudLogin:
    """A login and for how many seconds it is good from now."""

    login: Login
    seconds: float


class Cloud(Protocol):
    """What differs between clouds."""

    @property
    def name(self) -> str:
        """The cloud and the identity in it, as far as the configuration names it; no secret."""

    def serves(self, host: str) -> bool:
        """True for the hosts of this cloud's registries."""

    def realm(self, host: str) -> str:
        """What one login is good for: hosts of one realm share it."""

    async def exchange(self, host: str) -> CloudLogin:
        """Ask for a login for `host`. Raises SluiceError."""


class CloudLogins:
    """One cloud's logins, as a `TokenExchange`. `clock` is monotonic seconds."""

    def __init__(self, cloud: Cloud, clock: Callable[[], float] = time.monotonic, *, name: str = "") -> None:
        self._cloud = cloud
        self._name = name or cloud.name
        self._clock = clock
        self._kept: dict[str, tuple[Login, float]] = {}
        self._failed: dict[str, tuple[RegistryError, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @property
    def name(self) -> str:
        """The cloud, and whose identity in it is used where that is not the operator's."""
        return self._name

    def serves(self, host: str) -> bool:
        """True for the hosts of this cloud's registries."""
        return self._cloud.serves(host)

    async def login(self, host: str) -> Login:
        """A login for `host`. Raises RegistryError (CloudToken); for 10 minutes after a failure without asking."""
        if not self._cloud.serves(host):
            raise ValueError(f"{self.name} gives no login for {host}")
        realm = self._cloud.realm(host)
        async with self._locks.setdefault(realm, asyncio.Lock()):
            now = self._clock()
            kept = self._kept.get(realm)
            if kept is not None and kept[1] > now:
                return kept[0]
            failed = self._failed.get(realm)
            if failed is not None and failed[1] > now:
                raise failed[0]
            return await self._exchange(host, realm)

    async def refused(self, host: str) -> None:
        """Forget the login: the registry did not take it."""
        self._kept.pop(self._cloud.realm(host), None)

    async def _exchange(self, host: str, realm: str) -> Login:
        try:
            found = await self._cloud.exchange(host)
        except SluiceError as error:
            translated = _cloud_error(host, error)
            self._failed[realm] = (translated, self._clock() + EMBARGO_SECONDS)
            raise translated from error
        self._failed.pop(realm, None)
        seconds = min(found.seconds, LONGEST_SECONDS)
        self._kept[realm] = (found.login, self._clock() + max(seconds - EARLY_SECONDS, seconds / 2))
        return found.login


def _cloud_error(host: str, error: SluiceError) -> RegistryError:
    problem = error.problems[0]
    cause = problem.cause or problem.title
    if problem.cause and problem.code is not codes.CLOUD_TOKEN:
        cause = f"{problem.title}: {problem.cause}"
    fix = problem.fix if problem.code is codes.CLOUD_TOKEN else "check the cloud identity of the operator's pod"
    title = f"there is no login for {printable(host)} from its cloud"
    return RegistryError(Problem(codes.CLOUD_TOKEN, title, cause=cause, fix=fix))


def no_identity(cause: str, fix: str) -> RegistryError:
    """The error for a machine or pod that the cloud does not know."""
    return RegistryError(Problem(codes.CLOUD_TOKEN, "no cloud identity", cause=cause, fix=fix))


class CloudClient:
    """Requests to a cloud's own services, whose URLs come from our code and the operator's environment alone."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(
        self,
        what: str,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        """The body of a 200 answer. Raises RegistryError that shows at most the answer's error code."""
        call = Call(
            what=what,
            method=method,
            url=URL(url, encoded=True),
            headers=headers or {},
            form=form,
            body=body,
            max_bytes=MAX_ANSWER,
            follow=False,
        )
        answer = await self._transport.send(call)
        if answer.status != 200:
            cause = f"{what} answers {answer.status}{_said(answer)}"
            fix = "check the role or permissions of the operator's cloud identity"
            raise no_identity(cause, fix)
        return answer.body


class _Refusal(msgspec.Struct):
    error: object = ""
    code: object = msgspec.field(name="__type", default="")


def _said(answer: Answer) -> str:
    """The machine-readable word of an error; its sentence may repeat what it was sent."""
    try:
        refusal = msgspec.json.decode(answer.body, type=_Refusal)
    except (msgspec.MsgspecError, RecursionError):
        return ""
    word = refusal.error or refusal.code
    return f" ({clip(printable(word), 80)})" if isinstance(word, str) and word else ""


def decoded(what: str, body: bytes, kind: type[T]) -> T:
    """A JSON answer as a struct. Raises RegistryError."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError):
        raise no_identity(f"the answer of {what} can't be read", "check what stands between here and it") from None


async def read_secret_file(path: str) -> str:
    """A token that the kubelet keeps fresh in a file. Raises RegistryError (CloudToken) that names the file."""

    def read() -> str:
        with Path(path).open("rb") as file:
            return file.read(MAX_FILE).decode("ascii").strip()

    try:
        return await asyncio.to_thread(read)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or "it is not text"
        raise _unreadable(path, cause) from None


def _unreadable(path: str, cause: str) -> RegistryError:
    return no_identity(f"the token file {path} can't be read: {cause}", "mount it as the cloud's documentation says")
