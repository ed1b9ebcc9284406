"""The specs of Provider and Alert → what is wrong with them, beyond the schema, and the rule that an alert is.

Neither kind has a status, so what is found here is told in an event on the object and in the log.
"""

from __future__ import annotations

import msgspec

from sluice.api import alert as alert_api
from sluice.api import provider as provider_api
from sluice.api.alert import Alert, EventSourceRef
from sluice.api.honoured import PROVIDER_FIELDS_REFUSED, PROVIDER_VALUES
from sluice.api.provider import COMMIT_STATUS_TYPES, GIT_HOST_TYPES, Provider
from sluice.api.validate import SpecRules, SpecSubject
from sluice.core.alert_routing import ANY_NAME, AlertRule, EventSource
from sluice.core.cel import CelError, parse_cel
from sluice.core.codes import CEL_INVALID, CROSS_NAMESPACE, FIELD_CONFLICT, REGEX_REJECTED
from sluice.core.errors import UserError
from sluice.core.event import Event
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem, clip, printable
from sluice.core.regular_expression import PatternError, RegularExpression, parse_pattern

# What commitStatusExpr may speak of.
STATUS_VARIABLES = ("event", "alert", "provider")
ALLOWED_BY = "--allow-cross-namespace-alerts"


def validate_provider(provider: Provider) -> tuple[Problem, ...]:
    """Everything wrong with the spec at once; empty when something may be sent. All of it is the user's to fix."""
    spec, subject = provider.spec, _provider_subject(provider)
    return (
        *subject.check_values({"type": spec.type}, PROVIDER_VALUES),
        *subject.check_unused(spec, PROVIDER_FIELDS_REFUSED),
        *subject.check_duration("timeout", spec.timeout),
        *_check_status_expression(subject, provider),
        *_check_incidents(subject, provider),
    )


def _check_incidents(subject: SpecSubject, provider: Provider) -> list[Problem]:
    type_ = provider.spec.type
    if not provider.spec.incidents or type_ not in GIT_HOST_TYPES:
        return []
    title = f"spec.incidents means nothing to a provider of type {type_}, which shows the state of each commit"
    return [subject.problem(FIELD_CONFLICT, "incidents", title, "remove spec.incidents")]


def _check_status_expression(subject: SpecSubject, provider: Provider) -> list[Problem]:
    spec = provider.spec
    if not spec.commitStatusExpr:
        return []
    if spec.type not in COMMIT_STATUS_TYPES:
        title = f"spec.commitStatusExpr means nothing to a provider of type {clip(printable(spec.type), 40)}"
        return [subject.problem(FIELD_CONFLICT, "commitStatusExpr", title, "remove spec.commitStatusExpr")]
    try:
        parse_cel(spec.commitStatusExpr, *STATUS_VARIABLES)
    except CelError as error:
        title = "spec.commitStatusExpr can't be read"
        fix = f"write a CEL expression over {', '.join(STATUS_VARIABLES)} that makes a text"
        return [subject.problem(CEL_INVALID, "commitStatusExpr", title, fix, str(error))]
    return []


def commit_status_name(provider: Provider, alert: Alert, event: Event) -> str:
    """What the provider's expression makes of an event that an alert tells; empty without one.

    Raises UserError (CelInvalid) when it has no answer for this event.
    """
    expression = provider.spec.commitStatusExpr
    if not expression:
        return ""
    variables = {
        name: msgspec.to_builtins(value) for name, value in (("event", event), ("alert", alert), ("provider", provider))
    }
    try:
        return parse_cel(expression, *STATUS_VARIABLES).text_for(variables)
    except CelError as error:
        title = "spec.commitStatusExpr has no answer for an event"
        fix = "ask with has() for what not every event has"
        problem = _provider_subject(provider).problem(CEL_INVALID, "commitStatusExpr", title, fix, str(error))
        raise UserError(problem) from None


def validate_alert(alert: Alert, rules: SpecRules) -> tuple[Problem, ...]:
    """Everything wrong with the spec at once; empty when events may be routed. All of it is the user's to fix."""
    spec, subject = alert.spec, _alert_subject(alert)
    return (
        *(p for index, source in enumerate(spec.eventSources) for p in _check_source(subject, index, source, rules)),
        *_check_patterns(subject, "inclusionList", spec.inclusionList),
        *_check_patterns(subject, "exclusionList", spec.exclusionList),
    )


def _check_source(subject: SpecSubject, index: int, source: EventSourceRef, rules: SpecRules) -> list[Problem]:
    field = f"eventSources[{index}]"
    problems = _check_namespace(subject, f"{field}.namespace", source.namespace, rules)
    if source.matchLabels and source.name != ANY_NAME:
        title = f"spec.{field} has a name and matchLabels"
        problems.append(subject.problem(FIELD_CONFLICT, f"{field}.matchLabels", title, "write name: '*', or no labels"))
    return problems


def _check_namespace(subject: SpecSubject, field: str, namespace: str, rules: SpecRules) -> list[Problem]:
    """Whoever may make an alert would read of the objects of others: only where the operator's flags allow it."""
    problems = subject.check_namespace(field, namespace, rules)
    if problems or rules.cross_namespace_alerts or namespace in {"", subject.id.namespace}:
        return problems
    title = f"spec.{field} names namespace {clip(printable(namespace), 63)!r}"
    cause = "an alert tells of its own namespace only"
    fix = f"move the alert and its provider there, or start the operator with {ALLOWED_BY}"
    return [subject.problem(CROSS_NAMESPACE, field, title, fix, cause)]


def _check_patterns(subject: SpecSubject, field: str, patterns: tuple[str, ...]) -> list[Problem]:
    problems = []
    for index, text in enumerate(patterns):
        try:
            parse_pattern(text)
        except PatternError as error:
            title = f"spec.{field}[{index}] is no regular expression"
            fix = "write it as RE2 has them: https://github.com/google/re2/wiki/Syntax"
            problems.append(subject.problem(REGEX_REJECTED, f"{field}[{index}]", title, fix, str(error)))
    return problems


def rule_of(alert: Alert) -> AlertRule:
    """The rule of an alert that `validate_alert` found nothing wrong with; else it raises PatternError."""
    spec, meta = alert.spec, alert.metadata
    return AlertRule(
        alert=meta.key,
        provider=alert.provider,
        sources=tuple(
            EventSource(s.kind, s.namespace or meta.namespace, s.name, tuple(sorted(s.matchLabels.items())))
            for s in spec.eventSources
        ),
        errors_only=spec.eventSeverity == "error",
        included=_compiled(spec.inclusionList),
        excluded=_compiled(spec.exclusionList),
        metadata=tuple(sorted(spec.eventMetadata.items())),
        summary=spec.summary,
    )


def _compiled(patterns: tuple[str, ...]) -> tuple[RegularExpression, ...]:
    return tuple(parse_pattern(text) for text in patterns)


def provider_id(provider: Provider) -> ResourceId:
    """The resource id of a Provider."""
    return ResourceId(provider_api.GROUP, provider_api.KIND, provider.metadata.namespace, provider.metadata.name)


def _provider_subject(provider: Provider) -> SpecSubject:
    return SpecSubject(provider_id(provider))


def _alert_subject(alert: Alert) -> SpecSubject:
    meta = alert.metadata
    return SpecSubject(ResourceId(alert_api.GROUP, alert_api.KIND, meta.namespace, meta.name))
