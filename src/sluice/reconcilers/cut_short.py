"""A revision that a crash or a newer one cut short, while what git has now is refused: nothing that follows can end it.

What was applied of it is taken back, so that the cluster is as it was. One that had begun to prune was applied and
healthy: its pruning is finished.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from sluice.api.kustomization import Kustomization
from sluice.core import codes, condition
from sluice.core.errors import SluiceError
from sluice.core.group import compose
from sluice.core.plan import Owner
from sluice.core.problem import Problem, summarize
from sluice.core.record import FailedRevision, Record
from sluice.core.shares import Shares
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import Phase
from sluice.reconcilers.failed_revision import UNDO_SECONDS, owner_in, undo_open
from sluice.reconcilers.inventory_source import confirmed
from sluice.reconcilers.kustomization_report import Turnout
from sluice.reconcilers.live_state import kinds_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.prune_plan import plan_prune
from sluice.reconcilers.sync_facts import subject_of
from sluice.runtime.executor import Execution
from sluice.runtime.journal import Journal

# Refused for a reason outside of git: the same revision may go through the next time, and ends what is open then.
OUTSIDE = frozenset(
    {
        codes.API_UNAVAILABLE,
        codes.WEBHOOK_UNREACHABLE,
        codes.OBJECT_CHANGED,
        codes.NAMESPACE_TERMINATING,
        codes.OBJECT_DELETING,
        codes.UNDO_FAILED,
    }
)
Say = Callable[[str], Awaitable[None]]
log = structlog.get_logger()


def is_refusal(turnout: Turnout) -> bool:
    """True when the revision can't be applied as it is, so that what was open before it would stay so."""
    return bool(turnout.problems) and not turnout.waiting and not any(p.code in OUTSIDE for p in turnout.problems)


def is_cut_short(record: Record | None) -> bool:
    """True for a transaction that is open, and that can be taken back or finished."""
    return record is not None and record.target is not None and record.phase in {Phase.APPLYING, Phase.PRUNING}


def cut_short(revision: str, instead: str) -> Problem:
    """Why a transaction is undone although nothing of it has failed."""
    return Problem(
        codes.CUT_SHORT,
        f"revision {revision} was cut short, and taken back",
        cause=f"{instead or 'what git has now'} can't be applied, so that nothing would have ended it",
        fix="correct what git has now",
    )


async def settle(operator: Operator, sync: Kustomization, owner: Owner, turnout: Turnout, say: Say) -> Turnout:
    """End what is open before a refused revision; `turnout` is of that one, and gets what went wrong on the way."""
    if not is_refusal(turnout):
        return turnout
    try:
        record = operator.records.get(str(owner))
        if record is None or not is_cut_short(record):
            return turnout
        why = cut_short(record.revision, turnout.revision)
        ended = await _end(operator, sync, record, why, say)
    except SluiceError as error:
        return still_open(turnout, error.problems)
    tell(operator, sync, why, ended)
    return replace(still_open(turnout, ended.undo_problems), inventory=ended.inventory)


def still_open(turnout: Turnout, problems: tuple[Problem, ...]) -> Turnout:
    """The refused revision's turnout when what was open before it could not be ended: it is tried again."""
    news = tuple(problem for problem in problems if problem not in turnout.problems)
    if not news:
        return turnout
    return replace(turnout, problems=(*turnout.problems, *news), reason=condition.UNDO_FAILED, stalled=False)


async def _end(operator: Operator, sync: Kustomization, record: Record, why: Problem, say: Say) -> Transaction:
    if record.phase is Phase.PRUNING:
        return await finish_prune(operator, record, say)
    held = await confirmed(operator, record)
    known = replace(record, inventory=held, failed=FailedRevision("", (why,)))
    return await undo_open(operator, (sync,), known, say)


def tell(operator: Operator, sync: Kustomization, why: Problem, ended: Transaction) -> None:
    """One event: no status says it, since that tells of the revision that is there now."""
    if ended.undone:
        operator.sync_events.record(subject_of(sync), "Warning", condition.UNDONE, summarize((why,), 1000))
        log.warning("a revision was undone", namespace=sync.metadata.namespace, name=sync.metadata.name,
                    error=str(why))  # fmt: skip


async def finish_prune(operator: Operator, record: Record, say: Say, journal: Journal | None = None) -> Transaction:
    """Delete what the transaction of `record` had left to delete; each object still has to be proved its owner's.

    `journal` is where a group's is recorded. Raises NotReady, ClusterError.
    """
    assert record.target is not None  # noqa: S101 - the caller looked
    owner = owner_in(record)
    shares = record.shares or Shares.of_one(owner)
    leaving = record.inventory.without(record.target.inventory.ids())
    resources = await kinds_of(operator, leaving)
    parts = {member: shares.part(member, leaving) for member in shares.members}
    joint, _ = compose(owner, [await plan_prune(operator, m, part, resources) for m, part in parts.items()])
    plan = replace(joint, before=record.inventory, during=record.inventory, after=record.target.inventory)
    execution = Execution(sync=owner, revision=record.revision, timeout=UNDO_SECONDS, progress=say, journal=journal)
    return await operator.executor.resume_prune(plan, record, execution)
