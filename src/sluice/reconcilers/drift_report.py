"""What is known of a sync's drift → its Drifted condition and events. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core import condition
from sluice.core.drift import Drifted
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem, clip, summarize

FIGHT_DETECTED = "FightDetected"
DRIFT_DETECTED = "DriftDetected"
DRIFT_CORRECTED = "DriftCorrected"


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What stands: fights, and what is only told; and what was set right since the last report.

    `news` is True when something stands that did not stand then.
    """

    fights: tuple[Problem, ...] = ()
    warned: tuple[Problem, ...] = ()
    corrected: tuple[Drifted, ...] = ()
    news: bool = False

    @property
    def standing(self) -> tuple[Problem, ...]:
        """Everything that is not as git says, or will not stay so."""
        return (*self.fights, *self.warned)

    @property
    def reason(self) -> str:
        """Why the Drifted condition is True, when it is."""
        return FIGHT_DETECTED if self.fights else DRIFT_DETECTED

    @property
    def subjects(self) -> tuple[str, frozenset[ResourceId | None]]:
        """What makes another event worth sending: that a fight begins, or another object drifts."""
        return self.reason, frozenset(problem.subject for problem in self.standing)

    def correction(self, limit: int = 8192) -> str:
        """What was set right, as `corrections` says it."""
        return corrections(self.corrected, limit)


def corrections(drifted: tuple[Drifted, ...], limit: int = 1000) -> str:
    """The objects that were set right, a line each: which field, by whom, when."""
    return clip("\n".join(f"{each}; corrected" for each in drifted), limit)


def with_drift(
    present: condition.Conditions, report: DriftReport, stamp: condition.Stamp, *, fresh: bool
) -> condition.Conditions:
    """Add what the report says. `fresh` says that another revision took effect: what was corrected before is past."""
    if report.standing:
        message = summarize(report.standing)
        return condition.mark(present, condition.DRIFTED, "True", report.reason, message, stamp=stamp)
    if report.corrected:
        text = report.correction()
        return condition.mark(present, condition.DRIFTED, "False", DRIFT_CORRECTED, text, stamp=stamp)
    if fresh or condition.is_true(present, condition.DRIFTED):
        return condition.without(present, condition.DRIFTED)
    return present
