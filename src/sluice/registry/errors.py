"""What registries and the way to them answer, to errors of ours: the only place that knows either's forms."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import msgspec

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, RemoteError, UserError
from sluice.core.problem import Code, Problem, clip, printable

MAX_WAIT = 24 * 3600.0
_MISSING = {"NAME_UNKNOWN", "NAME_INVALID"}
_NO_MANIFEST = {"MANIFEST_UNKNOWN", "TAG_INVALID", "BLOB_UNKNOWN"}


class RegistryError(RemoteError):
    """A registry answered with an error (`status`), or not at all (0). `retry_after` is seconds, when it said so."""

    def __init__(self, problem: Problem, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.status = status
        self.retry_after = retry_after

    @property
    def code(self) -> Code:
        """The code of its one problem."""
        return self.problems[0].code


class _Entry(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    errors: list[_Entry] = []


_BODY = msgspec.json.Decoder(_Body)


def error_codes(body: bytes) -> frozenset[str]:
    """The machine-readable codes of an error's body (OCI distribution specification, "Error codes")."""
    return frozenset(entry.code.upper() for entry in _entries(body))


def refusal(what: str, status: int, headers: Mapping[str, str], body: bytes) -> RegistryError | AuthenticationFailed:
    """The error for an answer that is not what was asked for. `what` names the repository, tag or digest."""
    said = error_codes(body)
    cause = _cause(status, body)
    if status == 429 or "TOOMANYREQUESTS" in said:
        return limited(what, retry_after(headers), status)
    if status in {401, 403} or said & {"UNAUTHORIZED", "DENIED"}:
        return auth_refused(what, cause)
    if status == 404 and said & _NO_MANIFEST:
        return RegistryError(Problem(codes.MANIFEST_MISSING, f"{what} does not exist", cause=cause), status=status)
    if status == 404 or said & _MISSING:
        fix = "check the name; a registry also hides so what the credentials may not read"
        return RegistryError(
            Problem(codes.REPOSITORY_MISSING, f"{what} does not exist", cause=cause, fix=fix), status=status
        )
    fix = "it is tried again" if status >= 500 else "check that the host is a registry"
    problem = Problem(codes.REGISTRY_UNREACHABLE, f"{what}: the registry answers with an error", cause=cause, fix=fix)
    return RegistryError(problem, status=status, retry_after=retry_after(headers))


def auth_refused(what: str, cause: str) -> AuthenticationFailed:
    """The error for credentials that are missing or not enough."""
    fix = "give a Secret (secretRef, imagePullSecrets) with a login for this host that may pull the image"
    return AuthenticationFailed(Problem(codes.REGISTRY_AUTH, f"{what} may not be read", cause=cause, fix=fix))


def cloud_login_withheld(host: str) -> UserError:
    """The error for a spec that decides whom to trust with a login that is the operator's own."""
    cause = "the spec turns the check of its certificate off, or names an authority of its own"
    fix = "remove spec.insecure (or the host from --registry-insecure-host) and ca.crt, or give a secretRef"
    title = f"the cloud's login is not sent to {printable(host)}"
    return UserError(Problem(codes.REGISTRY_CREDENTIALS, title, cause=cause, fix=fix))


def limited(what: str, wait: float | None, status: int = 429) -> RegistryError:
    """The error for a registry that wants fewer requests; `wait` is how many seconds it asked for, if it did."""
    cause = "it answers 429, too many requests"
    if wait is not None:
        cause += f", and asks to wait {wait:.0f} s"
    fix = "none needed: it is asked less often for a while; log in, or scan less often, if this stays"
    problem = Problem(codes.REGISTRY_LIMITED, f"{what}: the registry limits requests", cause=cause, fix=fix)
    return RegistryError(problem, status=status, retry_after=wait)


def unreachable(host: str, error: BaseException) -> RegistryError | AuthenticationFailed | UserError:
    """The error for a request that got no answer."""
    blocked = _find(error, AddressBlocked)
    shown = printable(host)
    if isinstance(blocked, AddressBlocked):
        return address_blocked(shown, blocked.address, blocked.reason)
    untrusted = _certificate_fault(error)
    if untrusted:
        fix = "give the CA in certSecretRef (ca.crt), or name the host as insecure"
        title = f"the certificate of {shown} is not trusted"
        return AuthenticationFailed(Problem(codes.HOST_UNVERIFIED, title, cause=untrusted, fix=fix))
    cause = "no answer in time" if isinstance(error, TimeoutError) else _network_cause(error)
    fix = "check the host's name and that it can be reached from here; it is tried again"
    return RegistryError(Problem(codes.REGISTRY_UNREACHABLE, f"{shown} did not answer", cause=cause, fix=fix))


def unreadable(what: str, cause: str) -> RegistryError:
    """The error for an answer that is not what it should be: too large, cut off, compressed, no JSON."""
    fix = "check what stands between here and the registry"
    return RegistryError(Problem(codes.REGISTRY_ANSWER, f"{what}: the answer can't be read", cause=cause, fix=fix))


def wrong_digest(what: str, promised: str, computed: str) -> RegistryError:
    """The error for bytes that are not those that their digest names."""
    cause = f"promised {clip(printable(promised), 150)}, got {computed}"
    fix = "do not use this registry until its operator knows why"
    title = f"{what}: the registry sends other bytes than the digest names"
    return RegistryError(Problem(codes.IMAGE_DIGEST, title, cause=cause, fix=fix))


def realm_refused(host: str, realm: str, cause: str) -> UserError:
    """The error for a registry that asks to send its credentials elsewhere."""
    title = f"{host} wants its credentials sent to {clip(printable(realm), 200)!r}"
    fix = "if that is right, name the realm's host in --registry-realm-host"
    return UserError(Problem(codes.REALM_REFUSED, title, cause=cause, fix=fix))


def redirect_refused(what: str, place: str, cause: str) -> RegistryError:
    """The error for a redirect that is not followed."""
    title = f"{what}: the registry redirects to {clip(printable(place), 200)!r}"
    return RegistryError(Problem(codes.REGISTRY_REDIRECT, title, cause=cause, fix="name the host that serves it"))


def address_blocked(host: str, address: str, reason: str) -> UserError:
    """The error for a host that leads where requests must not go."""
    title = f"image host {host!r} leads to an address that must not be reached"
    return UserError(Problem(codes.URL_BLOCKED, title, cause=f"it is {address}, {reason}"))


class AddressBlocked(OSError):
    """Raised by the resolver inside of the HTTP library, which wraps it."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address} is {reason}")
        self.address = address
        self.reason = reason


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by Retry-After, a number or a date (RFC 9110, 10.2.3); at most a day. None when there is none.

    Names of `headers` are in lower case.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal() and value.isascii():
        return min(float(value[:9]), MAX_WAIT)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), MAX_WAIT)


def _entries(body: bytes) -> list[_Entry]:
    try:
        return _BODY.decode(body).errors[:10]
    except msgspec.MsgspecError:
        return []


def _cause(status: int, body: bytes) -> str:
    said = "; ".join(clip(printable(f"{e.code} {e.message}".strip()), 200) for e in _entries(body)[:3])
    return f"it answers {status}" + (f": {said}" if said else "")


def _find(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    for _ in range(10):
        if error is None or isinstance(error, kind):
            return error
        inner = getattr(error, "os_error", None)
        error = inner if isinstance(inner, BaseException) and inner is not error else error.__cause__
    return None


def _certificate_fault(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    inner = _find(error, ssl.SSLCertVerificationError)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message or "verification failed"
    return ""


def _network_cause(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed before an answer came"
    text = str(getattr(error, "strerror", None) or "") or str(error) or type(error).__name__
    return clip(printable(text), 300)
