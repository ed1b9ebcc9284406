"""A Kustomization that is being deleted: its objects go, or stay, as deletionPolicy says; then its finalizer does."""

from __future__ import annotations

import asyncio

import structlog

from sluice.api.kustomization import GROUP, Kustomization
from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Action, Change, Owner
from sluice.core.problem import Problem, summarize
from sluice.core.transaction_messages import HANDED_OVER
from sluice.kube.resource import Resource
from sluice.kube.well_known import CRDS, NAMESPACES
from sluice.reconcilers.inventory_source import inventory_of
from sluice.reconcilers.kustomization_report import stray_problem
from sluice.reconcilers.live_state import kinds_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.prune_plan import plan_prune
from sluice.reconcilers.strays import find_strays
from sluice.reconcilers.sync_facts import owner_of, retry_of, subject_of, sync_id, timeout_of
from sluice.runtime.executor import Execution
from sluice.runtime.gone import await_gone
from sluice.runtime.together import together

# Until it is looked who has taken an object in the moment in which it was to be deleted.
TAKEN_RETRY = 1.0
log = structlog.get_logger()


async def finalize(operator: Operator, sync: Kustomization) -> float | None:
    """Prune what the policy asks for, let go of the rest, and take the finalizer off.

    Returns the seconds until another try when something could not be deleted, or git gives it to another sync that has
    not taken it yet; the finalizer stays on until then.
    A suspended Kustomization deletes nothing, and neither does one whose namespace or CRD is going: its objects are
    left in place and its record is kept. Nor does one whose service account is gone: nobody else may do it.
    """
    if not operator.sync_finalizers.is_on(sync.metadata):
        return None
    owner = owner_of(sync)
    going = await _home_is_going(operator, sync)
    if going:
        text = "its namespace or its CRD is going, which is no order to prune: its objects are left, its record is kept"
        operator.sync_events.record(subject_of(sync), "Warning", "Orphaned", text)
        log.warning("a Kustomization is orphaned", namespace=owner.namespace, name=owner.name, why=text)
    deletes = _deletes(sync) and not going
    if deletes and not await operator.identities.exists(owner):
        text = "its service account is gone, and its objects are deleted as nobody else: they are left in place"
        operator.sync_events.record(subject_of(sync), "Warning", "Orphaned", text)
        log.warning("a Kustomization is orphaned", namespace=owner.namespace, name=owner.name, why=text)
    elif deletes:
        failed = await _delete_all(operator, sync, owner)
        if failed is not None:
            return failed
    if not going:
        await operator.records.forget(str(owner))
    operator.claims.drop(owner)
    operator.wishes.forget(owner)
    await operator.sync_finalizers.remove(sync.metadata)
    operator.sync_status.forget(sync.metadata.key)
    return None


def _deletes(sync: Kustomization) -> bool:
    policy = sync.spec.deletionPolicy or "MirrorPrune"
    return not sync.spec.suspend and (
        policy in {"Delete", "WaitForTermination"} or (policy == "MirrorPrune" and sync.spec.prune)
    )


async def _home_is_going(operator: Operator, sync: Kustomization) -> bool:
    """True when the Kustomization is deleted only because its namespace or its CRD is, or was.

    One whose finalizers somebody took off by force goes before what is in it. What was in it comes back with the next
    one of its name, still marked as deleted: by then the home is younger than the deletion.
    """
    homes = await together(
        [
            operator.client.get_metadata(NAMESPACES, "", sync.metadata.namespace),
            operator.client.get_metadata(CRDS, "", f"kustomizations.{GROUP}"),
        ]
    )
    deleted = sync.metadata.deletionTimestamp or ""
    return any(home is None or home.deletion_timestamp or (home.creation_timestamp or "") > deleted for home in homes)


async def _delete_all(operator: Operator, sync: Kustomization, owner: Owner) -> float | None:
    # A sync that installed the operator, and is deleted, leaves it running: it could not even finish deleting.
    inventory = Inventory(e for e in await inventory_of(operator, owner, sync) if not operator.own.include(e.id))
    resources = await kinds_of(operator, inventory)
    plan = await plan_prune(operator, owner, inventory, resources)

    async def silent(message: str) -> None:
        log.info(message, namespace=owner.namespace, name=owner.name)

    execution = Execution(
        sync=owner, revision=sync.status.lastAppliedRevision, timeout=timeout_of(sync), progress=silent
    )
    lost = operator.records.get(str(owner)) is None
    ended = await operator.executor.run(plan, execution)
    if ended.problems:
        operator.sync_events.record(subject_of(sync), "Warning", "PruneFailed", summarize(ended.problems, 1000))
        return min(retry_of(sync), 60.0)
    if lost and (strays := await find_strays(operator, owner, inventory)):
        problem = stray_problem(strays)
        operator.sync_events.record(subject_of(sync), "Warning", problem.code.name, summarize((problem,), 1000))
        log.warning("objects are left in place", name=str(owner), error=str(problem))
    if any(outcome.result == HANDED_OVER for outcome in ended.outcomes.values()):
        return TAKEN_RETRY  # it may be given back, and then nobody else would know of it
    if offered := [change for change in plan.kept if change.action is Action.OFFER]:
        told = (_offered(change, sync) for change in offered)
        operator.sync_events.record(subject_of(sync), "Warning", "HandOver", summarize(tuple(told), 1000))
        return min(retry_of(sync), 60.0)  # whoever takes it, or does not want it any more, wakes this one earlier
    if sync.spec.deletionPolicy == "WaitForTermination":
        pruned = [c for c in plan.changes() if c.action in {Action.PRUNE, Action.KEEP}]
        return await _await_all_gone(operator, pruned, resources, execution.timeout)
    return None


def _offered(change: Change, sync: Kustomization) -> Problem:
    return Problem(
        codes.HAND_OVER,
        f"{change.id} holds up the deletion of Kustomization {owner_of(sync)}",
        subject=sync_id(sync),
        cause=f"git has moved it, or may have: {change.reason}; that has not happened yet",
        fix="see why that one does not apply it; or remove it there, or set spec.deletionPolicy: Orphan here",
    )


async def _await_all_gone(
    operator: Operator, pruned: list[Change], resources: dict[ResourceId, Resource | None], seconds: float
) -> float | None:
    """Wait until every object is gone; after `seconds` the finalizer is taken off all the same, as Flux does."""
    try:
        async with asyncio.timeout(seconds):
            await together(
                await_gone(operator.client, resource, change.id, change.uid)
                for change in pruned
                if (resource := resources[change.id]) is not None
            )
    except TimeoutError:
        log.warning("objects are still terminating", objects=[str(c.id) for c in pruned])
    return None
