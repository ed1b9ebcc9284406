"""How often one object was set right lately → how long the next correction waits.

A single edit is undone at once. Somebody who keeps writing is another controller: after `FIGHT_AFTER` corrections that
follow each other the object is corrected at most once a minute, and less often the longer it goes on, so that two
machines never fill the API server with each other's work. Times are seconds of any one clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core import codes
from sluice.core.drift import Drifted
from sluice.core.manifest import TOOLKIT
from sluice.core.problem import Problem

# Corrections this close together follow each other.
WINDOW = 600.0
FIGHT_AFTER = 5
AT_ONCE = 2
FIRST_PAUSE = 60.0
LONGEST_PAUSE = 300.0
_OWNER_LABELS = f"/metadata/labels/{TOOLKIT}"


@dataclass(frozen=True, slots=True)
class Fight:
    """`corrections` of one object, each within WINDOW of the one before; `last` is when, `drifted` what it was."""

    corrections: int
    last: float
    drifted: Drifted

    @property
    def is_on(self) -> bool:
        """True once there have been so many that it can't be a person."""
        return self.corrections >= FIGHT_AFTER

    @property
    def pause(self) -> float:
        """Seconds between the last correction and the next.

        >>> [Fight(n, 0.0, None).pause for n in (1, 2, 3, 4, 5, 6, 99)]
        [0.0, 0.0, 1.0, 2.0, 60.0, 120.0, 300.0]
        """
        if self.corrections <= AT_ONCE:
            return 0.0
        if not self.is_on:
            return 2.0 ** (self.corrections - AT_ONCE - 1)
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self.corrections - FIGHT_AFTER, 16))

    @property
    def hides(self) -> bool:
        """Whether what is fought over takes the object out of our sight: it is deleted, or its owner label removed."""
        return self.drifted.deleted or any(field.pointer.startswith(_OWNER_LABELS) for field in self.drifted.fields)

    def held(self, now: float, *, seen: bool) -> float:
        """Seconds for which the object is still left alone.

        `seen` is False when it is gone, as far as the watch knows. That is no part of a fight over fields: who deletes
        a Deployment whose replicas another controller keeps setting is not that controller.

        >>> [Fight(5, 0.0, Drifted(None)).held(10.0, seen=seen) for seen in (True, False)]
        [50.0, 0.0]
        """
        if self.ended(now) or (not seen and not self.hides):
            return 0.0
        return max(0.0, self.last + self.pause - now)

    def ended(self, now: float) -> bool:
        """True when nobody has had to be corrected for WINDOW."""
        return now - self.last >= WINDOW


def corrected(before: Fight | None, drifted: Drifted, now: float) -> Fight:
    """One more correction."""
    count = before.corrections if before is not None and not before.ended(now) else 0
    return Fight(count + 1, now, drifted)


def fought(fight: Fight) -> Problem:
    """What people are told: who, over which field, and the rule that would end it."""
    drifted = fight.drifted
    if not drifted.fields:
        fix = "stop who does it, or take the object out of git"
    else:
        paths = ", ".join(f'"{field.pointer}"' for field in drifted.fields)
        rule = f"{{paths: [{paths}], target: {{kind: {drifted.id.kind}, name: {drifted.id.name}}}}}"
        fix = f"take it out of git, or add to spec.ignore: {rule}"
    return Problem(
        codes.FIGHT,
        f"{drifted}, again and again",
        subject=drifted.id,
        origin=drifted.origin,
        cause=f"{drifted.managers} and git want different things; corrected {fight.corrections} times, "
        f"now at most once a minute",
        fix=fix,
    )
