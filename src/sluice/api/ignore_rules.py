"""spec.ignore → rules that the core can match: pointers checked, patterns and label selectors read."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.api.kustomization import IgnoreRule, Selector
from sluice.core.ignored_fields import IgnoredFields, parse_pointer
from sluice.core.selector import ObjectSelector, parse_labels, parse_pattern

MAX_RULES = 100
MAX_PATHS = 100


def faults_of(rules: tuple[IgnoreRule, ...]) -> list[tuple[str, str]]:
    """What is wrong with them, as pairs of a field below `spec` and why."""
    if len(rules) > MAX_RULES:
        return [("ignore", f"it has more than {MAX_RULES} rules")]
    faults = []
    for number, rule in enumerate(rules):
        if not 0 < len(rule.paths) <= MAX_PATHS:
            faults.append((f"ignore[{number}].paths", f"it must have 1 to {MAX_PATHS} paths"))
            continue
        for place, path in enumerate(rule.paths):
            try:
                parse_pointer(path)
            except ValueError as error:
                faults.append((f"ignore[{number}].paths[{place}]", str(error)))
        try:
            _selector(rule.target)
        except ValueError as error:
            faults.append((f"ignore[{number}].target", str(error)))
    return faults


def rules_of(rules: Iterable[IgnoreRule]) -> tuple[IgnoredFields, ...]:
    """Read them. Raises ValueError on what `faults_of` finds."""
    return tuple(IgnoredFields(rule.paths, _selector(rule.target)) for rule in rules)


def _selector(target: Selector | None) -> ObjectSelector:
    if target is None:
        return ObjectSelector()
    names = tuple(
        (part, parse_pattern(text))
        for part in ("group", "version", "kind", "name", "namespace")
        if (text := getattr(target, part))
    )
    return ObjectSelector(names, parse_labels(target.labelSelector), parse_labels(target.annotationSelector))
