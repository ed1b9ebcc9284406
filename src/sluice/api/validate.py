"""Checks that a schema can't express, shared by the kinds: each turns a field's value into Problems, all at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sluice.core.codes import CROSS_NAMESPACE, NOT_HONOURED, PATH_ESCAPE, PATH_NOT_ALLOWED, SPEC_INVALID
from sluice.core.duration import FORMS, format_duration, parse_duration
from sluice.core.ids import ResourceId
from sluice.core.problem import Code, Problem, clip
from sluice.core.tree_path import clean_path

MIN_DURATION = 1.0
MAX_DURATION = 10 * 366 * 24 * 3600.0  # people write years to say "never"


@dataclass(frozen=True, slots=True)
class SpecRules:
    """What the operator's flags add to the checks."""

    no_cross_namespace_refs: bool = False
    cross_namespace_alerts: bool = False


@dataclass(frozen=True, slots=True)
class SpecSubject:
    """The object whose spec is checked; it gives every Problem its subject and its full field name."""

    id: ResourceId

    def problem(self, code: Code, field: str, title: str, fix: str, cause: str = "") -> Problem:
        """A Problem about `spec.<field>`."""
        return Problem(code, title, subject=self.id, field=f"spec.{field}", cause=cause, fix=fix)

    def check_duration(self, field: str, value: str) -> list[Problem]:
        """Refuse what Go can't parse, and what is too short or too long to be meant. An unset one is fine."""
        if not value:
            return []
        fix = f"write {FORMS}; at least {format_duration(MIN_DURATION)}"
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            return [self.problem(SPEC_INVALID, field, f"spec.{field} is not a duration", fix, clip(str(error), 300))]
        if seconds < MIN_DURATION:
            return [self.problem(SPEC_INVALID, field, f"spec.{field} {value} is too short", fix)]
        if seconds > MAX_DURATION:
            return [self.problem(SPEC_INVALID, field, f"spec.{field} {value} is too long", "write at most 87600h")]
        return []

    def check_path(self, field: str, value: str, base: str = "") -> list[Problem]:
        """Refuse a path that leaves the source, or holds control characters."""
        if not value.isprintable():
            title = f"spec.{field} holds a control character"
            return [self.problem(PATH_NOT_ALLOWED, field, title, "write the path with printable characters")]
        try:
            clean_path(value, base)
        except ValueError as error:
            title = f"spec.{field} {clip(value, 100)!r} is not a path inside the source"
            return [self.problem(PATH_ESCAPE, field, title, "write a path relative to the source's root", str(error))]
        return []

    def check_values(self, values: Mapping[str, str], honoured: Mapping[str, frozenset[str]]) -> list[Problem]:
        """Refuse, by name, each value of a choice that this version does not act on."""
        problems = []
        for field, value in values.items():
            known = honoured[field]
            if value and value not in known:
                fix = f"use {' or '.join(sorted(known))}" if known else f"remove spec.{field}"
                title = f"spec.{field}: {value} is not supported by this version"
                problems.append(self.problem(NOT_HONOURED, field, title, fix))
        return problems

    def check_unused(self, spec: object, fields: Iterable[str], prefix: str = "") -> list[Problem]:
        """Refuse, by name, each field that is set and that this version does not act on."""
        return [
            self.problem(
                NOT_HONOURED,
                prefix + field,
                f"spec.{prefix}{field} is not supported by this version",
                f"remove spec.{prefix}{field}",
            )
            for field in fields
            if getattr(spec, field) not in (None, "", ())
        ]

    def check_namespace(self, field: str, namespace: str, rules: SpecRules) -> list[Problem]:
        """Refuse a reference to another namespace where the operator runs without them."""
        if not rules.no_cross_namespace_refs or namespace in {"", self.id.namespace}:
            return []
        title = f"spec.{field} names namespace {clip(namespace, 63)!r}"
        cause = "references to other namespaces are switched off (--no-cross-namespace-refs)"
        return [self.problem(CROSS_NAMESPACE, field, title, f"use an object of namespace {self.id.namespace}", cause)]
