"""A sync's or a source's state to the condition sets that Flux would write, so that every client reads us alike.

`Reconciling` and `Stalled` are abnormal-true: they stand there only while true. Every function takes the present
conditions and returns the new ones; unknown types (another writer's) are left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from sluice.core.problem import clip

MAX_MESSAGE = 32768

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
HEALTHY = "Healthy"
DRIFTED = "Drifted"
ARTIFACT_IN_STORAGE = "ArtifactInStorage"
ARTIFACT_OUTDATED = "ArtifactOutdated"
FETCH_FAILED = "FetchFailed"
STORAGE_OPERATION_FAILED = "StorageOperationFailed"
INCLUDE_UNAVAILABLE = "IncludeUnavailable"
SOURCE_VERIFIED = "SourceVerified"

SUCCEEDED = "Succeeded"
PROGRESSING = "Progressing"
PROGRESSING_WITH_RETRY = "ProgressingWithRetry"
RECONCILIATION_SUCCEEDED = "ReconciliationSucceeded"
DEPENDENCY_NOT_READY = "DependencyNotReady"
SUSPENDED = "Suspended"
UNDONE = "Undone"
UNDO_FAILED = "UndoFailed"
GROUP_NOT_READY = "GroupNotReady"
QUARANTINED = "Quarantined"
NEW_REVISION = "NewRevision"
HEALTH_CHECK_FAILED = "HealthCheckFailed"

Status = Literal["True", "False", "Unknown"]
_ORDER = {STALLED: 0, RECONCILING: 1, READY: 2}
_SOURCE_FAILURES = (FETCH_FAILED, STORAGE_OPERATION_FAILED, INCLUDE_UNAVAILABLE)


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """metav1.Condition, with JSON's own names. `lastTransitionTime` is RFC 3339 in UTC."""

    type: str
    status: str
    reason: str
    message: str
    lastTransitionTime: str = ""  # noqa: N815
    observedGeneration: int = 0  # noqa: N815


Conditions: TypeAlias = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every condition of one report shares: the generation it speaks of, and the time (RFC 3339, UTC)."""

    generation: int
    now: str


def find_condition(conditions: Conditions, type_: str) -> Condition | None:
    """The condition of that type, or None."""
    return next((condition for condition in conditions if condition.type == type_), None)


def is_true(conditions: Conditions, type_: str) -> bool:
    """True when the condition is there and True."""
    found = find_condition(conditions, type_)
    return found is not None and found.status == "True"


def set_condition(existing: Conditions, new: Condition, now: str) -> Conditions:
    """Put `new` in place of the condition of its type; `lastTransitionTime` changes only when the status does."""
    old = find_condition(existing, new.type)
    since = old.lastTransitionTime if old is not None and old.status == new.status else ""
    merged = msgspec.structs.replace(new, message=clip(new.message, MAX_MESSAGE), lastTransitionTime=since or now)
    others = without(existing, new.type)
    return tuple(sorted((*others, merged), key=lambda c: (_ORDER.get(c.type, 3), c.type)))


def without(conditions: Conditions, *types: str) -> Conditions:
    """Drop the conditions of these types."""
    return tuple(condition for condition in conditions if condition.type not in types)


def mark(existing: Conditions, type_: str, status: Status, reason: str, message: str, *, stamp: Stamp) -> Conditions:
    """Set one condition at `stamp`."""
    new = Condition(type=type_, status=status, reason=reason, message=message, observedGeneration=stamp.generation)
    return set_condition(existing, new, stamp.now)


def progressing(existing: Conditions, message: str, stamp: Stamp) -> Conditions:
    """A run is under way: Ready Unknown, and Reconciling tells the phase."""
    ready = mark(without(existing, STALLED), READY, "Unknown", PROGRESSING, "Reconciliation in progress", stamp=stamp)
    return mark(ready, RECONCILING, "True", PROGRESSING, message, stamp=stamp)


def succeeded(existing: Conditions, message: str, stamp: Stamp, reason: str = RECONCILIATION_SUCCEEDED) -> Conditions:
    """A run reached its end: Ready True, nothing abnormal left."""
    return mark(without(existing, RECONCILING, STALLED), READY, "True", reason, message, stamp=stamp)


def failed(existing: Conditions, reason: str, message: str, stamp: Stamp) -> Conditions:
    """A run failed and will be tried again: Ready False, and Reconciling says that it is not over."""
    ready = mark(without(existing, STALLED), READY, "False", reason, message, stamp=stamp)
    phase = find_condition(existing, RECONCILING)
    progress = phase.message if phase is not None else message
    return mark(ready, RECONCILING, "True", PROGRESSING_WITH_RETRY, progress, stamp=stamp)


def stalled(existing: Conditions, reason: str, message: str, stamp: Stamp) -> Conditions:
    """A run failed and waits for somebody: Ready False and Stalled True, so that clients stop waiting."""
    ready = mark(without(existing, RECONCILING), READY, "False", reason, message, stamp=stamp)
    return mark(ready, STALLED, "True", reason, message, stamp=stamp)


def dependency_not_ready(existing: Conditions, message: str, stamp: Stamp) -> Conditions:
    """A run waits for another sync."""
    return failed(existing, DEPENDENCY_NOT_READY, message, stamp)


def suspended(existing: Conditions, stamp: Stamp) -> Conditions:
    """Nothing runs any more: the last verdict stays, but nothing claims to be under way.

    Flux leaves the status of a suspended object alone; so do we, but for what a run cut short left behind.
    """
    rest = without(existing, RECONCILING)
    ready = find_condition(rest, READY)
    if ready is None or ready.status != "Unknown":
        return rest
    return mark(rest, READY, "Unknown", SUSPENDED, "Reconciliation is suspended", stamp=stamp)


def source_succeeded(existing: Conditions, message: str, stamp: Stamp) -> Conditions:
    """The artifact of the wanted revision is stored: Ready and ArtifactInStorage True, no failure left."""
    clean = without(existing, *_SOURCE_FAILURES, ARTIFACT_OUTDATED)
    stored = mark(clean, ARTIFACT_IN_STORAGE, "True", SUCCEEDED, message, stamp=stamp)
    return succeeded(stored, message, stamp, SUCCEEDED)


def source_verified(existing: Conditions, message: str, stamp: Stamp) -> Conditions:
    """The present revision carries the signatures that are asked for; without a message none are."""
    if not message:
        return without(existing, SOURCE_VERIFIED)
    return mark(existing, SOURCE_VERIFIED, "True", SUCCEEDED, message, stamp=stamp)


def source_unverified(
    existing: Conditions, reason: str, message: str, stamp: Stamp, *, is_stalled: bool = False
) -> Conditions:
    """The newest revision is not signed as asked: SourceVerified and Ready are False, and the artifact stays."""
    clean = mark(without(existing, *_SOURCE_FAILURES), SOURCE_VERIFIED, "False", reason, message, stamp=stamp)
    return (stalled if is_stalled else failed)(clean, reason, message, stamp)


def source_outdated(existing: Conditions, message: str, stamp: Stamp, reason: str = NEW_REVISION) -> Conditions:
    """The remote has something newer than the stored artifact, and it is being fetched."""
    outdated = mark(existing, ARTIFACT_OUTDATED, "True", reason, message, stamp=stamp)
    return progressing(outdated, f"building artifact: {message}", stamp)


def source_failed(
    existing: Conditions, reason: str, message: str, stamp: Stamp, failure: str = FETCH_FAILED
) -> Conditions:
    """The source could not be read, and will be tried again. `failure` is the condition that says in what step."""
    others = without(existing, *(type_ for type_ in _SOURCE_FAILURES if type_ != failure))
    return failed(mark(others, failure, "True", reason, message, stamp=stamp), reason, message, stamp)


def source_stalled(
    existing: Conditions, reason: str, message: str, stamp: Stamp, failure: str = FETCH_FAILED
) -> Conditions:
    """The source can't be read until its spec or its Secret changes."""
    others = without(existing, *(type_ for type_ in _SOURCE_FAILURES if type_ != failure))
    return stalled(mark(others, failure, "True", reason, message, stamp=stamp), reason, message, stamp)
