"""A value that two writers keep changing to and fro: two policies on one image, or two clusters on one branch.

Each commit of the one undoes the other's, and each rolls out. So what has been changed between the same two values
three times is not changed a fourth time, and both writers are named; a third value ends it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.codes import FLIPPED
from sluice.core.image_update.result import ImageChange
from sluice.core.problem import Origin, Problem, clip, printable

# So many changes in a row between the same two values, and no more.
FLIPS = 3
MAX_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Flips:
    """The last values of one place with who wrote each (empty: not known), the newest last."""

    turns: tuple[tuple[str, str], ...] = ()

    def seen(self, value: str) -> Flips:
        """After the value was found there: somebody wrote it, if it is another than the last."""
        return self if self.turns and self.turns[-1][0] == value else self._then(value, "")

    def wrote(self, old: str, new: str, writer: str) -> Flips:
        """After `writer` changed the value."""
        return self.seen(old)._then(new, writer)

    def is_held(self, wanted: str) -> bool:
        """True when writing `wanted` would go on with a row of changes between two values.

        >>> fought = Flips().wrote("1", "2", "a").wrote("2", "1", "b").wrote("1", "2", "a")
        >>> fought.is_held("1"), fought.is_held("3")
        (True, False)
        """
        if len(self.turns) <= FLIPS:
            return False
        values = [value for value, _ in self.turns[-FLIPS - 1 :]]
        there = values[-1]
        row = [there if n % 2 == 0 else wanted for n in range(FLIPS + 1)]
        return there != wanted and values[::-1] == row

    @property
    def last_writer(self) -> str:
        """Who wrote what is there; empty when that is not known."""
        return self.turns[-1][1] if self.turns else ""

    def _then(self, value: str, writer: str) -> Flips:
        return Flips((*self.turns[-FLIPS:], (value, writer)))


def flip_problem(change: ImageChange, writer: str, other: str, commit: str) -> Problem:
    """What people are told: the place, both values, both writers."""
    values = " and ".join(clip(printable(value), MAX_SHOWN) for value in sorted((change.old, change.new)))
    return Problem(
        FLIPPED,
        f"this image is changed to and fro between {values}, and is left as it is",
        subject=change.subject.id if change.subject.name else None,
        origin=Origin(change.path, change.line, commit=commit),
        cause=f"{writer} and {clip(printable(other), MAX_SHOWN) or 'somebody else'} want different images",
        fix="let one of them alone decide: correct the markers or policies, or suspend the other",
    )
