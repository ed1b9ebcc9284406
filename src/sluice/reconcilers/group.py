"""A group of Kustomizations: one artifact and all their specs → one plan → one transaction → each one's status.

One turn serves all members, and while it runs none of them has a turn of its own (`SyncTurns`). Between turns every
member has its own record; a group's record stands open only while its transaction is under way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from sluice.api.kinds import FINALIZER
from sluice.api.kustomization import Kustomization
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core import condition
from sluice.core.artifact import Artifact
from sluice.core.errors import NotReady, SluiceError, StateError, UserError
from sluice.core.group import is_open
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Owner
from sluice.core.problem import Problem, summarize
from sluice.core.record import Record
from sluice.reconcilers.cut_short import cut_short, is_cut_short, is_refusal, settle, still_open, tell
from sluice.reconcilers.dependencies import check_dependencies
from sluice.reconcilers.failed_revision import finish_undo
from sluice.reconcilers.group_members import (
    GROUP_CODES,
    Scene,
    check_members,
    differing_rollbacks,
    left,
    members_of,
    open_group_of,
    record_owner,
    suspended,
)
from sluice.reconcilers.group_plan import GroupPlanner, Refused, Start, judging, start_of
from sluice.reconcilers.group_report import Turnouts, of_refused
from sluice.reconcilers.group_transaction import GroupTransactions, Say
from sluice.reconcilers.group_undo import end_group
from sluice.reconcilers.inventory_source import confirmed
from sluice.reconcilers.kustomization import KustomizationReconciler
from sluice.reconcilers.kustomization_report import Turnout
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.progress import Pace, Progress
from sluice.reconcilers.sync_facts import owner_of, source_of, subject_of, sync_id
from sluice.runtime.executor import Superseded
from sluice.runtime.journal import enter
from sluice.runtime.queue import Turn

# Woken when what it waits for has happened; this is only a net.
ELSEWHERE_RETRY = 30.0
log = structlog.get_logger()


class GroupReconciler:
    """Takes every group to the revision of its source, all or none."""

    def __init__(self, operator: Operator, single: KustomizationReconciler) -> None:
        self._op = operator
        self._single = single
        self._parts = single.parts
        self._planner = GroupPlanner(operator, single.parts.planner, judging(single.parts.drift))
        self._transactions = GroupTransactions(operator, single)
        self._pace = Pace()

    def involved(self, group: NamespacedName) -> frozenset[NamespacedName]:
        """The Kustomizations that a turn of the group is about: its members, and who left its open transaction."""
        keys = {member.metadata.key for member in members_of(self._op, group)}
        for record in self._op.records.groups():
            if record.owner == str(record_owner(group)) and record.shares is not None:
                keys |= {NamespacedName(owner.namespace, owner.name) for owner in record.shares.members}
        return frozenset(keys)

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One turn, for all members; nobody else may work on them meanwhile. Returns the seconds until the next."""
        started = self._op.now()
        try:
            scene = await self._scene(turn.key)
        except StateError as error:
            scene = Scene(turn.key, members_of(self._op, turn.key), known=False)
            return await self._tell(scene, self._of_refused(scene, _all(scene, error)), started)
        if not scene.members and scene.open is None:
            await self._forget(scene)
            return None
        for member in scene.members:
            if open_group_of(self._op, owner_of(member)) not in {None, turn.key}:
                return ELSEWHERE_RETRY  # what it was in the middle of comes first
            if FINALIZER not in member.metadata.finalizers:
                await self._op.sync_finalizers.add(member.metadata)
        async with Progress(lambda message: self._tell_progress(scene, message), self._pace) as progress:
            try:
                turnouts = await self._turnouts(scene, turn, progress.say)
            except Superseded:
                return 0.0
            except Refused as refused:
                turnouts = self._of_refused(scene, refused)
            except SluiceError as error:
                if not scene.members:
                    raise
                turnouts = self._of_refused(scene, _all(scene, error))
            turnouts = await self._settle(scene, turnouts, progress.say)
        return await self._tell(scene, turnouts, started)

    async def _scene(self, group: NamespacedName) -> Scene:
        """Where the group stands; a transaction that has ended is entered in its members' records first."""
        members, owner = members_of(self._op, group), str(record_owner(group))  # who joins later has the next turn
        await self._op.records.look_again(owner)
        record = self._op.records.get(owner)
        named = record.shares.members if record is not None and record.shares is not None else ()
        gone = tuple(o for o in named if o not in {owner_of(member) for member in members})
        if record is not None and record.shares is not None and record.phase.ended:
            await enter(self._op.records, record)
            gone = ()
        return Scene(group, members, record if is_open(record) else None, gone)

    async def _forget(self, scene: Scene) -> None:
        """Nobody is of the group any more, and nothing of it is open."""
        self._parts.met_quotas.forget(scene.owner)
        if self._op.records.get(str(scene.owner)) is not None:
            await self._op.records.forget(str(scene.owner))

    # --- decide and act -----------------------------------------------------------------------------------------

    async def _turnouts(self, scene: Scene, turn: Turn[NamespacedName], say: Say) -> Turnouts:
        staying = [member for member in self._present(scene) if not member.metadata.deletionTimestamp]
        standing = [member for member in staying if member.spec.suspend]
        if standing:
            return self._stand(scene, staying, standing[0])
        if scene.open is not None:
            failed = await self._finish(scene, scene.open, say)
            if failed is not None:
                return failed
            record = self._op.records.get(str(scene.owner))
            scene = replace(scene, open=record if is_open(record) else None, gone=())
        if not scene.members:
            await self._forget(scene)
            return {}
        starts, head = await self._starts(scene, say)
        joint = await self._planner.prepare(scene.owner, starts)
        return await self._transactions.run(scene, joint, head, turn, say)

    async def _settle(self, scene: Scene, turnouts: Turnouts, say: Say) -> Turnouts:
        """End what is open, of the group or of a member before it joined, where the present revision is refused."""
        refused = [owner for owner, turnout in turnouts.items() if not turnout.echo and turnout.problems]
        if not refused or not all(is_refusal(turnouts[owner]) for owner in refused):
            return turnouts
        record = self._op.records.get(str(scene.owner))
        if record is None or not is_open(record) or not is_cut_short(record):
            syncs = {owner_of(member): member for member in scene.members}
            return {o: await settle(self._op, syncs[o], o, t, say) if o in syncs else t for o, t in turnouts.items()}
        why = cut_short(record.revision, turnouts[refused[0]].revision)
        ended = await end_group(self._op, record, (why,), self._present(scene), say)
        if ended is None:
            return turnouts
        tell(self._op, scene.members[0], why, ended)
        return {o: replace(still_open(t, ended.undo_problems), inventory=self._held(o)) for o, t in turnouts.items()}

    def _held(self, member: Owner) -> Inventory | None:
        record = self._op.records.get(str(member))
        return record.inventory if record is not None else None

    def _present(self, scene: Scene) -> list[Kustomization]:
        """The members, and who has left, or is going, but is there."""
        there = [self._op.kustomizations.get(owner.namespace, owner.name) for owner in scene.gone]
        return [*scene.members, *(sync for sync in there if sync is not None)]

    def _stand(self, scene: Scene, staying: Sequence[Kustomization], standing: Kustomization) -> Turnouts:
        """One is suspended: who is where git is stays Ready, the others say what they wait for."""
        found: Turnouts = {}
        for member in staying:
            artifact = self._op.artifacts.get(source_of(member))
            if member.spec.suspend or artifact is None:
                continue
            status, revision = member.status, str(artifact.revision)
            there = status.lastAppliedRevision == revision and status.observedGeneration == member.metadata.generation
            if there and scene.open is None and condition.is_true(status.conditions, condition.READY):
                found[owner_of(member)] = Turnout(revision)
            else:
                why = (suspended(standing),)
                found[owner_of(member)] = Turnout(revision, why, condition.GROUP_NOT_READY, waiting=True, echo=True)
        return found

    async def _finish(self, scene: Scene, record: Record, say: Say) -> Turnouts | None:
        """Undo what an undo was begun for, or what somebody has left; None when the group can go on."""
        problems = (left(scene.gone, scene.group),) if scene.gone else ()
        ended = await end_group(self._op, record, problems, self._present(scene), say)
        if ended is None or not ended.undo_problems:
            if ended is not None and ended.undone and problems:
                self._tell_left(scene, problems)
            return None
        told = (*ended.problems, *ended.undo_problems)
        return {
            owner_of(member): Turnout(record.revision, told, condition.UNDO_FAILED) for member in self._present(scene)
        }

    def _tell_left(self, scene: Scene, problems: tuple[Problem, ...]) -> None:
        """One event, of who has left if it is still there: no status will say it, since each goes on at once."""
        gone = [sync for sync in self._present(scene) if owner_of(sync) in scene.gone]
        for sync in (gone or list(scene.members))[:1]:
            self._op.sync_events.record(subject_of(sync), "Warning", condition.UNDONE, summarize(problems, 1000))
        log.warning("a group was undone", namespace=scene.group.namespace, name=scene.group.name,
                    error=summarize(problems))  # fmt: skip

    async def _starts(self, scene: Scene, say: Say) -> tuple[list[Start], Artifact]:
        """Where each member stands, and where git does. Raises Refused with all that is wrong."""
        errors: dict[Owner, SluiceError] = {}
        wrong = check_members(scene.members, self._op.kustomizations)
        for member in scene.members:
            owner = owner_of(member)
            problems = (*validate_kustomization(member, self._op.rules), *wrong.get(owner, ()))
            if problems:
                errors[owner] = UserError(*problems)
                continue
            try:
                check_dependencies(member, self._op.kustomizations, self._single.artifact(member).revision)
            except SluiceError as error:
                errors[owner] = error
        if not errors:
            asked = differing_rollbacks(scene.members)
            errors |= {owner: UserError(*problems) for owner, problems in asked.items()}
        if errors:
            raise Refused(errors)
        head = self._single.artifact(scene.members[0])
        await say(f"Building manifests for revision {head.revision}")
        union = await confirmed(self._op, scene.open) if scene.open is not None else Inventory()
        return [await self._start(scene, member, head, union, say) for member in scene.members], head

    async def _start(self, scene: Scene, member: Kustomization, head: Artifact, union: Inventory, say: Say) -> Start:
        """`union` is what the open transaction, if there is one, may have made."""
        owner = owner_of(member)
        try:
            unfinished = await finish_undo(self._op, member, owner, say)
            if unfinished is not None:
                raise NotReady(*unfinished.problems)
            artifact = await self._parts.rollbacks.artifact(member, head)
            return await start_of(self._op, member, artifact, scene.open, union)
        except SluiceError as error:
            raise Refused({owner: error}) from error

    # --- report -------------------------------------------------------------------------------------------------

    async def _tell_progress(self, scene: Scene, message: str) -> None:
        for member in scene.members:
            await self._single.reporter.progress(member, message)

    def _of_refused(self, scene: Scene, refused: Refused) -> Turnouts:
        syncs = {owner_of(member): member for member in scene.members}
        own = {o: self._single.reporter.turnout_of(syncs[o], error) for o, error in refused.errors.items()}
        own = {o: replace(t, reason=condition.GROUP_NOT_READY) if _of_group(t) else t for o, t in own.items()}
        others: dict[Owner, ResourceId] = {o: sync_id(sync) for o, sync in syncs.items() if o not in own}
        return of_refused(scene.owner, own, others)

    async def _tell(self, scene: Scene, turnouts: Turnouts, started: datetime) -> float | None:
        waits: list[float | None] = []
        syncs = {owner_of(sync): sync for sync in self._present(scene)}
        told = [(syncs[owner], turnout) for owner, turnout in turnouts.items()]
        left_over = max(
            (self._single.schedule.patience(sync, turnout) for sync, turnout in told if not turnout.echo), default=0
        )
        if left_over > 0:
            return left_over
        # In the middle of a transaction the members' records do not say what was applied.
        settled = scene.known and all(record.owner != str(scene.owner) for record in self._op.records.groups())
        for sync, turnout in told:
            await self._single.reporter.doubt_kinds(turnout)
            if settled and (not turnout.succeeded or not turnout.digest):  # nothing was rendered: it stands still
                waits.append(await self._parts.last_good.keep(sync))
            await self._single.reporter.report(sync, turnout, started)
            waits += [self._single.schedule.next_turn(sync, turnout), self._parts.drift.due(sync)]
        return min((wait for wait in waits if wait is not None), default=None)


def _all(scene: Scene, error: SluiceError) -> Refused:
    return Refused({owner_of(member): error for member in scene.members})


def _of_group(turnout: Turnout) -> bool:
    """True for what is wrong with the group, and not with what the member would build."""
    return all(problem.code in GROUP_CODES for problem in turnout.problems)
