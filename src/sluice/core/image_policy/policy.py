"""What a policy is: a filter that says which tags take part, and an order that says which of them is the newest.

A tag becomes a `Candidate`, or is `Unfit` with a reason that people can read. Both dialects are made of these parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sluice.core.image import ImageTag, is_tag
from sluice.core.problem import Code, Problem, clip, printable

Rank = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a tag can't be chosen. With `stops` nothing else can either, for it might have been this one."""

    reason: str
    stops: Code | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tag that could be chosen: `text` is what is compared of it, `rank` its place in the order."""

    tag: ImageTag
    text: str
    rank: Rank


class TagFilter(Protocol):
    """Which tags take part, and what of them is compared."""

    @property
    def words(self) -> str:
        """How people read it, such as `matching "^v"`; empty when all tags take part."""

    def text_of(self, tag: str) -> str | Unfit:
        """What is compared of a tag."""


class TagOrder(Protocol):
    """Which of two tags is the newer one. A total order on candidates: no two are equal."""

    @property
    def words(self) -> str:
        """How people read it, such as `the highest version in ">=1.0"`."""

    @property
    def needs_created(self) -> bool:
        """True when build times must be known."""

    def rank(self, text: str, tag: ImageTag) -> Rank | Unfit:
        """The place of a tag, by the text that the filter gave."""

    def prefers(self, one: Candidate, other: Candidate) -> bool:
        """True when `one` is newer than `other`."""


@dataclass(frozen=True, slots=True)
class TagPolicy:
    """Which tag of an image is wanted."""

    filter: TagFilter
    order: TagOrder

    @property
    def words(self) -> str:
        """The policy in words, such as `the highest version in ">=1.0" of the tags matching "^v"`."""
        return f"{self.order.words} of the tags {self.filter.words}" if self.filter.words else self.order.words

    @property
    def needs_created(self) -> bool:
        """True when the build time of each accepted tag must be known."""
        return self.order.needs_created

    def accepts(self, tag: str) -> bool:
        """True when a tag takes part, as far as its name can tell: metadata is needed of no other.

        >>> from sluice.core.image_policy.dialect_v2 import semver_policy
        >>> semver_policy(">=1.0").accepts("0.9.0")
        False
        """
        unfit = self.candidate(ImageTag(tag))
        return isinstance(unfit, Candidate) or unfit.stops is not None

    def candidate(self, tag: ImageTag) -> Candidate | Unfit:
        """The tag's place in the order, or why it has none."""
        if not is_tag(tag.tag):
            return Unfit("is no tag that a registry may list")
        text = self.filter.text_of(tag.tag)
        if isinstance(text, Unfit):
            return text
        rank = self.order.rank(text, tag)
        return rank if isinstance(rank, Unfit) else Candidate(tag, text, rank)


@dataclass(frozen=True, slots=True)
class InvalidPolicy:
    """A policy that can't be read. It selects nothing, and the problem says why."""

    problem: Problem


Policy = TagPolicy | InvalidPolicy


def quoted(text: str) -> str:
    """A user's or a registry's text inside a sentence: printable, short, in quotes."""
    return f'"{clip(printable(text), 120)}"'
