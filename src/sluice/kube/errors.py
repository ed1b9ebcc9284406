"""What the API server and the way to it answer, to errors of ours: the only place that knows either's forms.

`sluice.kube.refusals` judges what a refusal says; here it becomes an exception, as do those of the HTTP library.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import aiohttp
import msgspec

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, ClusterError, SluiceError, StatusCause
from sluice.core.problem import Problem, clip, printable
from sluice.kube.refusals import MAX_CAUSES, MAX_MESSAGE, NO_DETAILS, Asked, Status, findings_of, without_echo

_STATUS = msgspec.json.Decoder(Status)

__all__ = ["Asked", "Status", "fenced", "refusal", "refusal_of", "retry_after", "unreachable", "unreadable"]


def refusal(asked: Asked, status: int, headers: Mapping[str, str], body: bytes) -> SluiceError:
    """The error for an answer that is not 2xx: AuthenticationFailed for 401, else ClusterError, a Problem per cause."""
    try:
        answer = _STATUS.decode(body)
    except msgspec.MsgspecError:
        answer = Status()
    if answer.kind != "Status":
        text = clip(printable(body[:512].decode("utf-8", "replace").strip()), 300)
        answer = Status(kind="", message=text)
    return refusal_of(asked, status, answer, retry_after(headers))


def refusal_of(asked: Asked, status: int, answer: Status, wait: float | None = None) -> SluiceError:
    """The same for a metav1.Status in hand, as a watch delivers one."""
    details = answer.details or NO_DETAILS
    message = without_echo(answer.message)
    findings = findings_of(asked, status, answer, message)
    problems = tuple(
        Problem(f.code, f.title, asked.subject, field=f.field, cause=clip(f.cause, MAX_MESSAGE), fix=f.fix)
        for f in findings
    )
    if findings[0].code is codes.UNAUTHENTICATED:
        return AuthenticationFailed(*problems)
    causes = tuple(StatusCause(c.field, c.reason, without_echo(c.message)) for c in details.causes[:MAX_CAUSES])
    if wait is None and details.retry_after_seconds > 0:
        wait = float(details.retry_after_seconds)
    return ClusterError(
        *problems,
        status=findings[0].status or status,
        reason=findings[0].reason or answer.reason,
        message=message,
        causes=causes,
        retry_after=wait,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks to wait; its date form is not used by API servers and counts as absent."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() and len(value) < 7 else None


def unreachable(asked: Asked, error: Exception) -> SluiceError:
    """The error for a request that got no answer: a ClusterError with status 0, or AuthenticationFailed for TLS."""
    server = printable(asked.server)
    untrusted = _certificate_error(error)
    if untrusted is not None:
        return AuthenticationFailed(
            Problem(
                codes.HOST_UNVERIFIED,
                f"the certificate of {server} is not trusted",
                asked.subject,
                cause=untrusted,
                fix="check server, certificate-authority-data and tls-server-name in the kubeconfig",
            )
        )
    if isinstance(error, TimeoutError):
        reason, cause = "Timeout", "no answer in time"
    else:
        reason, cause = "Unreachable", _network_cause(error)
    problem = Problem(
        codes.API_UNAVAILABLE,
        f"the API server {server} did not answer",
        asked.subject,
        cause=cause,
        fix="check that it runs and can be reached from here; it is tried again",
    )
    return ClusterError(problem, status=0, reason=reason, message=cause)


def unreadable(asked: Asked, cause: str) -> ClusterError:
    """The error for an answer that is not what was asked for: too large, cut, or not the JSON it should be."""
    server = printable(asked.server)
    problem = Problem(
        codes.API_UNAVAILABLE,
        f"the answer of {server} can't be read",
        asked.subject,
        cause=cause,
        fix="check what stands between here and the API server",
    )
    return ClusterError(problem, status=0, reason="Unreadable", message=cause)


def fenced(asked: Asked) -> ClusterError:
    """The error for a write that was not sent, because another process may be the one that writes now."""
    problem = Problem(
        codes.LEASE_HELD,
        "the lease may be another's by now, so nothing is written",
        asked.subject,
        cause="it was not renewed in time",
        fix="none needed: whoever holds it goes on from the record",
    )
    return ClusterError(problem, status=0, reason="LeaseLost", message="not sent")


def _certificate_error(error: Exception) -> str | None:
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, aiohttp.ClientConnectorCertificateError):
            inner = inner.certificate_error
            continue
        if isinstance(inner, ssl.SSLCertVerificationError):
            return inner.verify_message or "verification failed"
        if isinstance(inner, aiohttp.ClientSSLError | ssl.SSLError) and not isinstance(inner, ssl.SSLEOFError):
            return _network_cause(inner)
        inner = inner.__cause__
    return None


def _network_cause(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answered {error.status}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed before an answer came"
    text = str(getattr(error, "strerror", None) or "") or str(error) or type(error).__name__
    return clip(printable(text), 300)
