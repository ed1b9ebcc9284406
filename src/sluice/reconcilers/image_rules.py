"""Specs of the image kinds → the values that scans and choices are made by."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.api.image_policy import ImagePolicy
from sluice.api.image_repository import ImageRepository
from sluice.core.image_policy import TagPolicy
from sluice.core.image_policy.dialect_v2 import (
    ALL_TAGS,
    Direction,
    alphabetical_policy,
    build_time_policy,
    exclusions,
    numerical_policy,
    semver_policy,
    tag_filter,
)
from sluice.core.image_policy.policy import TagFilter as PolicyFilter
from sluice.registry.scanner import TagFilter


def tag_policy(policy: ImagePolicy) -> TagPolicy:
    """What the spec asks for. Raises UserError (TagRange, RegexRejected) at the field that can't be read.

    Call it only with a spec without Problems: exactly one way to choose is set.
    """
    spec, choice = policy.spec, policy.spec.policy
    tags: PolicyFilter = ALL_TAGS
    if spec.filterTags is not None and spec.filterTags.pattern:
        tags = tag_filter(spec.filterTags.pattern, spec.filterTags.extract)
    if choice.semver is not None:
        return semver_policy(choice.semver.range, tags)
    if choice.alphabetical is not None:
        return alphabetical_policy(_direction(choice.alphabetical.order), tags)
    if choice.buildTime is not None:
        return build_time_policy(_direction(choice.buildTime.order), tags)
    return numerical_policy(_direction(choice.numerical.order if choice.numerical is not None else "asc"), tags)


def _direction(order: str) -> Direction:
    return "desc" if order == "desc" else "asc"


def scan_filter(repository: ImageRepository, policies: Iterable[TagPolicy] = ()) -> TagFilter:
    """The tags that the exclusion list leaves; described are those that one of the policies compares by build time.

    Raises UserError (RegexRejected) for a pattern that can't be read.
    """
    excluded = exclusions(repository.spec.exclusionList)
    by_time = [policy for policy in policies if policy.needs_created]
    return TagFilter(
        listed=lambda tag: not excluded.excluded_by(tag),
        described=lambda tag: any(policy.accepts(tag) for policy in by_time),
    )
