"""The last few outcomes of a sync, as `status.history` shows them."""

from __future__ import annotations

import msgspec

MAX_SNAPSHOTS = 5


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One digest that reached one outcome: how often, when first and last, and how long the last time took."""

    digest: str
    firstReconciled: str  # noqa: N815
    lastReconciled: str  # noqa: N815
    lastReconciledDuration: str  # noqa: N815
    lastReconciledStatus: str  # noqa: N815
    totalReconciliations: int  # noqa: N815
    metadata: dict[str, str] = {}  # msgspec copies mutable defaults


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
