"""Health by what a user wrote: CEL expressions over an object's own fields, of the kinds that they name.

As in Flux the expressions are asked in the order in-progress, failed, current, and the first that is true decides; an
object that none of them knows is in progress. What is deleted is never healthy, whatever an expression says.
"""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.cel import CelError, Expression
from sluice.core.health.generic import assess_deletion
from sluice.core.health.verdict import Health, HealthStatus, Object, current, failed, in_progress
from sluice.core.ids import GroupKind

# An object without a status has none of its fields; that is no error of the expression.
_EMPTY: Object = {"metadata": {}, "spec": {}, "status": {}}


@dataclass(frozen=True, slots=True)
class CustomHealth:
    """The rule for one kind, or with an empty `kind` for all kinds of a group."""

    group: str
    kind: str
    current: Expression
    in_progress: Expression | None = None
    failed: Expression | None = None

    def judges(self, kind: GroupKind) -> bool:
        """True for objects that it is about."""
        return kind.group == self.group and self.kind in {"", kind.kind}

    def assess(self, obj: Object) -> Health:
        """Judge an object. Never raises, whatever `obj` holds: an expression without an answer is not true."""
        deletion = assess_deletion(obj)
        if deletion is not None:
            return deletion
        fields = {**_EMPTY, **obj}
        asked = (
            (HealthStatus.IN_PROGRESS, self.in_progress),
            (HealthStatus.FAILED, self.failed),
            (HealthStatus.CURRENT, self.current),
        )
        why = "none of the health check expressions is true yet"
        for status, expression in asked:
            try:
                if expression is not None and expression.holds(fields):
                    return _verdict(status, expression)
            except CelError as error:
                why = f"the expression {expression.text} has no answer: {error}" if expression is not None else why
        return in_progress(why)


def _verdict(status: HealthStatus, expression: Expression) -> Health:
    text = f"{expression.text} is true"
    if status is HealthStatus.FAILED:
        return failed(text)
    return current(text) if status is HealthStatus.CURRENT else in_progress(text)
