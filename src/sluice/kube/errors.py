"""What the API server and the way to it answer, to errors of ours: the only place that knows either's forms.

A refusal is judged by its structured reason and causes first. Where the server gives only a sentence, the pattern is
in this module, and `tests/contract/kube/test_refusals.py` holds each against the real API server's answer.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import msgspec

from sluice.core import codes
from sluice.core.errors import AuthenticationFailed, ClusterError, SluiceError, StatusCause
from sluice.core.ids import ResourceId
from sluice.core.problem import Code, Problem, clip, printable

MAX_CAUSES = 64
MAX_MESSAGE = 2048

# Server-side apply answers a schema mismatch with a bare 500 and one sentence; the others with a sentence in a 400.
_TYPED_PATCH = re.compile(r"^failed to create typed (?:patch|live) object \(.*?\): (?P<errors>.+)$", re.DOTALL)
_TYPED_ERROR = re.compile(r"(?:^|\n\s*)(?P<field>\.[^\n]*?): (?P<what>[^\n]+)")
_NOT_DECLARED = "field not declared in schema"
_STRICT = re.compile(r"strict decoding error: (?P<errors>.+)$", re.DOTALL)
_STRICT_ERROR = re.compile(r'(?P<what>unknown|duplicate) field "(?P<field>[^"]+)"')
_IMMUTABLE = re.compile(
    r"\bimmutable\b|may not change once set|cannot be changed|updates to .+ are forbidden|may not be changed"
)
_QUOTA = re.compile(r"is forbidden: (?P<what>exceeded quota: .+|failed quota: .+)$", re.DOTALL)
_RBAC = re.compile(r"\buser \".*\" (?:\(groups=.*\) )?(?:cannot |is attempting to grant )", re.IGNORECASE | re.DOTALL)
_WEBHOOK_DENIED = re.compile(
    r'admission webhook "(?P<who>[^"]+)" denied the request(?:: (?P<why>.+)| without explanation)', re.DOTALL
)
_POLICY_DENIED = re.compile(
    r"(?P<who>(?:Validating|Mutating)AdmissionPolicy '[^']+') with binding '[^']+' denied request: (?P<why>.+)",
    re.DOTALL,
)
_WEBHOOK_FAILED = re.compile(r'failed calling webhook "(?P<who>[^"]+)": (?P<why>.+)', re.DOTALL)
_CONVERSION_FAILED = re.compile(r"conversion webhook for (?P<who>.+?) failed: (?P<why>.+)", re.DOTALL)
_OTHER_MANAGER = re.compile(r'conflict with "(?P<who>[^"]*)"')
# An apply of a whole object over a merge patch echoes the object; it may be a Secret.
_ECHO = re.compile(r'Invalid value: "(?:[^"\\]|\\.)*": ', re.DOTALL)


class _Cause(msgspec.Struct):
    reason: str = ""
    message: str = ""
    field: str = ""


class _Details(msgspec.Struct, rename="camel"):
    name: str = ""
    group: str = ""
    kind: str = ""
    causes: tuple[_Cause, ...] = ()
    retry_after_seconds: int = 0


class Status(msgspec.Struct):
    """metav1.Status."""

    kind: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: _Details | None = None


_STATUS = msgspec.json.Decoder(Status)
_NO_DETAILS = _Details()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request was about, for the error that it may end in."""

    server: str
    subject: ResourceId | None = None
    verb: str = "get"


@dataclass(frozen=True, slots=True)
class _Finding:
    code: Code
    title: str
    field: str = ""
    cause: str = ""
    fix: str = ""
    reason: str = ""
    status: int = 0


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
    details = answer.details or _NO_DETAILS
    message = _without_echo(answer.message)
    findings = _findings(asked, status, answer, message)
    problems = tuple(
        Problem(f.code, f.title, asked.subject, field=f.field, cause=clip(f.cause, MAX_MESSAGE), fix=f.fix)
        for f in findings
    )
    if findings[0].code is codes.UNAUTHENTICATED:
        return AuthenticationFailed(*problems)
    causes = tuple(StatusCause(c.field, c.reason, _without_echo(c.message)) for c in details.causes[:MAX_CAUSES])
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


def _without_echo(message: str) -> str:
    return clip(_ECHO.sub("", message) if "strict decoding error" in message else message, 4 * MAX_MESSAGE)


def _findings(asked: Asked, status: int, answer: Status, message: str) -> tuple[_Finding, ...]:
    """At least one finding. Admission goes first: a policy may answer with any status code it likes."""
    schema = _schema_findings(message)
    if schema:
        return schema
    admission = _admission(message)
    if admission is not None:
        return (admission,)
    details = answer.details or _NO_DETAILS
    if status == 401:
        return (_unauthenticated(asked),)
    if status == 403:
        return (_forbidden(details, message),)
    if status == 404:
        return (_not_found(asked, answer, details, message),)
    if status == 409:
        return _conflict(details, message)
    if status in {400, 422, 413, 415}:
        return _invalid(details, message)
    if status in {408, 429} or status >= 500:
        return (_Finding(codes.API_UNAVAILABLE, _busy_title(asked, status), cause=message, fix="it is tried again"),)
    return (_Finding(codes.INVALID_OBJECT, f"the API server answered {status}", cause=message),)


def _busy_title(asked: Asked, status: int) -> str:
    what = "asks to wait" if status == 429 else f"answered {status}"
    return f"the API server {printable(asked.server)} {what}"


def _schema_findings(message: str) -> tuple[_Finding, ...]:
    typed = _TYPED_PATCH.search(message)
    if typed is not None:
        found = [_typed(m["field"], m["what"]) for m in _TYPED_ERROR.finditer(typed["errors"])]
        return tuple(found) or (
            _schema(codes.INVALID_OBJECT, "the object does not fit its schema", "", typed["errors"]),
        )
    strict = _STRICT.search(message)
    if strict is None:
        return ()
    found = [_strict(m["what"], m["field"]) for m in _STRICT_ERROR.finditer(strict["errors"])]
    return tuple(found[:MAX_CAUSES]) or (
        _schema(codes.INVALID_OBJECT, "the object can't be decoded", "", strict["errors"]),
    )


def _typed(field: str, what: str) -> _Finding:
    path = field.removeprefix(".")
    if what.strip() == _NOT_DECLARED:
        return _schema(codes.UNKNOWN_FIELD, f"unknown field {path}", path, "its schema has no such field")
    if what.startswith("expected "):
        return _schema(codes.BAD_TYPE, f"{path} has the wrong type", path, what)
    return _schema(codes.INVALID_OBJECT, f"{path} is not valid", path, what)


def _strict(what: str, field: str) -> _Finding:
    if what == "unknown":
        return _schema(codes.UNKNOWN_FIELD, f"unknown field {field}", field, "its schema has no such field")
    return _schema(codes.YAML_DUPLICATE_KEY, f"{field} stands twice", field, "a field may be set once")


def _schema(code: Code, title: str, field: str, cause: str) -> _Finding:
    """The request is wrong, whatever the status says: it is 422 Invalid, so that nobody tries it again unchanged."""
    fix = "check the spelling and the indentation" if code is codes.UNKNOWN_FIELD else "correct the field"
    return _Finding(code, clip(title, 200), field, cause, fix, reason="Invalid", status=422)


def _admission(message: str) -> _Finding | None:
    denied = _WEBHOOK_DENIED.search(message)
    if denied is not None:
        title = f'the admission webhook "{denied["who"]}" refused the object'
        return _Finding(
            codes.ADMISSION_DENIED, title, cause=denied["why"] or "without explanation", fix="meet the policy"
        )
    policy = _POLICY_DENIED.search(message)
    if policy is not None:
        return _Finding(
            codes.ADMISSION_DENIED, f"{policy['who']} refused the object", cause=policy["why"], fix="meet the policy"
        )
    failed = _WEBHOOK_FAILED.search(message)
    if failed is not None:
        title = f'the admission webhook "{failed["who"]}" did not answer'
        return _Finding(
            codes.WEBHOOK_UNREACHABLE, title, cause=failed["why"], fix="look at the webhook's Service and pods"
        )
    conversion = _CONVERSION_FAILED.search(message)
    if conversion is not None:
        title = f"the conversion webhook for {clip(conversion['who'], 100)} failed"
        return _Finding(
            codes.WEBHOOK_UNREACHABLE, title, cause=conversion["why"], fix="look at the webhook's Service and pods"
        )
    return None


def _unauthenticated(asked: Asked) -> _Finding:
    title = f"the API server {printable(asked.server)} does not accept the credentials"
    return _Finding(
        codes.UNAUTHENTICATED, title, fix="renew the token, certificate or login of this kubeconfig context"
    )


def _forbidden(details: _Details, message: str) -> _Finding:
    for cause in details.causes:
        if cause.reason == "NamespaceTerminating":
            fix = "wait until it is gone, or look at what holds it: kubectl get namespace -o yaml"
            return _Finding(
                codes.NAMESPACE_TERMINATING, "the namespace is being deleted", cause.field, cause.message, fix
            )
    quota = _QUOTA.search(message)
    if quota is not None:
        return _Finding(
            codes.QUOTA_EXCEEDED,
            "a ResourceQuota refuses the object",
            cause=quota["what"],
            fix="raise the quota or ask for less",
        )
    if _RBAC.search(message):
        fix = "grant the rights with a Role and a RoleBinding"
        return _Finding(codes.FORBIDDEN, "the account may not do this", cause=message, fix=fix)
    return _Finding(
        codes.ADMISSION_DENIED, "an admission plugin refused the object", cause=message, fix="meet the policy"
    )


def _not_found(asked: Asked, answer: Status, details: _Details, message: str) -> _Finding:
    about_namespace = details.kind == "namespaces" and not details.group
    if about_namespace and asked.subject is not None and asked.subject.kind != "Namespace":
        title = f"namespace {printable(details.name)} does not exist"
        fix = "add the Namespace to the repository, or create it"
        return _Finding(codes.NAMESPACE_ABSENT, title, "metadata.namespace", message, fix)
    if answer.kind != "Status" or not details.name:
        fix = "add its CRD, or correct apiVersion and kind"
        return _Finding(
            codes.UNKNOWN_KIND, "the API server does not serve this kind", cause=message, fix=fix, reason="NotFound"
        )
    return _Finding(codes.TARGET_MISSING, "no such object", cause=message)


def _conflict(details: _Details, message: str) -> tuple[_Finding, ...]:
    owned = [cause for cause in details.causes if cause.reason == "FieldManagerConflict"]
    if not owned:
        # Preconditions: the caller knows what it demanded, so the sentence is enough.
        return (
            _Finding(
                codes.INVALID_OBJECT, "the object is not as expected", cause=message, fix="it is read and tried again"
            ),
        )
    return tuple(_owned_field(cause) for cause in owned[:MAX_CAUSES])


def _owned_field(cause: _Cause) -> _Finding:
    path = cause.field.removeprefix(".")
    other = _OTHER_MANAGER.search(cause.message)
    who = f'"{other["who"]}"' if other is not None else "another field manager"
    title = f"{clip(path, 200)} belongs to {who}"
    return _Finding(codes.FIELD_CONFLICT_LIVE, title, path, cause.message, "leave the field to it, or take it by force")


def _invalid(details: _Details, message: str) -> tuple[_Finding, ...]:
    if not details.causes:
        return (_invalid_field(_Cause(message=message)),)
    return tuple(_invalid_field(cause) for cause in details.causes[:MAX_CAUSES])


def _invalid_field(cause: _Cause) -> _Finding:
    field = "" if cause.field == "<nil>" else cause.field
    if cause.reason in {"FieldValueInvalid", "FieldValueForbidden", ""} and _IMMUTABLE.search(cause.message):
        fix = "give the object a new name, or let it be recreated (kustomize.toolkit.fluxcd.io/force: enabled)"
        return _Finding(codes.IMMUTABLE_FIELD, f"{field or 'a field'} can't be changed", field, cause.message, fix)
    if cause.reason == "FieldValueRequired":
        return _Finding(codes.MISSING_FIELD, f"{field} is missing", field, cause.message, f"set {field}")
    if cause.reason == "FieldValueTypeInvalid":
        return _Finding(codes.BAD_TYPE, f"{field} has the wrong type", field, cause.message, "correct the field")
    if cause.reason == "FieldValueTooLong" and field in {"data", "stringData", "binaryData"}:
        return _Finding(codes.OBJECT_TOO_BIG, "the object is too large", field, cause.message, "split it")
    title = f"{field} is not valid" if field else "the API server refused the object"
    return _Finding(codes.INVALID_OBJECT, title, field, cause.message, "correct the field" if field else "")
