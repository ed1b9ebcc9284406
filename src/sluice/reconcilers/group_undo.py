"""A group's transaction that can't be gone on with is ended for all of its members, also for those that left."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from sluice.api.kustomization import Kustomization
from sluice.core.problem import Problem
from sluice.core.record import FailedRevision, Record
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import Phase
from sluice.reconcilers.cut_short import finish_prune
from sluice.reconcilers.failed_revision import owner_in, undo_open
from sluice.reconcilers.inventory_source import confirmed
from sluice.reconcilers.operator import Operator
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
    operator.identities.recall(record.shares)
    failed = record.failed or FailedRevision("", problems)
    union = record.inventory if begun else await confirmed(operator, record)
    journal = GroupJournal(operator.records, owner_in(record), record.shares, before=union, target=record.way_back)
    if record.phase is Phase.PRUNING:
        return await finish_prune(operator, record, progress, journal)
    return await undo_open(operator, syncs, replace(record, inventory=union, failed=failed), progress, journal)
