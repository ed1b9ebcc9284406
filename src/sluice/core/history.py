"""The last few outcomes of a sync: as `status.history` shows them, and as the record keeps them to go back to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from sluice.core.condition import RECONCILIATION_SUCCEEDED

if TYPE_CHECKING:
    from sluice.core.transaction_messages import Outcome

MAX_SNAPSHOTS = 5
# In a snapshot's metadata: the last transaction that had succeeded by then, as the record has it.
RECORDED = "recorded"
# The record keeps this many transactions, and so many that succeeded, however many have failed since.
MAX_PAST = 10
MIN_SUCCEEDED = 3


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


@dataclass(frozen=True, slots=True)
class Counts:
    """How many objects a transaction created, changed and deleted."""

    created: int = 0
    changed: int = 0
    deleted: int = 0

    @staticmethod
    def of(outcomes: Iterable[Outcome]) -> Counts:
        """Count them; an object that is being deleted counts as deleted."""
        results = [outcome.result for outcome in outcomes]
        return Counts(
            results.count("created"), results.count("configured"), results.count("deleted") + results.count("deleting")
        )

    @staticmethod
    def of_metadata(metadata: dict[str, str]) -> Counts:
        """Read them from a snapshot; what somebody else wrote there counts as 0."""
        texts = [metadata.get(name, "") for name in _COUNTED]
        return Counts(*(int(text) if text.isdecimal() and len(text) < 10 else 0 for text in texts))

    def metadata(self) -> dict[str, str]:
        """The form in which a snapshot has them: only those that are not 0."""
        numbers = (self.created, self.changed, self.deleted)
        return {name: str(number) for name, number in zip(_COUNTED, numbers, strict=True) if number}


_COUNTED = ("created", "changed", "deleted")


@dataclass(frozen=True, slots=True)
class Past:
    """One transaction that ended: `outcome` is a condition's reason, `ended` an RFC 3339 time or empty.

    `author` and `subject` are of the commit, as its writer chose them: text to show, not to trust.
    """

    revision: str
    digest: str = ""
    outcome: str = RECONCILIATION_SUCCEEDED
    ended: str = ""
    seconds: float = 0.0
    counts: Counts = Counts()
    author: str = ""
    subject: str = ""

    @property
    def succeeded(self) -> bool:
        """True when the revision took effect wholly."""
        return self.outcome == RECONCILIATION_SUCCEEDED

    @property
    def mark(self) -> str:
        """Which one it is: two may end in one second, but not go to one revision."""
        return f"{self.ended} {self.revision}"


def last_success(past: tuple[Past, ...]) -> Past | None:
    """The newest transaction that succeeded, or None."""
    return next((each for each in past if each.succeeded), None)


def last_applied(told: str, snapshots: tuple[Snapshot, ...], past: tuple[Past, ...]) -> str:
    """The revision that took effect last, where status tells `told` and `snapshots`, and the record `past`.

    A process that died between writing the two left status one revision behind: then the newest snapshot was taken
    before the record's last success. A commit that changed nothing is in status only: then it was taken after it.
    """
    newest = last_success(past)
    if newest is None:
        return told
    known = snapshots[0].metadata.get(RECORDED) if snapshots else None
    behind = not told or (known is not None and known != newest.mark)
    return newest.revision if behind else told


def remember(past: tuple[Past, ...], ended: Past) -> tuple[Past, ...]:
    """Put `ended` in front. A correction of drift, which repeats the newest one, is not told again.

    The newest ten are kept, and the newest three that succeeded: failures push no way back out.
    """
    if past and (past[0].revision, past[0].outcome) == (ended.revision, ended.outcome):
        if past[0].digest == ended.digest:
            return past
        past = past[1:] if not past[0].digest else past  # an older version's record knew the revision only
    kept: list[Past] = []
    succeeded = 0
    for index, each in enumerate((ended, *past)):
        succeeded += each.succeeded
        if index < MAX_PAST or (each.succeeded and succeeded <= MIN_SUCCEEDED):
            kept.append(each)
    return tuple(kept)
