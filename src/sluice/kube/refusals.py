"""The sentences and causes of a metav1.Status to findings: which of our codes, which field, which fix.

A refusal is judged by its structured reason and causes first. Where the server gives only a sentence, the pattern is
in this module, and `tests/contract/kube/test_refusals.py` holds each against the real API server's answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.problem import Code, clip, printable

MAX_CAUSES = 64
MAX_MESSAGE = 2048
MAX_CAUSE = 300

# Server-side apply answers a schema mismatch with a bare 500 and one sentence; the others with a sentence in a 400.
_TYPED_PATCH = re.compile(r"^failed to create typed (?:patch|live) object \(.*?\): (?P<errors>.+)$", re.DOTALL)
_TYPED_ERROR = re.compile(r"(?:^|\n\s*)(?P<field>\.[^\n]*?): (?P<what>[^\n]+)")
_NOT_DECLARED = "field not declared in schema"
# An apply of what can't be read as its kind (a quantity, a time) is a bare 500, too; a create of it is a 400.
_UNREADABLE = re.compile(
    r"(?:unable to convert unstructured object to|cannot be handled as an?) [^:]+: (?P<why>.+)$", re.DOTALL
)
_QUANTITY = "quantities must match the regular expression"
# What a structured value looks like when the server prints it as Go has it.
_GO_VALUE = re.compile(r"&?value\.valueUnstructured\{Value:(?P<value>.*)\}$", re.DOTALL)
_SCALAR_FOR_TEXT = re.compile(r"expected string, got (?:-?[0-9.e+-]+|true|false|numeric|boolean|float|int)")
_STRICT = re.compile(r"strict decoding error: (?P<errors>.+)$", re.DOTALL)
_STRICT_ERROR = re.compile(r'(?P<what>unknown|duplicate) field "(?P<field>[^"]+)"')
_IMMUTABLE = re.compile(
    r"\bimmutable\b|may not change once set|cannot be changed|updates to .+ are forbidden|may not be changed"
)
_QUOTA = re.compile(r"is forbidden: (?P<what>exceeded quota: .+|failed quota: .+)$", re.DOTALL)
_RBAC = re.compile(r"\buser \".*\" (?:\(groups=.*\) )?(?:cannot |is attempting to grant )", re.IGNORECASE | re.DOTALL)
_RIGHT = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>[a-z*]+) resource "(?P<resource>[a-z0-9./*-]+)"'
    r' in API group "(?P<group>[a-z0-9.*-]*)"(?: in the namespace "(?P<namespace>[a-z0-9-]+)")?'
)
_ACCOUNT = re.compile(r"system:serviceaccount:(?P<namespace>[a-z0-9-]+):(?P<name>[a-z0-9.-]+)")
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


NO_DETAILS = _Details()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request was about, for the error that it may end in."""

    server: str
    subject: ResourceId | None = None
    verb: str = "get"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one sentence of a refusal means: our code, the field it is about, and what to do."""

    code: Code
    title: str
    field: str = ""
    cause: str = ""
    fix: str = ""
    reason: str = ""
    status: int = 0


def without_echo(message: str) -> str:
    """The message without the object that a strict refusal repeats: it may be a Secret."""
    return clip(_ECHO.sub("", message) if "strict decoding error" in message else message, 4 * MAX_MESSAGE)


def findings_of(asked: Asked, status: int, answer: Status, message: str) -> tuple[Finding, ...]:
    """At least one finding. Admission goes first: a policy may answer with any status code it likes."""
    schema = _schema_findings(message)
    if schema:
        return schema
    admission = _admission(message)
    if admission is not None:
        return (admission,)
    details = answer.details or NO_DETAILS
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
        return (Finding(codes.API_UNAVAILABLE, _busy_title(asked, status), cause=message, fix="it is tried again"),)
    return (Finding(codes.INVALID_OBJECT, f"the API server answered {status}", cause=message),)


def _busy_title(asked: Asked, status: int) -> str:
    what = "asks to wait" if status == 429 else f"answered {status}"
    return f"the API server {printable(asked.server)} {what}"


def _schema_findings(message: str) -> tuple[Finding, ...]:
    typed = _TYPED_PATCH.search(message)
    if typed is not None:
        found = [_typed(m["field"], m["what"]) for m in _TYPED_ERROR.finditer(typed["errors"])]
        return tuple(found) or (
            _schema(codes.INVALID_OBJECT, "the object does not fit its schema", "", typed["errors"]),
        )
    strict = _STRICT.search(message)
    if strict is None:
        unreadable = _UNREADABLE.search(message)
        return (_unreadable(unreadable["why"]),) if unreadable is not None else ()
    found = [_strict(m["what"], m["field"]) for m in _STRICT_ERROR.finditer(strict["errors"])]
    return tuple(found[:MAX_CAUSES]) or (
        _schema(codes.INVALID_OBJECT, "the object can't be decoded", "", strict["errors"]),
    )


def _typed(field: str, what: str) -> Finding:
    path = field.removeprefix(".")
    if what.strip() == _NOT_DECLARED:
        return _schema(codes.UNKNOWN_FIELD, f"unknown field {path}", path, "its schema has no such field")
    if what.startswith("expected "):
        said = _GO_VALUE.sub(lambda found: clip(found["value"], 100), what)
        return _schema(codes.BAD_TYPE, f"{path} has the wrong type", path, said, _type_fix(said))
    return _schema(codes.INVALID_OBJECT, f"{path} is not valid", path, what)


def _type_fix(said: str) -> str:
    if _SCALAR_FOR_TEXT.fullmatch(said):
        return "quote it"
    if said.startswith(("expected numeric", "expected boolean")) and said.endswith("got string"):
        return "take the quotes away"
    return "correct the field"


def _unreadable(why: str) -> Finding:
    """The server names no field. BAD_TYPE without one is a quantity: whoever has the schema can find it."""
    if why.startswith(_QUANTITY):
        fix = "write a number, with a unit if need be: 500m, 128Mi, 10Gi"
        return _schema(codes.BAD_TYPE, "a quantity can't be read", "", why, fix)
    return _schema(codes.INVALID_OBJECT, "the object can't be read as its kind", "", why)


def _strict(what: str, field: str) -> Finding:
    if what == "unknown":
        return _schema(codes.UNKNOWN_FIELD, f"unknown field {field}", field, "its schema has no such field")
    return _schema(codes.YAML_DUPLICATE_KEY, f"{field} stands twice", field, "a field may be set once")


def _schema(code: Code, title: str, field: str, cause: str, fix: str = "") -> Finding:
    """The request is wrong, whatever the status says: it is 422 Invalid, so that nobody tries it again unchanged."""
    fix = fix or ("check the spelling and the indentation" if code is codes.UNKNOWN_FIELD else "correct the field")
    return Finding(code, clip(title, 200), field, cause, fix, reason="Invalid", status=422)


def _admission(message: str) -> Finding | None:
    denied = _WEBHOOK_DENIED.search(message)
    if denied is not None:
        title = f'the admission webhook "{denied["who"]}" refused the object'
        return Finding(
            codes.ADMISSION_DENIED, title, cause=denied["why"] or "without explanation", fix="meet the policy"
        )
    policy = _POLICY_DENIED.search(message)
    if policy is not None:
        return Finding(
            codes.ADMISSION_DENIED, f"{policy['who']} refused the object", cause=policy["why"], fix="meet the policy"
        )
    failed = _WEBHOOK_FAILED.search(message)
    if failed is not None:
        title = f'the admission webhook "{failed["who"]}" did not answer'
        return Finding(
            codes.WEBHOOK_UNREACHABLE, title, cause=failed["why"], fix="look at the webhook's Service and pods"
        )
    conversion = _CONVERSION_FAILED.search(message)
    if conversion is not None:
        title = f"the conversion webhook for {clip(conversion['who'], 100)} failed"
        return Finding(
            codes.WEBHOOK_UNREACHABLE, title, cause=conversion["why"], fix="look at the webhook's Service and pods"
        )
    return None


def _unauthenticated(asked: Asked) -> Finding:
    title = f"the API server {printable(asked.server)} does not accept the credentials"
    return Finding(codes.UNAUTHENTICATED, title, fix="renew the token, certificate or login of this kubeconfig context")


def _forbidden(details: _Details, message: str) -> Finding:
    for cause in details.causes:
        if cause.reason == "NamespaceTerminating":
            fix = "wait until it is gone, or look at what holds it: kubectl get namespace -o yaml"
            return Finding(
                codes.NAMESPACE_TERMINATING, "the namespace is being deleted", cause.field, cause.message, fix
            )
    quota = _QUOTA.search(message)
    if quota is not None:
        return Finding(
            codes.QUOTA_EXCEEDED,
            "a ResourceQuota refuses the object",
            cause=quota["what"],
            fix="raise the quota or ask for less",
        )
    if _RBAC.search(message):
        return _not_allowed(message)
    return Finding(
        codes.ADMISSION_DENIED, "an admission plugin refused the object", cause=message, fix="meet the policy"
    )


def _not_allowed(message: str) -> Finding:
    """Who lacks which right, and the Role that would give it."""
    lacking = _RIGHT.search(message)
    if lacking is None:
        fix = "grant the rights with a Role and a RoleBinding"
        return Finding(codes.FORBIDDEN, "the account may not do this", cause=message, fix=fix)
    account = _ACCOUNT.fullmatch(lacking["user"])
    who = f"ServiceAccount {account['namespace']}/{account['name']}" if account else f"user {lacking['user']}"
    verb, resource, group, namespace = lacking["verb"], lacking["resource"], lacking["group"], lacking["namespace"]
    if verb == "impersonate":
        fix = f"let {who} impersonate serviceaccounts, as the ClusterRole that `sluice install` makes does"
        return Finding(codes.FORBIDDEN, f"{who} may not act as another account", cause=message, fix=fix)
    role, where = ("Role", f" in namespace {namespace}") if namespace else ("ClusterRole", "")
    rule = f'apiGroups: ["{group}"], resources: [{resource}], verbs: [{verb}]'
    title = f"{who} may not {verb} {resource}{'.' + group if group else ''}{where}"
    fix = f"bind a {role}{where} with {{{rule}}} to it, if it should"
    return Finding(codes.FORBIDDEN, title, cause=message, fix=fix)


def _not_found(asked: Asked, answer: Status, details: _Details, message: str) -> Finding:
    about_namespace = details.kind == "namespaces" and not details.group
    if about_namespace and asked.subject is not None and asked.subject.kind != "Namespace":
        title = f"namespace {printable(details.name)} does not exist"
        fix = "correct the name, add the Namespace to the repository, or create it"
        return Finding(codes.NAMESPACE_ABSENT, title, "metadata.namespace", message, fix)
    if answer.kind != "Status" or not details.name:
        fix = "add its CRD, or correct apiVersion and kind"
        return Finding(
            codes.UNKNOWN_KIND, "the API server does not serve this kind", cause=message, fix=fix, reason="NotFound"
        )
    return Finding(codes.TARGET_MISSING, "no such object", cause=message)


def _conflict(details: _Details, message: str) -> tuple[Finding, ...]:
    owned = [cause for cause in details.causes if cause.reason == "FieldManagerConflict"]
    if not owned:
        # Preconditions: the caller knows what it demanded, so the sentence is enough.
        return (
            Finding(
                codes.OBJECT_CHANGED, "the object changed meanwhile", cause=message, fix="it is read and tried again"
            ),
        )
    return tuple(_owned_field(cause) for cause in owned[:MAX_CAUSES])


def _owned_field(cause: _Cause) -> Finding:
    path = cause.field.removeprefix(".")
    other = _OTHER_MANAGER.search(cause.message)
    who = f'"{other["who"]}"' if other is not None else "another field manager"
    title = f"{clip(path, 200)} belongs to {who}"
    return Finding(codes.FIELD_CONFLICT_LIVE, title, path, cause.message, "leave the field to it, or take it by force")


def _invalid(details: _Details, message: str) -> tuple[Finding, ...]:
    if not details.causes:
        return (_invalid_field(_Cause(message=message)),)
    return tuple(_invalid_field(cause) for cause in details.causes[:MAX_CAUSES])


def _invalid_field(cause: _Cause) -> Finding:
    field = "" if cause.field == "<nil>" else cause.field
    if cause.reason in {"FieldValueInvalid", "FieldValueForbidden", ""} and _IMMUTABLE.search(cause.message):
        fix = "give the object a new name, or let it be recreated (kustomize.toolkit.fluxcd.io/force: enabled)"
        title = f"{field or 'a field'} can't be changed"
        return Finding(codes.IMMUTABLE_FIELD, title, field, _without_value(cause.message), fix)
    if cause.reason == "FieldValueRequired":
        return Finding(codes.MISSING_FIELD, f"{field} is missing", field, cause.message, f"set {field}")
    if cause.reason == "FieldValueTypeInvalid":
        return Finding(codes.BAD_TYPE, f"{field} has the wrong type", field, cause.message, "correct the field")
    if cause.reason == "FieldValueTooLong" and field in {"data", "stringData", "binaryData"}:
        return Finding(codes.OBJECT_TOO_BIG, "the object is too large", field, cause.message, "split it")
    title = f"{field} is not valid" if field else "the API server refused the object"
    why = _without_value(cause.message)
    return Finding(codes.INVALID_OBJECT, title, field, why, "correct the field" if field else "")


def _without_value(message: str) -> str:
    """What is wrong stands behind the value, which may be a whole pod template."""
    value, colon, why = message.rpartition(": ")
    if not message.startswith("Invalid value: ") or len(message) <= MAX_CAUSE or len(why) > MAX_CAUSE:
        return message
    return f"{clip(value, 100)}{colon}{why}"
