"""What came of a turn → the Kustomization's status and events. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.api.kustomization import Kustomization, Snapshot
from sluice.api.problem_status import problem_status
from sluice.core import codes, condition
from sluice.core.api_warning import warned
from sluice.core.duration import format_duration
from sluice.core.history import RECORDED, Counts, Past, last_applied, last_success, record_attempt
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.problem import Problem, summarize
from sluice.core.problem_text import left
from sluice.core.timestamp import rfc3339
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import (
    Outcome,
    Phase,
)
from sluice.runtime.health_gate import Target

# Problems that stay the same until somebody changes git or the spec: trying again would only repeat them.
USER_CODES = frozenset(
    {
        codes.UNKNOWN_FIELD,
        codes.BAD_TYPE,
        codes.MISSING_FIELD,
        codes.INVALID_OBJECT,
        codes.IMMUTABLE_FIELD,
        codes.CRD_INVALID,
        codes.NAMESPACE_MISSING,
        codes.NAMESPACE_NOT_ALLOWED,
        codes.EMPTY_RENDER,
        codes.PRUNE_LIMIT,
        codes.SELF_PROTECT,
        codes.OBJECT_TOO_BIG,
        codes.NEEDS_WORD,
    }
)
MAX_NAMED = 50
MAX_HELD = 4096
# The API server stores no object of more than 1.5 MiB, and there is more in one.
MAX_INVENTORY_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Turnout:
    """How one turn ended. `reason` is the Ready condition's; `stalled` means: not again until something changes.

    `instead_of` is where git stands when `revision` is one that was rolled back to. `strays` are told with a success,
    and so is why something that left is `held`.
    `left` says that what was applied of it stays although it failed.
    `echo` says that the cause is another sync's, which tells it. `applied_at` is when a wait for health began.
    `unproved` are objects that were not waited for, although somebody is shown whether the commit is live. `resumed`
    says that an earlier turn or life began the revision, and has not told of it.
    """

    revision: str
    problems: tuple[Problem, ...] = ()
    reason: str = condition.RECONCILIATION_SUCCEEDED
    stalled: bool = False
    waiting: bool = False
    digest: str = ""
    inventory: Inventory | None = None
    outcomes: tuple[Outcome, ...] = ()
    warnings: tuple[Problem, ...] = ()
    gated: bool = False
    unhealthy: bool = False
    left: bool = False
    echo: bool = False
    instead_of: str = ""
    author: str = ""
    subject: str = ""
    strays: tuple[ResourceId, ...] = ()
    held: tuple[Problem, ...] = ()
    applied_at: datetime | None = None
    unproved: tuple[Target, ...] = ()
    resumed: bool = False

    @property
    def succeeded(self) -> bool:
        """True when the revision is applied wholly."""
        return not self.problems


def is_passing(problems: tuple[Problem, ...]) -> bool:
    """True when only the API server's absence, or somebody's edit or deletion at that moment, failed the revision.

    Git can't mend that, so it is tried again.
    """
    return bool(problems) and all(p.code in {codes.API_UNAVAILABLE, codes.OBJECT_CHANGED} for p in problems)


def is_lacking(problems: tuple[Problem, ...]) -> bool:
    """True when a namespace or a kind is not there, or not there yet again: somebody may be making it right now."""
    lacks = {codes.NAMESPACE_ABSENT, codes.NAMESPACE_TERMINATING, codes.UNKNOWN_KIND}
    return bool(problems) and any(p.code in lacks for p in problems)


def is_outrun(problems: tuple[Problem, ...]) -> bool:
    """True when somebody was faster with one of the objects: a plan made now would see it as it is."""
    return is_passing(problems) and any(p.code is codes.OBJECT_CHANGED for p in problems)


def of_transaction(
    ended: Transaction, revision: str, digest: str, warnings: tuple[Problem, ...], *, gated: bool
) -> Turnout:
    """The turnout of a transaction that has ended."""
    problems = ended.problems
    stalled = bool(problems) and not ended.wrote and all(p.code in USER_CODES for p in problems)
    if ended.undo_problems:
        problems = (*problems, *ended.undo_problems)
    elif ended.undone:
        problems, stalled = (*problems, *ended.kept), not is_passing(problems)
    return Turnout(
        revision,
        problems,
        ended.reason,
        stalled=stalled,
        digest=digest,
        inventory=ended.inventory,
        outcomes=tuple(ended.outcomes.values()),
        warnings=(*warnings, *warned(ended.plan, ended.outcomes.values())),
        gated=gated,
        unhealthy=ended.failed_in is Phase.WAITING,
        left=_is_left(ended),
    )


def _is_left(ended: Transaction) -> bool:
    """True when it failed in the middle and was not taken back; all of it is there once its health is judged."""
    if ended.failed_in is None or ended.undone or ended.undo_problems:
        return False
    return ended.wrote or ended.failed_in is Phase.WAITING


def status_of(
    sync: Kustomization,
    turnout: Turnout,
    started: datetime,
    now: datetime,
    past: tuple[Past, ...] = (),
    waits: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The status fields that the turn sets. `past` is the record's history after it, `waits` who waits for the sync."""
    stamp = condition.Stamp(sync.metadata.generation, rfc3339(now))
    applied = last_applied(sync.status.lastAppliedRevision, sync.status.history, past)
    message = _success_message(turnout) if turnout.succeeded else _failure_message(turnout, applied)
    status: dict[str, Any] = {
        "conditions": _conditions(sync, turnout, message, stamp),
        "problem": problem_status(turnout.problems, sync.status.problem, stamp.now, waits),
        "lastHandledReconcileAt": sync.metadata.request or None,
    }
    if turnout.revision:
        status["lastAttemptedRevision"] = turnout.revision
    if turnout.succeeded or turnout.stalled:
        status["observedGeneration"] = sync.metadata.generation
    if turnout.succeeded or applied:
        status["lastAppliedRevision"] = turnout.revision if turnout.succeeded else applied
    if turnout.inventory is not None:
        status["inventory"] = {"entries": _in_flux_form(turnout.inventory)}
    if turnout.digest and not turnout.waiting:
        status["history"] = _history(sync, turnout, started, now, past)
    return status


def _in_flux_form(inventory: Inventory) -> list[dict[str, str]]:
    """The inventory as Flux has it in status: the first of it, where all of it would be more than an object can hold.

    Nothing is decided by it while there is a record, which has all.
    """
    entries, left = [], MAX_INVENTORY_BYTES
    for entry in inventory:
        name, version = entry.id.inventory_id(), entry.api_version.rpartition("/")[2]
        left -= len(name) + len(version) + len('{"id":"","v":""},')
        if left < 0:
            break
        entries.append({"id": name, "v": version})
    return entries


def _success_message(turnout: Turnout) -> str:
    text = f"Applied revision: {turnout.revision}"
    if turnout.instead_of:
        text = f"Rolled back to {turnout.revision}; git's head is {turnout.instead_of}"
    text += f"\n{summarize((stray_problem(turnout.strays),))}" if turnout.strays else ""
    return text + (f"\n{held_text(turnout)}" if turnout.held else "")


def held_text(turnout: Turnout) -> str:
    """What Ready's message says of what is held: it is told as an event when it was not said before."""
    return summarize(turnout.held, MAX_HELD)


def stray_problem(strays: tuple[ResourceId, ...]) -> Problem:
    """What people are told of them."""
    shown = ", ".join(map(str, strays[:MAX_NAMED]))
    more = f" and {len(strays) - MAX_NAMED} more" if len(strays) > MAX_NAMED else ""
    return Problem(
        codes.STRAY_OBJECTS,
        f"{len(strays)} object{'s' if len(strays) > 1 else ''} left in place: {shown}{more}",
        cause="this sync's labels are on them, but its inventory was lost and nothing proves that they are its own",
        fix="delete them by hand if nobody needs them, or put them into git",
    )


def _failure_message(turnout: Turnout, back: str) -> str:
    text = summarize(turnout.problems)
    if turnout.left and turnout.revision != back:
        return left(text, turnout.revision)
    if turnout.reason != condition.UNDONE:
        return text
    place = f"at {back}" if back else "before the first revision"
    but = ", but for what is kept" if any(p.code is codes.UNDO_KEPT for p in turnout.problems) else ""
    return f"{text}\nUndone: the cluster is as it was {place}{but}"


def _conditions(sync: Kustomization, turnout: Turnout, message: str, stamp: condition.Stamp) -> condition.Conditions:
    present = sync.status.conditions
    if not (sync.spec.wait or sync.spec.healthChecks):
        present = condition.without(present, condition.HEALTHY)
    elif turnout.gated and turnout.succeeded:
        passed = "Health check passed"
        present = condition.mark(present, condition.HEALTHY, "True", condition.SUCCEEDED, passed, stamp=stamp)
    elif turnout.unhealthy:
        present = condition.mark(present, condition.HEALTHY, "False", "HealthCheckFailed", message, stamp=stamp)
    if turnout.succeeded:
        return condition.succeeded(present, message, stamp)
    if turnout.stalled:
        return condition.stalled(present, turnout.reason, message, stamp)
    return condition.failed(present, turnout.reason, message, stamp)


def _history(
    sync: Kustomization, turnout: Turnout, started: datetime, now: datetime, past: tuple[Past, ...]
) -> tuple[Snapshot, ...]:
    """One more attempt; a turn that changed nothing and says nothing new is not one."""
    success = last_success(past)
    if turnout.succeeded and not changed_lines(turnout.outcomes) and sync.status.history:
        newest = sync.status.history[0]
        same = (newest.digest, newest.lastReconciledStatus) == (turnout.digest, turnout.reason)
        if same and newest.metadata.get("revision") == turnout.revision:
            return sync.status.history
    attempt = Snapshot(
        digest=turnout.digest,
        firstReconciled=rfc3339(now),
        lastReconciled=rfc3339(now),
        lastReconciledDuration=format_duration(round((now - started).total_seconds(), 3)),
        lastReconciledStatus=turnout.reason,
        totalReconciliations=1,
        metadata={
            "revision": turnout.revision,
            **{name: text for name in ("author", "subject") if (text := getattr(turnout, name))},
            **Counts.of(turnout.outcomes).metadata(),
            **({RECORDED: success.mark} if success is not None else {}),
        },
    )
    return record_attempt(sync.status.history, attempt)


def changed_lines(outcomes: Iterable[Outcome]) -> list[str]:
    """`Kind/namespace/name action` for every object that a write changed, as Flux's events list them."""
    lines = []
    for outcome in outcomes:
        if outcome.result != "unchanged":
            place = f"{outcome.id.namespace}/" if outcome.id.namespace else ""
            lines.append(f"{outcome.id.kind}/{place}{outcome.id.name} {outcome.result}")
    return lines


def event_message(turnout: Turnout) -> str:
    """What the event says: the changes, or the problems."""
    if not turnout.succeeded:
        return summarize(turnout.problems, 1000)
    lines = changed_lines(turnout.outcomes)
    shown = lines[:MAX_NAMED]
    if len(lines) > MAX_NAMED:
        shown.append(f"and {len(lines) - MAX_NAMED} more")
    return "\n".join(shown) or f"Applied revision: {turnout.revision}"
