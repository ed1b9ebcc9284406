"""What the API server accepts and warns of: a version that goes away, a pod that a stricter namespace would refuse."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.plan import Plan
from sluice.core.problem import Origin, Problem, clip
from sluice.core.transaction_messages import Outcome

MAX_WARNINGS = 20  # different ones of one revision; whoever runs a webhook may send any number
MAX_WARNING = 512  # characters
Warned = tuple[ResourceId, Origin | None, tuple[str, ...]]


def warned(plan: Plan, outcomes: Iterable[Outcome]) -> tuple[Problem, ...]:
    """What the API server said of the writes of a plan."""
    told = {outcome.id: outcome.warnings for outcome in outcomes if outcome.warnings}
    if not told:
        return ()
    origins = {c.id: c.manifest.origin for batch in plan.applies for c in batch.changes if c.manifest is not None}
    return api_warnings((key, origins.get(key), texts) for key, texts in told.items())


def api_warnings(told: Iterable[Warned]) -> tuple[Problem, ...]:
    """Each warning once, as `kubectl` prints it, with the first object that it is of and how many more there are."""
    found: dict[str, list[tuple[ResourceId, Origin | None]]] = {}
    for key, origin, texts in told:
        for text in dict.fromkeys(texts):
            found.setdefault(clip(text, MAX_WARNING), []).append((key, origin))
    shown = list(found.items())[:MAX_WARNINGS]
    return tuple(_problem(text, objects) for text, objects in shown)


def _problem(text: str, objects: list[tuple[ResourceId, Origin | None]]) -> Problem:
    (key, origin), others = objects[0], len(objects) - 1
    more = f", and of {others} more object{'s' if others > 1 else ''}" if others else ""
    return Problem(
        codes.API_WARNING,
        text,
        key,
        origin,
        cause=f"the API server accepts it, and warns of it{more}",
        fix="do what it says before an upgrade of the cluster or a stricter policy refuses it",
    )
