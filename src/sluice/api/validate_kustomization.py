"""A Kustomization's spec → what is wrong with it, beyond what the schema refuses.

The result depends on the spec and the flags alone: references to other objects are looked up by the reconciler.
"""

from __future__ import annotations

import re

from sluice.api.honoured import KUSTOMIZATION_FIELDS_REFUSED, KUSTOMIZATION_VALUES
from sluice.api.ignore_rules import faults_of
from sluice.api.kinds import IN_GROUP
from sluice.api.kustomization import GROUP, KIND, Kustomization, KustomizationSpec
from sluice.api.validate import SpecRules, SpecSubject
from sluice.core.cel import CelError, parse_cel
from sluice.core.codes import BAD_NAME, CEL_INVALID, DEPENDENCY_CYCLE, GROUP_NAME, SPEC_INVALID, VARIABLE_INVALID
from sluice.core.duration import parse_duration
from sluice.core.health import CustomHealth
from sluice.core.ids import ResourceId, split_api_version
from sluice.core.name_rules import is_account_name, label_name_fault
from sluice.core.problem import Problem, clip
from sluice.core.tree_path import clean_path

_VARIABLE = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*")
MAX_LABEL_VALUE = 63
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def validate_kustomization(sync: Kustomization, rules: SpecRules) -> tuple[Problem, ...]:
    """Everything wrong with the spec at once; empty when a run may begin. All of it is the user's to fix."""
    spec = sync.spec
    subject = SpecSubject(ResourceId(GROUP, KIND, sync.metadata.namespace, sync.metadata.name))
    values = {
        "sourceRef.kind": spec.sourceRef.kind,
    }
    return (
        *_check_name(subject),
        *_check_group(subject, sync),
        *subject.check_values(values, KUSTOMIZATION_VALUES),
        *subject.check_unused(spec, KUSTOMIZATION_FIELDS_REFUSED),
        *subject.check_duration("interval", spec.interval),
        *subject.check_duration("retryInterval", spec.retryInterval),
        *subject.check_duration("timeout", spec.timeout),
        *subject.check_namespace("sourceRef.namespace", spec.sourceRef.namespace, rules),
        *_check_target_namespace(subject, spec.targetNamespace),
        *_check_account(subject, spec.serviceAccountName),
        *_check_paths(subject, spec),
        *_check_dependencies(subject, spec),
        *_check_variables(subject, spec),
        *_check_ignore(subject, spec),
        *_check_expressions(subject, spec),
    )


def health_rules(sync: Kustomization) -> tuple[CustomHealth, ...]:
    """The rules of `spec.healthCheckExprs`. Call it only with a spec without Problems."""
    return tuple(
        CustomHealth(
            split_api_version(each.apiVersion)[0],
            each.kind,
            parse_cel(each.current),
            parse_cel(each.inProgress) if each.inProgress else None,
            parse_cel(each.failed) if each.failed else None,
        )
        for each in sync.spec.healthCheckExprs
    )


def warn_kustomization(sync: Kustomization) -> tuple[str, ...]:
    """Sentences about what is allowed but hardly meant. Call it only with a spec without Problems."""
    spec = sync.spec
    if spec.timeout and parse_duration(spec.timeout) > parse_duration(spec.interval):
        return (f"spec.timeout {spec.timeout} is longer than spec.interval {spec.interval}",)
    return ()


def _check_name(subject: SpecSubject) -> list[Problem]:
    """Every applied object carries the name in its owner label, and a label's value has a limit."""
    name = subject.id.name
    if len(name) <= MAX_LABEL_VALUE:
        return []
    title = f"the Kustomization's name is longer than {MAX_LABEL_VALUE} characters"
    cause = "it is written into the owner label of every object"
    return [Problem(BAD_NAME, title, subject=subject.id, field="metadata.name", cause=cause, fix="use a shorter name")]


def _check_group(subject: SpecSubject, sync: Kustomization) -> list[Problem]:
    name = sync.metadata.annotations.get(IN_GROUP)
    fault = label_name_fault(name) if name is not None else ""
    if not fault:
        return []
    return [
        Problem(
            GROUP_NAME,
            f"{clip(repr(name), 80)} is no name of a group",
            subject=subject.id,
            field=f"metadata.annotations[{IN_GROUP}]",
            cause=fault,
            fix="give it a name of lower case letters, digits and '-', or remove the annotation",
        )
    ]


def _check_target_namespace(subject: SpecSubject, namespace: str) -> list[Problem]:
    if not namespace or _DNS_LABEL.fullmatch(namespace):
        return []
    title = f"spec.targetNamespace {clip(namespace, 63)!r} is not a namespace's name"
    fix = "use at most 63 lower-case letters, digits and dashes"
    return [subject.problem(BAD_NAME, "targetNamespace", title, fix)]


def _check_account(subject: SpecSubject, account: str) -> list[Problem]:
    """The name becomes a part of the user that requests are made as: nothing else may get in with it."""
    if not account or is_account_name(account):
        return []
    title = f"spec.serviceAccountName {clip(repr(account), 80)} is not a ServiceAccount's name"
    fix = "write the name of a ServiceAccount of this namespace, without the namespace"
    return [subject.problem(BAD_NAME, "serviceAccountName", title, fix)]


def _check_paths(subject: SpecSubject, spec: KustomizationSpec) -> list[Problem]:
    problems = subject.check_path("path", spec.path)
    base = "" if problems else clean_path(spec.path)
    for index, component in enumerate(spec.components):
        field = f"components[{index}]"
        if component.startswith("/") or "://" in component:
            title = f"spec.{field} {clip(component, 100)!r} is not a relative path"
            fix = "write a path relative to spec.path; remote components are not fetched"
            problems.append(subject.problem(SPEC_INVALID, field, title, fix))
        else:
            problems.extend(subject.check_path(field, component, base))
    return problems


def _check_dependencies(subject: SpecSubject, spec: KustomizationSpec) -> list[Problem]:
    problems: list[Problem] = []
    for index, dependency in enumerate(spec.dependsOn):
        field = f"dependsOn[{index}]"
        namespace = dependency.namespace or subject.id.namespace
        if (namespace, dependency.name) == (subject.id.namespace, subject.id.name):
            title = f"spec.{field} names the Kustomization itself"
            problems.append(subject.problem(DEPENDENCY_CYCLE, field, title, f"remove spec.{field}"))
    return problems


def _check_variables(subject: SpecSubject, spec: KustomizationSpec) -> list[Problem]:
    names = spec.postBuild.substitute if spec.postBuild is not None else {}
    return [
        subject.problem(
            VARIABLE_INVALID,
            "postBuild.substitute",
            f"spec.postBuild.substitute has the name {clip(name, 100)!r}",
            "use letters, digits and underscores, and begin with no digit",
        )
        for name in names
        if not _VARIABLE.fullmatch(name)
    ]


def _check_ignore(subject: SpecSubject, spec: KustomizationSpec) -> list[Problem]:
    fix = "write JSON pointers like /spec/replicas, and a target of plain patterns and label selectors"
    return [
        subject.problem(SPEC_INVALID, field, f"spec.{field} can't be used", fix, clip(why, 300))
        for field, why in faults_of(spec.ignore)
    ]


def _check_expressions(subject: SpecSubject, spec: KustomizationSpec) -> list[Problem]:
    asked = [
        (f"healthCheckExprs[{index}].{name}", text, ())
        for index, each in enumerate(spec.healthCheckExprs)
        for name, text in (("current", each.current), ("inProgress", each.inProgress), ("failed", each.failed))
        if text or name == "current"
    ]
    ready = [
        (f"dependsOn[{index}].readyExpr", each.readyExpr, ("self", "dep"))
        for index, each in enumerate(spec.dependsOn)
        if each.readyExpr
    ]
    problems = []
    for field, text, variables in (*asked, *ready):
        try:
            parse_cel(text, *variables)
        except CelError as error:
            fix = "write a CEL expression that is true or false"
            problems.append(subject.problem(CEL_INVALID, field, f"spec.{field} can't be read", fix, str(error)))
    return problems
