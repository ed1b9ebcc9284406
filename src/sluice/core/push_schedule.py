"""How often one automation may commit: the first few at once, a storm of new tags as few commits, the newest wins.

Each commit takes one of BURST places; a place comes back every PAUSE seconds. So no 60 seconds hold more than
BURST + 60 / PAUSE = 10 commits, and what was decided last is written at most PAUSE seconds later. Times are seconds of
any one clock that does not go back.
"""

from __future__ import annotations

from dataclasses import dataclass

BURST = 4
PAUSE = 10.0


@dataclass(frozen=True, slots=True)
class PushSchedule:
    """`full_at` is when all places are free again, if nothing more is committed."""

    full_at: float = 0.0

    def delay(self, now: float) -> float:
        """Seconds until the next commit may be made; 0 is at once.

        >>> PushSchedule().delay(100.0), PushSchedule(full_at=140.0).delay(100.0)
        (0.0, 10.0)
        """
        return max(0.0, self.full_at - (BURST - 1) * PAUSE - now)

    def committed(self, now: float) -> PushSchedule:
        """The schedule after one more commit."""
        return PushSchedule(max(self.full_at, now) + PAUSE)
