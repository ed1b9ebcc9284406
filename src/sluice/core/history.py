"""The last few outcomes of a sync, as `status.history` shows them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

MAX_SNAPSHOTS = 5


def _time(sentence: str) -> Meta:
    return Meta(description=sentence, extra_json_schema={"format": "date-time"})


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One digest that reached one outcome: how often, when first and last, and how long the last time took."""

    digest: Annotated[str, Meta(description="Digest of what was applied.")]
    firstReconciled: Annotated[str, _time("When this outcome was first reached.")]  # noqa: N815
    lastReconciled: Annotated[str, _time("When this outcome was last reached.")]  # noqa: N815
    lastReconciledDuration: Annotated[str, Meta(description="How long the last run took.")]  # noqa: N815
    lastReconciledStatus: Annotated[str, Meta(description="The outcome, as a condition's reason.")]  # noqa: N815
    totalReconciliations: Annotated[int, Meta(description="How many runs had this outcome.")]  # noqa: N815
    metadata: Annotated[dict[str, str], Meta(description="The revision, and the origin's revision.")] = {}


def record_attempt(history: tuple[Snapshot, ...], attempt: Snapshot) -> tuple[Snapshot, ...]:
    """Put `attempt` in front: merged with the snapshot of the same digest and status when there is one.

    At most five are kept. `attempt` counts as `attempt.totalReconciliations` runs.
    """
    same = [s for s in history if _key(s) == _key(attempt)]
    merged = attempt
    if same:
        merged = msgspec.structs.replace(
            attempt,
            firstReconciled=same[0].firstReconciled,
            totalReconciliations=same[0].totalReconciliations + attempt.totalReconciliations,
        )
    others = tuple(s for s in history if _key(s) != _key(attempt))
    return (merged, *others)[:MAX_SNAPSHOTS]


def _key(snapshot: Snapshot) -> tuple[str, str]:
    return snapshot.digest, snapshot.lastReconciledStatus
