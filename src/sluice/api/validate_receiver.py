"""A Receiver's spec → what is wrong with it, beyond the schema. All of it is the user's to fix."""

from __future__ import annotations

from sluice.api import receiver
from sluice.api.crds import KINDS
from sluice.api.honoured import RECEIVER_TYPES
from sluice.api.receiver import Receiver, ReceiverResource
from sluice.api.validate import SpecRules, SpecSubject
from sluice.core.cel import CelError, Expression, parse_cel
from sluice.core.codes import CEL_INVALID, SPEC_INVALID
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem

EVERY = "*"
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
    problems = [
        *subject.check_values({"type": spec.type}, RECEIVER_TYPES),
        *subject.check_duration("interval", spec.interval),
    ]
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


def filter_of(item: Receiver, text: str, field: str) -> Expression | None:
    """A filter over `res` and `req`, None for an empty one. Raises UserError (CelInvalid) at the field."""
    if not text:
        return None
    try:
        return parse_cel(text, "res", "req")
    except CelError as error:
        fix = "write a CEL expression over `res` and `req` that is true or false"
        title = f"spec.{field} can't be read"
        raise UserError(_subject(item).problem(CEL_INVALID, field, title, fix, str(error))) from None


def _subject(item: Receiver) -> SpecSubject:
    return SpecSubject(ResourceId(receiver.GROUP, receiver.KIND, item.metadata.namespace, item.metadata.name))
