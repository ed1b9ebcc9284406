"""Flux v2's policies: the fields of an ImagePolicy's spec, and an ImageRepository's exclusion list, become values.

Each function raises UserError with a Problem that names the field; whoever wrote the object can fix it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sluice.core.codes import REGEX_REJECTED, TAG_RANGE
from sluice.core.errors import UserError
from sluice.core.image_policy.filters import AllTags, PatternFilter
from sluice.core.image_policy.orders import AlphabeticalOrder, BuildTimeOrder, NumericalOrder, SemverOrder
from sluice.core.image_policy.policy import TagFilter, TagPolicy, quoted
from sluice.core.problem import Problem
from sluice.core.regular_expression import PatternError, RegularExpression, Template, parse_pattern, parse_template
from sluice.core.semver_range import RangeError, parse_range

Direction = Literal["asc", "desc"]

ALL_TAGS = AllTags()


def tag_filter(pattern: str, extract: str = "", field: str = "spec.filterTags") -> TagFilter:
    """`filterTags`: tags in which the pattern is found; `extract`, if any, makes of them what is compared.

    A template that names a group which the pattern does not have is refused: to Flux every tag is the same then, and
    it takes one at random.
    """
    expression = _pattern(pattern, f"{field}.pattern")
    return PatternFilter(expression, _template(extract, expression, f"{field}.extract") if extract else None)


def semver_policy(text: str, tags: TagFilter = ALL_TAGS, field: str = "spec.policy.semver.range") -> TagPolicy:
    """`policy.semver`: the highest version of a range; tags that are no version are passed over."""
    try:
        return TagPolicy(tags, SemverOrder(parse_range(text)))
    except RangeError as error:
        problem = Problem(
            TAG_RANGE,
            "The version range can't be read",
            field=field,
            cause=f"{error} of {quoted(text)}",
            fix="write a range such as >=1.2.0 <2.0.0, 1.2.x or ^1.2",
        )
        raise UserError(problem) from None


def alphabetical_policy(order: Direction = "asc", tags: TagFilter = ALL_TAGS) -> TagPolicy:
    """`policy.alphabetical`: the last in the alphabet, or the first."""
    return TagPolicy(tags, AlphabeticalOrder(descending=order == "desc"))


def numerical_policy(order: Direction = "asc", tags: TagFilter = ALL_TAGS) -> TagPolicy:
    """`policy.numerical`: the greatest number, or the smallest; every tag that takes part must be one."""
    return TagPolicy(tags, NumericalOrder(descending=order == "desc"))


def build_time_policy(order: Direction = "asc", tags: TagFilter = ALL_TAGS) -> TagPolicy:
    """An extension: the image that was built last, or first. Flux v2 has no such order; fluxd and many users do."""
    return TagPolicy(tags, BuildTimeOrder(descending=order == "desc"))


@dataclass(frozen=True, slots=True)
class Exclusions:
    """An ImageRepository's `exclusionList`: tags that its scans leave out."""

    patterns: tuple[RegularExpression, ...]

    def excluded_by(self, tag: str) -> str:
        """The first pattern that is found in the tag; empty when none is."""
        return next((pattern.text for pattern in self.patterns if pattern.matches(tag)), "")


def exclusions(patterns: Iterable[str], field: str = "spec.exclusionList") -> Exclusions:
    """Read an exclusion list; one that is empty excludes nothing."""
    return Exclusions(tuple(_pattern(text, f"{field}[{index}]") for index, text in enumerate(patterns)))


def _pattern(text: str, field: str) -> RegularExpression:
    try:
        return parse_pattern(text)
    except PatternError as error:
        raise UserError(_rejected("The regular expression can't be read", text, field, str(error))) from None


def _template(text: str, pattern: RegularExpression, field: str) -> Template:
    title = "The template of a regular expression can't be used"
    try:
        template = parse_template(text)
    except PatternError as error:
        raise UserError(_rejected(title, text, field, str(error))) from None
    unknown = next((group for group in template.groups if not pattern.has_group(group)), None)
    if unknown is not None:
        cause = f"the pattern has no group {quoted(str(unknown))}"
        raise UserError(_rejected(title, text, field, cause, "name a group of the pattern, with braces: ${1}, ${name}"))
    return template


def _rejected(title: str, text: str, field: str, cause: str, fix: str = "") -> Problem:
    fix = fix or "write a pattern in RE2's syntax, which has no look-around and no back-references"
    return Problem(REGEX_REJECTED, title, field=field, cause=f"{quoted(text)}: {cause}", fix=fix)
