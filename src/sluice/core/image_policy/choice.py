"""The choice: a policy, an image's tags and what was chosen before → the tag to run, or why there is none.

A choice never goes back for want of knowledge. A listing that is not complete changes nothing. While the policy stays
as it is, a tag that has left the registry is replaced only by a newer one; else it is held and reported. A policy that
somebody changed may go back: that is what they asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from sluice.core.codes import BUILD_TIME_UNKNOWN, NO_MATCHING_TAG, TAG_GONE, TAGS_INCOMPLETE
from sluice.core.image import MAX_TAG, ImageTag
from sluice.core.image_policy.policy import Candidate, InvalidPolicy, Policy, TagPolicy, Unfit, quoted
from sluice.core.problem import Code, Problem, clip, printable

MAX_REASONS = 5

Outcome = Literal["chosen", "held", "none"]


@dataclass(frozen=True, slots=True)
class Previous:
    """What was chosen before, or stands in git.

    `unchanged` is True when the policy (and the exclusion list) is the one by which it was chosen, as far as anybody
    remembers: a policy that does not take the tag was changed. The tag's build time matters only to an order by build
    time, and only once the tag has left the registry.
    """

    tag: ImageTag
    unchanged: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """The tag to run. `chosen`: it is the policy's; `held`: it stays as it was; `none`: there is none.

    `reason` is a sentence for people. `problem` says what is wrong when the choice is not the policy's.
    """

    outcome: Outcome
    tag: ImageTag | None
    reason: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one tag, and why, for people. A hostile tag is shown escaped and cut."""

    tag: str
    chosen: bool
    reason: str


def decide(policy: Policy, tags: Iterable[ImageTag], previous: Previous | None, complete: bool) -> Choice:
    """Choose a tag. `tags` is read once and not kept, in any order; `complete` says that it is all of them.

    >>> from sluice.core.image_policy.dialect_v2 import semver_policy
    >>> decide(semver_policy("1.x"), [ImageTag("1.2.0"), ImageTag("1.10.0"), ImageTag("2.0.0")], None, True).reason
    '1.10.0 is the highest version in "1.x" (of 2 tags that take part, 3 listed)'
    """
    if isinstance(policy, InvalidPolicy):
        return _without(previous, policy.problem)
    if not complete:
        return _without(previous, _problem(TAGS_INCOMPLETE, policy, "the listing of tags was not complete"))
    tally = _Tally(previous.tag.tag if previous else None)
    for tag in tags:
        tally.add(policy, tag)
    if tally.stop is not None:
        return _without(previous, _stopped(policy, *tally.stop))
    if previous is not None and previous.unchanged and not tally.has_previous and policy.accepts(previous.tag.tag):
        return _after_loss(policy, tally, previous)
    if tally.best is None:
        return _without(
            None, _problem(NO_MATCHING_TAG, policy, tally.nothing(), "change the policy, or push a tag that fits")
        )
    return _chosen(policy, tally, tally.best)


def explain(policy: Policy, tags: Iterable[ImageTag], choice: Choice) -> Iterator[Verdict]:
    """Say of each tag why it is the choice, or why not; in the order given."""
    best = policy.candidate(choice.tag) if choice.tag is not None and isinstance(policy, TagPolicy) else None
    for tag in tags:
        if choice.tag is not None and tag.tag == choice.tag.tag:
            yield Verdict(tag.tag, True, choice.reason)
        elif isinstance(policy, InvalidPolicy):
            yield Verdict(clip(printable(tag.tag), MAX_TAG), False, choice.reason)
        else:
            reason = _why_not(policy, policy.candidate(tag), best, choice)
            yield Verdict(clip(printable(tag.tag), MAX_TAG), False, reason)


def _why_not(policy: TagPolicy, place: Candidate | Unfit, best: Candidate | Unfit | None, choice: Choice) -> str:
    if isinstance(place, Unfit):
        return place.reason
    if choice.outcome == "chosen" and isinstance(best, Candidate) and not policy.order.prefers(place, best):
        return f"takes part, but {quoted(best.tag.tag)} is {policy.words}"
    return choice.reason


@dataclass(slots=True)
class _Tally:
    """What is known after some of the tags. Nothing of it grows with their number."""

    previous: str | None
    best: Candidate | None = None
    stop: tuple[str, Unfit] | None = None
    has_previous: bool = False
    listed: int = 0
    taking_part: int = 0
    ties: int = 0
    unfit: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, policy: TagPolicy, tag: ImageTag) -> None:
        self.listed += 1
        self.has_previous = self.has_previous or tag.tag == self.previous
        place = policy.candidate(tag)
        if isinstance(place, Unfit):
            self._add_unfit(tag.tag, place)
            return
        self.taking_part += 1
        if self.best is None or policy.order.prefers(place, self.best):
            self.ties = self.ties + 1 if self.best is not None and place.rank == self.best.rank else 0
            self.best = place
        elif place.rank == self.best.rank:
            self.ties += 1

    def _add_unfit(self, tag: str, place: Unfit) -> None:
        # The first in the alphabet, so that the message does not depend on the order of the listing.
        if place.stops is not None:
            self.stop = (tag, place) if self.stop is None or tag < self.stop[0] else self.stop
            return
        count, example = self.unfit.get(place.reason, (0, tag))
        self.unfit[place.reason] = (count + 1, min(tag, example))

    def nothing(self) -> str:
        """Why nothing is left to choose from: each reason with its count and an example."""
        if not self.listed:
            return "the image has no tags"
        reasons = sorted(self.unfit.items(), key=lambda item: (-item[1][0], item[0]))
        said = [f"{count} such as {quoted(tag)}: {reason}" for reason, (count, tag) in reasons[:MAX_REASONS]]
        return f"of {_count(self.listed)} none takes part ({'; '.join(said)})"


def _chosen(policy: TagPolicy, tally: _Tally, best: Candidate, note: str = "") -> Choice:
    take = "takes" if tally.taking_part == 1 else "take"
    counts = f"of {_count(tally.taking_part)} that {take} part, {tally.listed} listed"
    same = f"; it and {tally.ties} more stand at one place, where the names decide" if tally.ties else ""
    return Choice("chosen", best.tag, f"{best.tag.tag} is {policy.words} ({counts}{same}{note})")


def _stopped(policy: TagPolicy, tag: str, unfit: Unfit) -> Problem:
    """One tag that can't be compared might have been the newest, so that none is."""
    code = unfit.stops or NO_MATCHING_TAG
    fix = "leave such tags out with a filter"
    if code is BUILD_TIME_UNKNOWN:
        fix += ", or have the image scanned again"
    return _problem(code, policy, f"the tag {quoted(tag)} {unfit.reason}", fix)


def _after_loss(policy: TagPolicy, tally: _Tally, previous: Previous) -> Choice:
    """The tag that was chosen is gone: something newer may follow it, and nothing older."""
    gone = policy.candidate(previous.tag)
    best = tally.best
    if best is not None and isinstance(gone, Candidate) and policy.order.prefers(best, gone):
        return _chosen(policy, tally, best, f"; {quoted(previous.tag.tag)}, the choice before, has left the registry")
    newest = "nothing else takes part" if best is None else f"{quoted(best.tag.tag)}, the newest left, is not newer"
    if isinstance(gone, Unfit):
        newest = f"whether another tag is newer is not known, for {quoted(previous.tag.tag)} {gone.reason}"
    cause = f"the registry no longer lists {quoted(previous.tag.tag)}, and {newest}"
    return _without(previous, _problem(TAG_GONE, policy, cause, "push the tag again, or change the policy to go back"))


def _without(previous: Previous | None, problem: Problem) -> Choice:
    if previous is None:
        return Choice("none", None, f"no tag is chosen: {problem.cause}", problem)
    return Choice("held", previous.tag, f"{quoted(previous.tag.tag)} stays: {problem.cause}", problem)


def _problem(code: Code, policy: TagPolicy, cause: str, fix: str = "") -> Problem:
    return Problem(code, f"No choice of {policy.words}", cause=cause, fix=fix)


def _count(number: int) -> str:
    return f"{number} tag" if number == 1 else f"{number} tags"
