"""Revisions that failed half-way: an undo that was cut short goes on, and what was undone is not tried again."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Sequence

from sluice.api.kinds import request_of
from sluice.api.kustomization import Kustomization
from sluice.core.condition import UNDO_FAILED, UNDONE
from sluice.core.errors import ClusterError
from sluice.core.inventory import Inventory
from sluice.core.plan import Owner, Plan
from sluice.core.record import Record
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import OnFailure, Phase
from sluice.reconcilers.kustomization_report import Turnout, is_passing
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.our_kinds import KUSTOMIZATIONS
from sluice.reconcilers.sync_facts import source_of
from sluice.runtime.executor import Execution
from sluice.runtime.journal import Journal

UNDO_SECONDS = 300.0


def inputs_of(sync: Kustomization, rendered_digest: str) -> str:
    """Names what a revision's outcome depends on: its manifests and the spec.

    A commit that changes none of this sync's manifests does not change it: the same failure would only repeat.
    """
    return hashlib.sha256(f"{rendered_digest} {sync.metadata.generation}".encode()).hexdigest()[:32]


async def requests_of(operator: Operator, sync: Kustomization) -> frozenset[str]:
    """The requests for a turn of `sync` that have been made by now, those to fetch its source among them.

    `sluice sync` asks the source, waits, and asks the sync with the same token: a revision that failed in between has
    answered it. The watch may be behind, so the sync is read: only a failure asks for this.
    """
    source = source_of(sync)
    read = operator.git_repositories.get(source.namespace, source.name)
    made = {sync.metadata.request, read.metadata.request if read is not None else ""}
    if sync.metadata.uid:
        with contextlib.suppress(ClusterError):  # then a request of the last moment asks for another try
            key = sync.metadata.key
            meta = await operator.client.get_metadata(KUSTOMIZATIONS, key.namespace, key.name)
            made.add(request_of(meta.annotations) if meta is not None else "")
    return frozenset(request for request in made if request)


def remembered_failure(
    operator: Operator, sync: Kustomization, owner: Owner, inputs: str, revision: str
) -> Turnout | None:
    """The turnout of a revision that has failed before, from the same inputs; None when it may be tried."""
    record = operator.records.get(str(owner))
    if record is None or record.failed is None or record.failed.inputs != inputs or record.phase is not Phase.FAILED:
        return None
    request = sync.metadata.request
    if is_passing(record.failed.problems) or (request and request not in record.failed.answered):
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
    ended = await undo_open(operator, (sync,), record, progress)
    if ended.undo_problems:
        problems = (*ended.problems, *ended.undo_problems)
        return Turnout(record.revision, problems, UNDO_FAILED, inventory=ended.inventory)
    return None


def is_open(record: Record | None, revision: str) -> bool:
    """True when an earlier turn or life had begun `revision`: what it did is no change of this turn."""
    return record is not None and record.revision == revision


def owner_in(record: Record) -> Owner:
    """Whose record it is: a sync's, or a group's."""
    return Owner(*record.owner.split("/", 1))


async def undo_open(
    operator: Operator,
    syncs: Sequence[Kustomization],
    record: Record,
    progress: Callable[[str], Awaitable[None]],
    journal: Journal | None = None,
) -> Transaction:
    """Undo the open transaction of `syncs` that `record` tells of; its `failed` says why, and if that is remembered.

    `journal` is where a group's is recorded. Raises NotReady, ClusterError.
    """
    owner, union, failed = owner_in(record), record.inventory, record.failed

    async def requests() -> frozenset[str]:
        made = [await requests_of(operator, sync) for sync in syncs]
        return frozenset().union(*made, failed.answered if failed is not None else ())

    execution = Execution(
        sync=owner,
        revision=record.revision,
        timeout=UNDO_SECONDS,
        progress=progress,
        on_failure=OnFailure.UNDO,
        inputs=failed.inputs if failed is not None else "",
        requests=requests,
        journal=journal,
    )
    plan = Plan(owner, (), (), (), before=union, during=union, after=Inventory())
    return await operator.executor.resume_undo(plan, record, execution)
