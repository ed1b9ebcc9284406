"""A target, and the requests that a provider's file makes for it: values, so that a table of bodies is a test."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias
from urllib.parse import urlsplit

import msgspec

from sluice.core.codes import NOTIFY_ADDRESS, NOTIFY_CHANNEL, NOTIFY_REVISION, NOTIFY_SECRET
from sluice.core.errors import UserError
from sluice.core.event import Event
from sluice.core.incident import NO_INCIDENT, Mark
from sluice.core.problem import Problem

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
# Shorter texts are words, and no secrets.
MIN_SECRET = 6


@dataclass(frozen=True, slots=True)
class AlertName:
    """The alert that tells an event."""

    namespace: str = ""
    name: str = ""
    uid: str = ""


NO_ALERT = AlertName()


@dataclass(frozen=True, slots=True)
class Target:
    """What a Provider and its Secret say. The address may be a secret itself: a chat's webhook is a password.

    Beside it what one notification needs: `mark` of its incident, the `alert`, the UID of what the event's object is
    made from (`parent_uid`), and when the attempt is made (`at`, seconds since 1970).
    """

    type: str
    address: str = field(default="", repr=False)
    channel: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    provider_uid: str = ""
    status_name: str = ""
    mark: Mark = NO_INCIDENT
    creds: str = field(default="", repr=False)
    nkey: str = field(default="", repr=False)
    alert: AlertName = NO_ALERT
    parent_uid: str = ""
    at: float = 0.0

    def need_address(self) -> str:
        """The address, which must be an http or https URL. Raises UserError (NotifyAddress)."""
        try:
            parts = urlsplit(self.address)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not self.address:
            self._refuse(
                NOTIFY_ADDRESS, "spec.address", "it has no address", "set spec.address, or address in its Secret"
            )
        if not usable or not self.address.isascii() or not self.address.isprintable() or " " in self.address:
            self._refuse(NOTIFY_ADDRESS, "spec.address", "its address is no http or https URL", "correct the address")
        return self.address

    def need_token(self) -> str:
        """The token. Raises UserError (NotifySecret)."""
        if not self.token:
            self._refuse(NOTIFY_SECRET, "spec.secretRef", "it has no token", "put `token` into the Secret of secretRef")
        return self.token

    def need_channel(self, about: str) -> str:
        """The channel. Raises UserError (NotifyChannel); `about` says what it is with this service."""
        if not self.channel:
            self._refuse(NOTIFY_CHANNEL, "spec.channel", "it has no channel", f"set spec.channel to {about}")
        return self.channel

    def refuse_channel(self, form: str) -> NoReturn:
        """Raise UserError (NotifyChannel) for a channel that is not of the form."""
        self._refuse(NOTIFY_CHANNEL, "spec.channel", f"its channel is not {form}", f"write spec.channel as {form}")

    def refuse_address(self, form: str) -> NoReturn:
        """Raise UserError (NotifyAddress) for an address that is not of the form."""
        self._refuse(NOTIFY_ADDRESS, "spec.address", f"its address is not {form}", f"write the address as {form}")

    def refuse_secret(self, what: str, fix: str) -> NoReturn:
        """Raise UserError (NotifySecret)."""
        self._refuse(NOTIFY_SECRET, "spec.secretRef", what, fix)

    def _refuse(self, code: Any, place: str, what: str, fix: str) -> NoReturn:
        raise UserError(
            Problem(code, f"nothing can be sent to this {self.type} provider: {what}", field=place, fix=fix)
        )

    def secrets(self) -> list[str]:
        """Whatever of it may be secret, the longest first: no part of a webhook's address is told to anybody."""
        try:
            parts = urlsplit(self.address)
        except ValueError:
            parts = urlsplit("")
        pieces = [*parts.path.split("/"), *parts.query.replace("=", "&").split("&"), parts.netloc.rpartition("@")[0]]
        whole = [
            self.token,
            self.password,
            self.creds,
            self.nkey,
            self.address,
            parts.path,
            parts.query,
            *self.headers.values(),
        ]
        return sorted({text for text in (*whole, *pieces) if len(text) >= MIN_SECRET}, key=len, reverse=True)

    @property
    def origin(self) -> str:
        """Scheme, host and port of the address."""
        parts = urlsplit(self.need_address())
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; its URL and headers may be secret.

    `answer_bytes` is how much of the answer is looked at, where that is more than usual; `check` finds an error in an
    answer of status 200, `thread` the service's name for what was posted: later messages of the same incident go
    below it.
    """

    url: str = field(repr=False)
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content_type: str = JSON
    answer_bytes: int = 0
    check: Callable[[bytes], str] | None = field(default=None, repr=False, compare=False)
    thread: Callable[[bytes], str] | None = field(default=None, repr=False, compare=False)


Builder: TypeAlias = Callable[[Event, Target], tuple[Request, ...]]


def post_json(url: str, body: Any, headers: Mapping[str, str] | None = None) -> Request:
    """A POST of a JSON body."""
    return Request(url, msgspec.json.encode(body), headers=dict(headers or {}))


def named(answer: bytes, *path: str) -> str:
    """What an answer in JSON says at a path, as a text: a service's name for what was posted. Empty without one."""
    try:
        found: Any = msgspec.json.decode(answer)
    except msgspec.DecodeError:
        return ""
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def bearer(token: str) -> dict[str, str]:
    """The header of a bearer token; none without a token."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def basic(username: str, password: str) -> dict[str, str]:
    """The header of a user name with a password."""
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def need_commit(event: Event) -> str:
    """The commit that the event is about. Raises UserError (NotifyRevision)."""
    if not event.commit:
        title = f"the event {event.reason} of {event.involved_object.short} names no commit"
        raise UserError(Problem(NOTIFY_REVISION, title, fix="none needed where the source is no git repository"))
    return event.commit
