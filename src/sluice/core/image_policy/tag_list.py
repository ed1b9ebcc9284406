"""A policy and an image's tags → the tags in their order, the newest first, with the running one found among them."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sluice.core.image import ImageTag
from sluice.core.image_policy.policy import Candidate, TagPolicy

Place = Literal["newer", "running", "older"]


@dataclass(frozen=True, slots=True)
class TagLine:
    """One tag and how it stands to the running one. `is_known` is False for a running tag that is not in the order."""

    tag: ImageTag
    place: Place
    is_known: bool = True


@dataclass(frozen=True, slots=True)
class TagList:
    """Tags that take part in an order, the newest first; `passed_over` counts those that do not."""

    lines: tuple[TagLine, ...]
    passed_over: int

    @property
    def newer(self) -> int:
        """How many are newer than the running one."""
        return sum(line.place == "newer" for line in self.lines)


def tag_list(policy: TagPolicy, tags: Iterable[ImageTag], running: str) -> TagList:
    """Order the tags. Where the running one is not among them, all are newer as far as anybody knows, and it is last.

    >>> from sluice.core.image_policy.dialect_v2 import semver_policy
    >>> found = tag_list(semver_policy("*"), [ImageTag("1.0.0"), ImageTag("1.2.0"), ImageTag("x")], "1.0.0")
    >>> [(line.tag.tag, line.place) for line in found.lines], found.passed_over
    ([('1.2.0', 'newer'), ('1.0.0', 'running')], 1)
    """
    candidates: list[Candidate] = []
    passed_over = 0
    for tag in tags:
        place = policy.candidate(tag)
        if isinstance(place, Candidate):
            candidates.append(place)
        else:
            passed_over += tag.tag != running

    def compare(one: Candidate, other: Candidate) -> int:
        return -1 if policy.order.prefers(one, other) else int(policy.order.prefers(other, one))

    ordered = [candidate.tag for candidate in sorted(candidates, key=functools.cmp_to_key(compare))]
    at = next((index for index, tag in enumerate(ordered) if tag.tag == running), None)
    if at is None:
        newer = tuple(TagLine(tag, "newer") for tag in ordered)
        return TagList((*newer, TagLine(ImageTag(running), "running", is_known=False)), passed_over)
    return TagList(
        tuple(
            TagLine(tag, "newer" if index < at else "running" if index == at else "older")
            for index, tag in enumerate(ordered)
        ),
        passed_over,
    )
