"""Kustomization: artifact and spec → manifests → plan → transaction → status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from sluice.api.kinds import FINALIZER
from sluice.api.kustomization import Kustomization
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core import codes, condition
from sluice.core.artifact import Artifact
from sluice.core.errors import NotReady, SluiceError, UserError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Owner, Plan
from sluice.core.problem import Problem, clip
from sluice.core.record import Record
from sluice.core.timestamp import rfc3339
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import OnFailure, Phase
from sluice.kube.resource import Resource
from sluice.reconcilers import cut_short
from sluice.reconcilers.coming_syncs import syncs_in
from sluice.reconcilers.commit_health import CommitHealth
from sluice.reconcilers.dependencies import check_dependencies
from sluice.reconcilers.drift import Drift, Judged, Resources
from sluice.reconcilers.drift_turns import DriftTurns
from sluice.reconcilers.failed_revision import finish_undo, inputs_of, is_open, remembered_failure, requests_of
from sluice.reconcilers.inventory_source import inventory_of
from sluice.reconcilers.kustomization_finalizer import finalize
from sluice.reconcilers.kustomization_report import (
    Turnout,
    of_transaction,
    stray_problem,
)
from sluice.reconcilers.last_good import LastGood
from sluice.reconcilers.met_quotas import MetQuotas
from sluice.reconcilers.moves import claim
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.places import with_places
from sluice.reconcilers.planning import Planner, Prepared, applied_of, changes_something
from sluice.reconcilers.progress import Pace, Progress
from sluice.reconcilers.rollback import Rollbacks
from sluice.reconcilers.strays import Strays, is_suspicious
from sluice.reconcilers.sync_facts import (
    owner_of,
    source_of,
    subject_of,
    sync_id,
    timeout_of,
)
from sluice.reconcilers.sync_gate import SyncGate
from sluice.reconcilers.sync_reporter import SyncReporter
from sluice.reconcilers.sync_schedule import SyncSchedule
from sluice.reconcilers.unchanged import Unchanged
from sluice.runtime.executor import Execution, Superseded
from sluice.runtime.queue import Turn

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class SyncParts:
    """What takes single syncs, and groups of them, from revision to revision: one of each for all."""

    planner: Planner
    rollbacks: Rollbacks
    drift: Drift
    last_good: LastGood
    strays: Strays
    met_quotas: MetQuotas


class KustomizationReconciler:
    """Takes every Kustomization to the revision of its source, and keeps it there.

    `gate`, `reporter` and `schedule` serve groups, too.
    """

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._planner = Planner(operator)
        self._rollbacks = Rollbacks(operator)
        self._pace = Pace()
        self._drift = Drift(operator)
        self._last_good = LastGood(operator, self._planner, self._drift)
        self._strays = Strays(operator)
        self._met_quotas = MetQuotas(operator)
        self.commits = CommitHealth(operator.client, operator.sync_events, operator.held_events)
        self.gate = SyncGate(operator, self._drift, self.commits)
        self.reporter = SyncReporter(operator, self._drift, self.commits)
        self.schedule = SyncSchedule(operator.poll_jitter)
        self._unchanged = Unchanged(operator, self._drift, self.commits)
        self._drift_turns = DriftTurns(operator, self._drift, self._last_good, self.reporter)

    @property
    def parts(self) -> SyncParts:
        """What it shares with the reconciler of groups."""
        return SyncParts(self._planner, self._rollbacks, self._drift, self._last_good, self._strays, self._met_quotas)

    def suspect(self, owner: Owner, resource: ResourceId) -> float | None:
        """Note that an object may have drifted; returns in how many seconds its owner's turn is due, None for never."""
        return self._drift.suspect(owner, resource)

    async def settle_drift(self, sync: Kustomization) -> bool:
        """Set right what has drifted since the last turn; False when only a turn can."""
        return await self._drift_turns.settle(sync)

    def drift_due(self, sync: Kustomization) -> float | None:
        """Seconds until something that is fought over is to be looked at again; None when there is nothing."""
        return self._drift.due(sync)

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One turn. Returns the seconds until the next."""
        key = turn.key
        sync = self._op.kustomizations.get(key.namespace, key.name)
        if sync is None:
            self._forget(key)
            return None
        if sync.metadata.deletionTimestamp:
            return await finalize(self._op, sync)
        if sync.spec.suspend:
            await self._settle_suspended(sync)
            return None
        if FINALIZER not in sync.metadata.finalizers:
            await self._op.sync_finalizers.add(sync.metadata)
        started, artifact = self._op.now(), self._op.artifacts.get(source_of(sync))
        async with Progress(lambda message: self.reporter.progress(sync, message), self._pace) as progress:
            try:
                turnout = await self._sync(sync, turn, progress.say)
            except Superseded:
                return 0.0
            except SluiceError as error:
                turnout = self.reporter.turnout_of(sync, error)
            if turnout is None:
                self.reporter.nothing_to_tell(sync)
                return self.schedule.next_turn(sync, Turnout(""))
            turnout = await cut_short.settle(self._op, sync, owner_of(sync), turnout, progress.say)
        left = self.schedule.patience(sync, turnout)
        if left > 0:
            return left
        await self.reporter.doubt_kinds(turnout)
        keep_again = None if turnout.succeeded else await self._last_good.keep(sync)
        await self.reporter.report(sync, turnout, started)
        self._drift_turns.note(sync, artifact, turnout)
        waits = (self.schedule.next_turn(sync, turnout), keep_again, self._drift.due(sync))
        return min((wait for wait in waits if wait is not None), default=None)

    async def _settle_suspended(self, sync: Kustomization) -> None:
        """A run that was cut short left a status which says that it is under way."""
        key, now = sync.metadata.key, rfc3339(self._op.now())
        conditions = condition.suspended(sync.status.conditions, condition.Stamp(sync.metadata.generation, now))
        if conditions != sync.status.conditions:
            await self._op.sync_status.write(key, {"conditions": conditions}, sync.status)

    def _forget(self, key: NamespacedName) -> None:
        self.schedule.forget(key)
        self.gate.ended(key)
        self._rollbacks.forget(key)
        self._drift.forget(key)
        self._last_good.forget(key)
        self._drift_turns.forget(key)
        self._unchanged.forget(key)
        self._strays.forget(key)
        self.commits.drop(key)
        self.reporter.forget(key)
        self._op.sync_status.forget(key)
        self._op.sync_finalizers.forget(key)
        owner = Owner(key.namespace, key.name)
        self._op.claims.drop(owner)
        self._op.wishes.forget(owner)
        self._met_quotas.forget(owner)
        if self._op.crashes is not None:
            self._op.crashes.forget(str(owner))

    # --- observe, decide, act -----------------------------------------------------------------------------------

    async def _sync(
        self, sync: Kustomization, turn: Turn[NamespacedName], progress: Callable[[str], Awaitable[None]]
    ) -> Turnout | None:
        """What came of it; None when everything is as the last turn left and told it."""
        owner = owner_of(sync)
        # It needs neither source nor spec, and what became of them must not hold it up.
        unfinished = await finish_undo(self._op, sync, owner, progress)
        if unfinished is not None:
            return unfinished
        if problems := validate_kustomization(sync, self._op.rules):
            raise UserError(*problems)
        head = self.artifact(sync)
        check_dependencies(sync, self._op.kustomizations, head.revision)
        artifact = await self._rollbacks.artifact(sync, head)
        revision = str(artifact.revision)
        made_from = self._unchanged.inputs(sync, artifact)
        if artifact is head and self._unchanged.holds(sync, artifact, made_from):
            return None
        await progress(f"Building manifests for revision {revision}")
        inventory = await inventory_of(self._op, owner, sync)
        record = self._op.records.get(str(owner))
        judged = Judged()
        applied_at: list[datetime] = []

        async def settle(manifests: tuple[Manifest, ...], kinds: Resources) -> frozenset[ResourceId]:
            nonlocal judged
            suspects = self._drift.suspects(sync, inventory)
            if changes_something(record, revision, manifests, inventory):
                judged = self._drift.everything(sync, suspects)
            else:
                judged = await self._drift.judge(sync, suspects, applied_of(manifests, inventory), inventory, kinds)
            return judged.apply

        prepared = await self._planner.prepare(sync, artifact, inventory, settle)
        plan, resources = prepared.plan, prepared.resources
        manifests = prepared.rendered.manifests
        claim(self._op, sync, artifact, (m.id for m in manifests), syncs_in(manifests))
        inputs = inputs_of(sync, prepared.rendered.digest)
        known_bad = remembered_failure(self._op, sync, owner, inputs, revision)
        if known_bad is not None and not await self._met_quotas.changed(owner, known_bad.problems):
            return known_bad
        execution = Execution(
            sync=owner,
            revision=revision,
            deferral=prepared.deferral,
            accepted=judged.accepted,
            force=lambda _: sync.spec.force,
            timeout=timeout_of(sync),
            targets=await self.gate.targets(sync, plan, resources, gated=self.gate.is_gated(sync, artifact)),
            progress=progress,
            waiting=turn.waiting,
            superseded=lambda: self.gate.superseded(sync, str(head.revision), turn),
            keep=lambda corrections: self._last_good.keep_while_waiting(
                sync, prepared, corrections, lambda: self.reporter.tell_corrections(sync)
            ),
            on_failure=OnFailure(sync.spec.onFailure or OnFailure.UNDO),
            inputs=inputs,
            made_from=made_from,
            wanted=len(prepared.rendered.manifests),
            requests=lambda: requests_of(self._op, sync),
            digest=prepared.rendered.digest,
            author=artifact.author,
            subject=artifact.subject,
            placed=lambda problems: with_places(problems, artifact, prepared.rendered.manifests, self._op.schemas),
            applied=partial(self._begin_wait, applied_at, prepared),
        )
        turnout = await self._carry_out(sync, prepared, execution, judged, artifact, record)
        instead_of = str(head.revision) if artifact is not head else ""
        return replace(turnout, instead_of=instead_of, applied_at=next(iter(applied_at), None))

    async def _carry_out(
        self,
        sync: Kustomization,
        prepared: Prepared,
        execution: Execution,
        judged: Judged,
        artifact: Artifact,
        record: Record | None,
    ) -> Turnout:
        """Run the transaction and note what became of it; `record` is what there was before it."""
        ended = await self._op.executor.run(prepared.plan, execution)
        self.gate.ended(sync.metadata.key)
        await self._met_quotas.note(execution.sync, ended.problems if ended.undone else ())
        if ended.problems:
            ended = replace(ended, problems=await execution.placed(ended.problems))
        self.note(sync, prepared, judged, artifact, ended)
        self._unchanged.note(sync, execution.made_from, ended, execution.wanted)
        self.watch(prepared.plan, prepared.resources)
        if record is None and not ended.problems:
            await self.look_for_strays(sync, ended.plan, ended.inventory)
        return self._turnout(sync, prepared, execution, record, ended)

    def _begin_wait(self, applied_at: list[datetime], prepared: Prepared) -> None:
        """Everything is applied: what drifts during the wait is seen, also of kinds that nobody has had before."""
        applied_at.append(self._op.now())
        self.watch(prepared.plan, prepared.resources)

    def _turnout(
        self, sync: Kustomization, prepared: Prepared, execution: Execution, record: Record | None, ended: Transaction
    ) -> Turnout:
        """What a transaction came to; `record` is what there was before it."""
        revision, rendered, owner = execution.revision, prepared.rendered, execution.sync
        turnout = of_transaction(ended, revision, rendered.digest, rendered.warnings, gated=bool(execution.targets))
        # What an earlier attempt left behind may be what this one was refused for: that is tried again.
        whole = record is None or record.phase is Phase.DONE or record.failed is not None
        return replace(
            turnout,
            stalled=turnout.stalled and (whole or ended.undone),
            author=execution.author,
            subject=execution.subject,
            resumed=is_open(record, revision),
            unproved=() if turnout.gated else self.gate.unproved(sync, prepared.plan, prepared.resources),
            strays=self._strays.standing(owner, ended.inventory),
            held=self._op.wishes.held(owner),
        )

    def note(
        self, sync: Kustomization, prepared: Prepared, judged: Judged, artifact: Artifact, ended: Transaction
    ) -> None:
        """Note what the transaction has settled of what had drifted, and that it is the last good one."""
        # What a failed transaction did not get to, or took back, may still have drifted.
        written = () if ended.undone else tuple(ended.outcomes.values())
        self._drift.handled(sync, judged, written, whole=not ended.problems)
        if not ended.problems:
            manifests = prepared.rendered.manifests
            before = applied_of(manifests, prepared.plan.before)
            self._drift.renewed(sync, {m.id for m in manifests} - before.keys())
            self._last_good.note(sync, artifact, prepared.rendered)

    async def look_for_strays(self, sync: Kustomization, plan: Plan, inventory: Inventory) -> None:
        """Where a record was lost, or it was Flux's, tell what is left over from then, once as an event."""
        if not is_suspicious(sync.status.lastAppliedRevision, plan):
            return
        if strays := await self._strays.look(owner_of(sync), inventory):
            problem = stray_problem(strays)
            self._op.sync_events.record(subject_of(sync), "Warning", problem.code.name, clip(str(problem), 1000))
            meta = sync.metadata
            log.warning("objects are left in place", namespace=meta.namespace, name=meta.name, error=str(problem))

    def artifact(self, sync: Kustomization) -> Artifact:
        """The present artifact of its source. Raises NotReady when there is none."""
        source = source_of(sync)
        artifact = self._op.artifacts.get(source)
        if artifact is not None:
            return artifact
        found = self._op.git_repositories.get(source.namespace, source.name)
        ready = condition.find_condition(found.status.conditions, condition.READY) if found else None
        absent = "" if found else "no such object in the cluster"
        raise NotReady(
            Problem(
                codes.SOURCE_MISSING,
                f"{source} " + ("has fetched no revision yet" if found else "does not exist"),
                subject=sync_id(sync),
                field="spec.sourceRef",
                cause=ready.message if ready is not None and ready.status == "False" else absent,
                fix="wait for it, or correct the source" if found else "create it, or correct spec.sourceRef",
            )
        )

    def watch(self, plan: Plan, resources: Mapping[ResourceId, Resource | None]) -> None:
        """From now on, changes to the kinds of this sync are seen as they happen."""
        for change in plan.changes():
            resource = resources.get(change.id) or self._op.discovery.known(change.api_version, change.id.kind)
            if resource is not None and change.id in plan.after and "watch" in resource.verbs:
                self._op.owned.ensure(resource)
