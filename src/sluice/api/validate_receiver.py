"""A Receiver's spec → what is wrong with it, beyond the schema. All of it is the user's to fix."""

from __future__ import annotations

from sluice.api import receiver
from sluice.api.crds import KINDS
from sluice.api.receiver import OidcProvider, Receiver, ReceiverResource
from sluice.api.validate import SpecRules, SpecSubject
from sluice.core.caller_token import TokenRule
from sluice.core.cel import CelError, Expression, parse_cel
from sluice.core.codes import CEL_INVALID, SPEC_INVALID
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem

EVERY = "*"
OIDC = "generic-oidc"
# What a resource's kind means when it has no apiVersion: our kinds, and those of Flux that are not served here.
API_VERSIONS = {definition.kind: f"{definition.group}/{definition.version}" for definition, _ in KINDS} | {
    "OCIRepository": "source.toolkit.fluxcd.io/v1",
    "Bucket": "source.toolkit.fluxcd.io/v1",
    "HelmRepository": "source.toolkit.fluxcd.io/v1",
    "HelmChart": "source.toolkit.fluxcd.io/v1",
    "HelmRelease": "helm.toolkit.fluxcd.io/v2",
}


def validate_receiver(item: Receiver, rules: SpecRules) -> tuple[Problem, ...]:
    """Everything wrong with the spec at once; empty when calls may be answered."""
    spec, subject = item.spec, _subject(item)
    problems = [*subject.check_duration("interval", spec.interval), *_check_providers(subject, spec.oidcProviders)]
    if spec.type == OIDC and not spec.oidcProviders:
        title, fix = "spec.oidcProviders names nobody whose tokens are accepted", "name an issuer"
        problems.append(subject.problem(SPEC_INVALID, "oidcProviders", title, fix))
    for index, resource in enumerate(spec.resources):
        field = f"resources[{index}]"
        problems += subject.check_namespace(f"{field}.namespace", resource.namespace, rules)
        problems += _check_resource(subject, field, resource)
    return tuple(problems)


def _check_resource(subject: SpecSubject, field: str, resource: ReceiverResource) -> list[Problem]:
    problems = []
    if not resource.apiVersion and resource.kind not in API_VERSIONS:
        title = f"spec.{field} names kind {resource.kind} without an apiVersion"
        problems.append(subject.problem(SPEC_INVALID, f"{field}.apiVersion", title, "write the apiVersion of the kind"))
    if resource.name == EVERY and not resource.matchLabels:
        title = f"spec.{field} names every {resource.kind}, and no labels"
        problems.append(subject.problem(SPEC_INVALID, f"{field}.matchLabels", title, "write matchLabels, or a name"))
    return problems


def _check_providers(subject: SpecSubject, providers: tuple[OidcProvider, ...]) -> list[Problem]:
    problems = []
    issuers = [provider.issuerURL for provider in providers]
    for index, provider in enumerate(providers):
        field = f"oidcProviders[{index}]"
        if not provider.issuerURL.startswith("https://"):
            title, fix = f"spec.{field}.issuerURL is no https URL", "write the issuer's URL, as tokens have it in `iss`"
            problems.append(subject.problem(SPEC_INVALID, f"{field}.issuerURL", title, fix))
        if provider.issuerURL in issuers[:index]:
            title, fix = f"spec.{field} names an issuer for the second time", "put both into one entry"
            problems.append(subject.problem(SPEC_INVALID, f"{field}.issuerURL", title, fix))
        if not provider.validations:
            title = f"spec.{field} accepts every token of its issuer"
            fix = "write a validation that names the callers, such as claims.repository == 'org/app'"
            problems.append(subject.problem(SPEC_INVALID, f"{field}.validations", title, fix))
    return problems


def token_rules_of(item: Receiver) -> tuple[TokenRule, ...]:
    """What spec.oidcProviders says of callers' tokens. Raises UserError (CelInvalid) at the field."""
    return tuple(
        TokenRule(
            provider.issuerURL,
            provider.audience,
            tuple(
                (each.name, _expression(item, each.expression, f"oidcProviders[{index}].variables[{n}].expression"))
                for n, each in enumerate(provider.variables)
            ),
            tuple(
                (
                    _expression(item, each.expression, f"oidcProviders[{index}].validations[{n}].expression"),
                    each.message,
                )
                for n, each in enumerate(provider.validations)
            ),
        )
        for index, provider in enumerate(item.spec.oidcProviders)
    )


def _expression(item: Receiver, text: str, field: str) -> Expression:
    try:
        return parse_cel(text, "claims", "vars")
    except CelError as error:
        fix = "write a CEL expression over `claims` and `vars`"
        title = f"spec.{field} can't be read"
        raise UserError(_subject(item).problem(CEL_INVALID, field, title, fix, str(error))) from None


def filter_of(item: Receiver, text: str, field: str) -> Expression | None:
    """A filter over `res` and `req`, for generic-oidc also over `claims`; None for an empty one.

    Raises UserError (CelInvalid) at the field.
    """
    if not text:
        return None
    names = ("res", "req", "claims") if item.spec.type == OIDC else ("res", "req")
    try:
        return parse_cel(text, *names)
    except CelError as error:
        fix = f"write a CEL expression over {', '.join(f'`{name}`' for name in names)} that is true or false"
        title = f"spec.{field} can't be read"
        raise UserError(_subject(item).problem(CEL_INVALID, field, title, fix, str(error))) from None


def _subject(item: Receiver) -> SpecSubject:
    return SpecSubject(ResourceId(receiver.GROUP, receiver.KIND, item.metadata.namespace, item.metadata.name))
