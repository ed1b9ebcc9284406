"""Revisions that failed half-way: an undo that was cut short goes on, and what was undone is not tried again."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable

from sluice.api.kinds import REQUESTED_AT
from sluice.api.kustomization import Kustomization
from sluice.core.inventory import Inventory
from sluice.core.plan import Owner, Plan
from sluice.core.transaction_messages import OnFailure, Phase
from sluice.reconcilers.kustomization_report import UNDO_FAILED, UNDONE, Turnout, is_outage
from sluice.reconcilers.operator import Operator
from sluice.runtime.executor import Execution

UNDO_SECONDS = 300.0


def inputs_of(sync: Kustomization, rendered_digest: str) -> str:
    """Names what a revision's outcome depends on: its manifests, the spec, and whether a person asked again.

    A commit that changes none of this sync's manifests does not change it: the same failure would only repeat.
    """
    asked = sync.metadata.annotations.get(REQUESTED_AT, "")
    return hashlib.sha256(f"{rendered_digest} {sync.metadata.generation} {asked}".encode()).hexdigest()[:32]


def remembered_failure(operator: Operator, owner: Owner, inputs: str, revision: str) -> Turnout | None:
    """The turnout of a revision that has failed before, from the same inputs; None when it may be tried."""
    record = operator.records.get(str(owner))
    if record is None or record.failed is None or record.failed.inputs != inputs or record.phase is not Phase.FAILED:
        return None
    if is_outage(record.failed.problems):
        return None
    return Turnout(revision, record.failed.problems, UNDONE, stalled=True, inventory=record.inventory)


async def finish_undo(
    operator: Operator, sync: Kustomization, owner: Owner, progress: Callable[[str], Awaitable[None]]
) -> Turnout | None:
    """Go on with an undo that a crash, or an object that could not be restored, left unfinished.

    None when there is none, or it is finished now.
    """
    await operator.records.look_again(str(owner))
    record = operator.records.get(str(owner))
    if record is None or record.phase is not Phase.UNDOING or record.target is None:
        return None
    union = record.inventory
    plan = Plan(owner, (), (), (), before=union, during=union, after=Inventory())
    execution = Execution(
        sync=owner,
        revision=record.revision,
        timeout=UNDO_SECONDS,
        progress=progress,
        on_failure=OnFailure.UNDO,
        inputs=record.failed.inputs if record.failed is not None else "",
    )
    ended = await operator.executor.resume_undo(plan, record, execution)
    if ended.undo_problems:
        problems = (*ended.problems, *ended.undo_problems)
        return Turnout(record.revision, problems, UNDO_FAILED, inventory=ended.inventory)
    return None
