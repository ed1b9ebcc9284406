"""A group's transaction that can't be gone on with is ended for all of its members, also for those that left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from sluice.api.kustomization import Kustomization
from sluice.core.inventory import Inventory
from sluice.core.plan import Owner, Plan
from sluice.core.problem import Problem
from sluice.core.record import FailedRevision, Record
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import OnFailure, Phase
from sluice.reconcilers.cut_short import finish_prune
from sluice.reconcilers.failed_revision import UNDO_SECONDS, requests_of
from sluice.reconcilers.inventory_source import confirmed
from sluice.reconcilers.operator import Operator
from sluice.runtime.executor import Execution
from sluice.runtime.journal import GroupJournal


async def end_group(
    operator: Operator,
    record: Record,
    problems: tuple[Problem, ...],
    syncs: Sequence[Kustomization],
    progress: Callable[[str], Awaitable[None]],
) -> Transaction | None:
    """Undo the open transaction that `record` tells of, when its undo was begun or `problems` ask for it.

    One that had begun to prune is finished instead. None when it stays open: the next transaction goes on from it.
    Raises ClusterError.
    """
    begun = record.phase is Phase.UNDOING
    if record.target is None or record.shares is None or not (begun or problems):
        return None
    failed = record.failed or FailedRevision("", problems)
    union = record.inventory if begun else await confirmed(operator, record)
    owner = Owner(*record.owner.split("/", 1))

    async def requests() -> frozenset[str]:
        made = [await requests_of(operator, sync) for sync in syncs]
        return failed.answered.union(*made)

    execution = Execution(
        sync=owner,
        revision=record.revision,
        timeout=UNDO_SECONDS,
        progress=progress,
        on_failure=OnFailure.UNDO,
        inputs=failed.inputs,
        requests=requests,
        journal=GroupJournal(operator.records, owner, record.shares, before=union, target=record.way_back),
    )
    if record.phase is Phase.PRUNING:
        return await finish_prune(operator, record, execution, record.shares.members)
    plan = Plan(owner, (), (), (), before=union, during=union, after=Inventory())
    return await operator.executor.resume_undo(plan, replace(record, failed=failed), execution)
