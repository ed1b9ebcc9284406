"""A group's joint plan, executed: one transaction, recorded as the group's, and what the members remember of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from sluice.api.kustomization import Kustomization
from sluice.core.artifact import Artifact
from sluice.core.errors import SluiceError
from sluice.core.group import group_inputs, joint_target
from sluice.core.ids import NamespacedName
from sluice.core.inventory import Inventory
from sluice.core.plan import Owner
from sluice.core.record import Record
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import OnFailure, Phase
from sluice.reconcilers.failed_revision import inputs_of, is_open, remembered_failure, requests_of
from sluice.reconcilers.group_members import Scene, members_of
from sluice.reconcilers.group_plan import JointPlan, Member, Refused
from sluice.reconcilers.group_report import Turnouts, of_ended, of_remembered
from sluice.reconcilers.kustomization import KustomizationReconciler
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.places import with_places
from sluice.reconcilers.sync_facts import owner_of, rollback_of, source_of, timeout_of
from sluice.runtime.executor import Corrections, Execution
from sluice.runtime.health_gate import Target
from sluice.runtime.journal import GroupJournal
from sluice.runtime.queue import Turn
from sluice.runtime.together import one_failure

Say = Callable[[str], Awaitable[None]]


class GroupTransactions:
    """Runs one for each turn of a group; keeps nothing between them."""

    def __init__(self, operator: Operator, single: KustomizationReconciler) -> None:
        self._op = operator
        self._single = single
        self._parts = single.parts

    async def run(
        self, scene: Scene, joint: JointPlan, head: Artifact, turn: Turn[NamespacedName], say: Say
    ) -> Turnouts:
        """Take the group to its plan, unless that has failed before. `head` is where git stands.

        Raises Superseded when something else is wanted before all are healthy; Refused, ClusterError.
        """
        inputs = group_inputs(
            {m.start.owner: inputs_of(m.start.sync, m.prepared.rendered.digest) for m in joint.members}
        )
        known = self._remembered(joint, inputs, str(joint.members[0].start.artifact.revision))
        if known is not None:
            problems = [problem for turnout in known.values() for problem in turnout.problems]
            if not await self._parts.met_quotas.changed(scene.owner, problems):
                return known
        return await self._execute(scene, joint, inputs, head, turn, say)

    def _remembered(self, joint: JointPlan, inputs: str, revision: str) -> Turnouts | None:
        """What is told of a revision that was undone for all members, from the same inputs; None to try it."""
        records: dict[Owner, Record] = {}
        for member in joint.members:
            owner = member.start.owner
            record = self._op.records.get(str(owner))
            if record is None or remembered_failure(self._op, member.start.sync, owner, inputs, revision) is None:
                return None
            records[owner] = record
        return of_remembered(records[joint.members[0].start.owner], joint, records, revision)

    async def _execute(
        self, scene: Scene, joint: JointPlan, inputs: str, head: Artifact, turn: Turn[NamespacedName], say: Say
    ) -> Turnouts:
        artifact = joint.members[0].start.artifact
        revision, syncs = str(artifact.revision), [m.start.sync for m in joint.members]
        targets = {m.start.owner: await self._targets(m) for m in joint.members}
        forcing = {owner_of(sync) for sync in syncs if sync.spec.force}
        execution = Execution(
            sync=scene.owner,
            revision=revision,
            deferral=joint.deferral,
            accepted=frozenset().union(*(m.judged.accepted for m in joint.members)),
            force=lambda key: joint.shares.owner_of(key) in forcing,
            timeout=max(timeout_of(sync) for sync in syncs),
            targets=tuple(sorted((t for each in targets.values() for t in each), key=lambda t: not t.owned)),
            progress=say,
            waiting=turn.waiting,
            superseded=lambda: self._superseded(scene, head, turn),
            keep=lambda corrections: self._keep(joint, corrections),
            on_failure=OnFailure.UNDO,
            inputs=inputs,
            requests=lambda: self._requests(syncs),
            author=artifact.author,
            subject=artifact.subject,
            placed=lambda problems: with_places(problems, artifact, joint.manifests, self._op.schemas),
            journal=self._journal(scene, joint),
            applied=lambda: self._watch(joint),
        )
        whole = scene.open is None and all(_is_whole(m.start.record) for m in joint.members)
        ended = await self._op.executor.run(joint.plan, execution)
        await self._parts.met_quotas.note(scene.owner, ended.problems if ended.undone else ())
        if ended.problems:
            ended = replace(ended, problems=await execution.placed(ended.problems))
        for member in joint.members:
            await self._note(member, _narrowed(ended, joint, member))
        named = {t.id: owner for owner, each in targets.items() for t in each if not t.owned}
        # Killed between the group's record and its status, a member would be told of by nobody.
        resumed = {m.start.owner: is_open(m.start.record, revision) for m in joint.members}
        instead_of = str(head.revision) if artifact is not head else ""
        return {
            owner: replace(
                turnout,
                stalled=turnout.stalled and (whole or ended.undone),
                strays=self._parts.strays.standing(owner, turnout.inventory or Inventory()),
                held=self._op.wishes.held(owner),
                instead_of=instead_of,
                author=artifact.author,
                subject=artifact.subject,
                resumed=resumed[owner],
            )
            for owner, turnout in of_ended(ended, joint, revision, named).items()
        }

    async def _targets(self, member: Member) -> tuple[Target, ...]:
        try:
            start, prepared = member.start, member.prepared
            gated = bool(start.artifact.updated_by)
            return await self._single.gate.targets(start.sync, prepared.plan, prepared.resources, gated=gated)
        except SluiceError as error:
            raise Refused({member.start.owner: error}) from error

    def _journal(self, scene: Scene, joint: JointPlan) -> GroupJournal:
        accounts = {owner: self._op.identities.account(owner) for owner in joint.shares.members}
        shares = replace(joint.shares, accounts={owner: account for owner, account in accounts.items() if account})
        parts = []
        if scene.open is not None and scene.open.shares is not None:
            shares = replace(shares, before={**shares.before, **scene.open.shares.before})
            parts.append((scene.open.inventory, scene.open.way_back))
        for member in joint.members:
            record = member.start.record
            if record is not scene.open or record is None:
                parts.append((member.start.inventory, record.way_back if record is not None else None))
        return GroupJournal(
            self._op.records,
            scene.owner,
            shares,
            before=joint.plan.before,
            target=joint_target(parts),
            digests={m.start.owner: m.prepared.rendered.digest for m in joint.members},
        )

    def _watch(self, joint: JointPlan) -> None:
        for member in joint.members:
            self._single.watch(member.prepared.plan, member.prepared.resources)

    async def _requests(self, syncs: Sequence[Kustomization]) -> frozenset[str]:
        return frozenset().union(*[await requests_of(self._op, sync) for sync in syncs])

    async def _note(self, member: Member, ended: Transaction) -> None:
        """Keep in mind what drift, the last good state and leftovers go by. `ended` is the member's own part."""
        start, prepared = member.start, member.prepared
        self._single.note(start.sync, prepared, member.judged, start.artifact, ended)
        self._single.watch(prepared.plan, prepared.resources)
        if start.record is None and not ended.problems:
            await self._single.look_for_strays(start.sync, prepared.plan, ended.inventory)

    async def _keep(self, joint: JointPlan, corrections: Corrections) -> None:
        """Set right what drifts of any member while the group waits for health, until cancelled."""
        with one_failure():
            async with asyncio.TaskGroup() as tasks:
                for member in joint.members:
                    tasks.create_task(self._keep_one(member, corrections))

    async def _keep_one(self, member: Member, corrections: Corrections) -> None:
        sync = member.start.sync
        tell = self._single.reporter.tell_corrections
        await self._parts.last_good.keep_while_waiting(sync, member.prepared, corrections, lambda: tell(sync))

    async def _superseded(self, scene: Scene, head: Artifact, turn: Turn[NamespacedName]) -> None:
        """Return when what is being waited for is no longer what is wanted."""
        began = _wanted(scene.members)
        while True:
            await turn.superseded.wait()
            turn.superseded.clear()
            now = members_of(self._op, scene.group)
            if _wanted(now) != began:
                return
            artifact = self._op.artifacts.get(source_of(now[0])) if now else None
            if artifact is not None and artifact.revision != head.revision:
                return


def _is_whole(record: Record | None) -> bool:
    """True when nothing is left behind of an earlier attempt."""
    return record is None or record.phase is Phase.DONE or record.failed is not None


def _narrowed(ended: Transaction, joint: JointPlan, member: Member) -> Transaction:
    """The ended transaction as far as it is about one member."""
    own, owner = joint.shares, member.start.owner
    outcomes = {key: o for key, o in ended.outcomes.items() if own.owner_of(key) == owner}
    return replace(ended, outcomes=outcomes, inventory=own.part(owner, ended.inventory))


def _wanted(members: Sequence[Kustomization]) -> list[object]:
    """What of the members makes another plan when it changes."""
    return [(m.metadata.uid, m.metadata.generation, m.spec.suspend, rollback_of(m)) for m in members]
