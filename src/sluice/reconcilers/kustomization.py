"""Kustomization: artifact and spec → manifests → plan → transaction → status."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from sluice.api.kinds import FINALIZER
from sluice.api.kustomization import GROUP, KIND, Kustomization
from sluice.api.validate_kustomization import health_rules, validate_kustomization, warn_kustomization
from sluice.core import codes, condition
from sluice.core.artifact import Artifact
from sluice.core.duration import parse_duration
from sluice.core.errors import NotReady, SluiceError, StateError, UserError
from sluice.core.event import AWAITS, COMMIT_STATUS, HEALTH, UPDATE, Severity
from sluice.core.health import rule_for
from sluice.core.history import Past
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Owner, Plan
from sluice.core.problem import Problem, cause_of, clip, summarize
from sluice.core.record import Record
from sluice.core.schedule import backoff, next_interval
from sluice.core.timestamp import rfc3339
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import OnFailure, Phase
from sluice.kube.resource import Resource
from sluice.reconcilers import cut_short
from sluice.reconcilers.commit_health import CommitHealth
from sluice.reconcilers.dependencies import check_dependencies, waiters_of
from sluice.reconcilers.drift import Drift, Judged, Resources
from sluice.reconcilers.drift_report import DRIFT_CORRECTED, corrections, with_drift
from sluice.reconcilers.failed_revision import finish_undo, inputs_of, remembered_failure, requests_of
from sluice.reconcilers.inventory_source import inventory_of
from sluice.reconcilers.kustomization_finalizer import finalize
from sluice.reconcilers.kustomization_report import (
    Turnout,
    event_message,
    is_outrun,
    of_transaction,
    status_of,
    stray_problem,
)
from sluice.reconcilers.last_good import LastGood
from sluice.reconcilers.lead_time import reached_by
from sluice.reconcilers.moves import version_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.places import with_places
from sluice.reconcilers.planning import Planner, Prepared, applied_of
from sluice.reconcilers.progress import Pace, Progress
from sluice.reconcilers.rollback import Rollbacks
from sluice.reconcilers.strays import Strays, is_suspicious
from sluice.reconcilers.sync_facts import (
    group_of,
    owner_of,
    retry_of,
    rollback_of,
    source_of,
    subject_of,
    sync_id,
    timeout_of,
)
from sluice.runtime.controller import note_failure
from sluice.runtime.executor import Execution, Superseded, changed_targets, health_targets
from sluice.runtime.health_gate import Target
from sluice.runtime.queue import Turn

DEPENDENCY_RETRY = 30.0
# A source that has not run yet (a restart, or one made together with the sync) is not worth a report at once.
SOURCE_PATIENCE = 3.0
log = structlog.get_logger()


@dataclass(slots=True)
class _Memory:
    """What is remembered of one sync between turns."""

    waiting_since: float | None = None
    soon_again: int = 0
    gating: bool = False


@dataclass(frozen=True, slots=True)
class SyncParts:
    """What takes single syncs, and groups of them, from revision to revision: one of each for all."""

    planner: Planner
    rollbacks: Rollbacks
    drift: Drift
    last_good: LastGood
    strays: Strays


class KustomizationReconciler:
    """Takes every Kustomization to the revision of its source, and keeps it there."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._planner = Planner(operator)
        self._rollbacks = Rollbacks(operator)
        self._memory: dict[NamespacedName, _Memory] = {}
        self._pace = Pace()
        self._drift = Drift(operator)
        self._last_good = LastGood(operator, self._planner, self._drift)
        self._strays = Strays(operator)
        self.commits = CommitHealth(operator.client, operator.sync_events, operator.held_events)

    @property
    def parts(self) -> SyncParts:
        """What it shares with the reconciler of groups."""
        return SyncParts(self._planner, self._rollbacks, self._drift, self._last_good, self._strays)

    def suspect(self, owner: Owner, resource: ResourceId) -> float | None:
        """Note that an object may have drifted; returns in how many seconds its owner's turn is due, None for never."""
        return self._drift.suspect(owner, resource)

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
        started = self._op.now()
        async with Progress(lambda message: self.progress(sync, message), self._pace) as progress:
            try:
                turnout = await self._sync(sync, turn, progress.say)
            except Superseded:
                return 0.0
            except SluiceError as error:
                turnout = self.turnout_of(sync, error)
            turnout = await cut_short.settle(self._op, sync, owner_of(sync), turnout, progress.say)
        left = self.patience(sync, turnout)
        if left > 0:
            return left
        await self.doubt_kinds(turnout)
        keep_again = None if turnout.succeeded else await self._last_good.keep(sync)
        await self.report(sync, turnout, started)
        waits = (self.next_turn(sync, turnout), keep_again, self._drift.due(sync))
        return min((wait for wait in waits if wait is not None), default=None)

    async def doubt_kinds(self, turnout: Turnout) -> None:
        """Ask anew which kinds are served where one was not: a CRD may have gone, and what is cached of it is wrong."""
        if codes.UNKNOWN_KIND in {problem.code for problem in turnout.problems}:
            with contextlib.suppress(SluiceError):  # then the next turn that meets it asks again
                await self._op.discovery.invalidate()

    def patience(self, sync: Kustomization, turnout: Turnout) -> float:
        """Seconds for which what the turn came to is not told yet: a source may only not have run."""
        memory = self._memory_of(sync)
        if turnout.reason != "ArtifactFailed" or turnout.problems[0].cause:
            memory.waiting_since = None
            return 0.0
        if memory.waiting_since is None:
            memory.waiting_since = time.monotonic()
        return memory.waiting_since + SOURCE_PATIENCE - time.monotonic()

    async def _settle_suspended(self, sync: Kustomization) -> None:
        """A run that was cut short left a status which says that it is under way."""
        key, now = sync.metadata.key, rfc3339(self._op.now())
        conditions = condition.suspended(sync.status.conditions, condition.Stamp(sync.metadata.generation, now))
        if conditions != sync.status.conditions:
            await self._op.sync_status.write(key, {"conditions": conditions}, sync.status)

    def _forget(self, key: NamespacedName) -> None:
        self._memory.pop(key, None)
        self._rollbacks.forget(key)
        self._drift.forget(key)
        self._last_good.forget(key)
        self._strays.forget(key)
        self.commits.drop(key)
        self._op.sync_status.forget(key)
        self._op.sync_finalizers.forget(key)
        owner = Owner(key.namespace, key.name)
        self._op.claims.drop(owner)
        self._op.wishes.drop(owner)

    # --- observe, decide, act -----------------------------------------------------------------------------------

    async def _sync(
        self, sync: Kustomization, turn: Turn[NamespacedName], progress: Callable[[str], Awaitable[None]]
    ) -> Turnout:
        owner = owner_of(sync)
        # It needs neither source nor spec, and what became of them must not hold it up.
        unfinished = await finish_undo(self._op, sync, owner, progress)
        if unfinished is not None:
            return unfinished
        problems = validate_kustomization(sync, self._op.rules)
        if problems:
            raise UserError(*problems)
        head = self.artifact(sync)
        check_dependencies(sync, self._op.kustomizations, head.revision)
        artifact = await self._rollbacks.artifact(sync, head)
        revision = str(artifact.revision)
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
        wanted = (m.id for m in prepared.rendered.manifests)
        self._op.claims.replace(owner, wanted, version_of(sync, artifact))
        self._op.doubts.cast(owner)  # another artifact may have come since this turn began
        inputs = inputs_of(sync, prepared.rendered.digest)
        known_bad = remembered_failure(self._op, sync, owner, inputs, revision)
        if known_bad is not None:
            return known_bad
        execution = Execution(
            sync=owner,
            revision=revision,
            deferral=prepared.deferral,
            accepted=judged.accepted,
            force=lambda _: sync.spec.force,
            timeout=timeout_of(sync),
            targets=await self.targets(sync, plan, resources, gated=self._is_gated(sync, artifact)),
            progress=progress,
            waiting=turn.waiting,
            superseded=lambda: self._superseded(sync, str(head.revision), turn),
            keep=lambda corrected: self._last_good.keep_while_waiting(
                sync, prepared, corrected, lambda: self.tell_corrections(sync)
            ),
            on_failure=OnFailure(sync.spec.onFailure or OnFailure.UNDO),
            inputs=inputs,
            requests=lambda: requests_of(self._op, sync),
            digest=prepared.rendered.digest,
            author=artifact.author,
            subject=artifact.subject,
            applied=lambda: applied_at.append(self._op.now()),
        )
        whole = record is None or record.phase is Phase.DONE or record.failed is not None
        ended = await self._op.executor.run(plan, execution)
        self._memory_of(sync).gating = False
        if ended.problems:
            found = await with_places(ended.problems, artifact, prepared.rendered.manifests, self._op.schemas)
            ended = replace(ended, problems=found)
        self.note(sync, prepared, judged, artifact, ended)
        self.watch(plan, resources)
        if record is None and not ended.problems:
            await self.look_for_strays(sync, ended.plan, ended.inventory)
        rendered = prepared.rendered
        turnout = of_transaction(ended, revision, rendered.digest, rendered.warnings, gated=bool(execution.targets))
        # What an earlier attempt left behind may be what this one was refused for: that is tried again.
        again = turnout.stalled and (whole or ended.undone)
        instead_of = str(head.revision) if artifact is not head else ""
        turnout = replace(turnout, strays=self._strays.standing(owner, ended.inventory))
        unproved = () if turnout.gated else self._unproved(sync, plan, resources)
        turnout = replace(turnout, author=artifact.author, subject=artifact.subject, unproved=unproved)
        return replace(turnout, stalled=again, instead_of=instead_of, applied_at=next(iter(applied_at), None))

    def _unproved(
        self, sync: Kustomization, plan: Plan, resources: Mapping[ResourceId, Resource | None]
    ) -> tuple[Target, ...]:
        """What must be healthy before a commit that was applied without a wait counts as live, where that is shown."""
        if not self.commits.is_wanted(sync):
            return ()
        rules = health_rules(sync)
        if self.commits.is_left_over(sync):
            return health_targets(plan, resources, frozenset({sync_id(sync)}), rules)
        return changed_targets(plan, resources, None, rules)

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
            self._last_good.note(sync, artifact)

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

    async def targets(
        self,
        sync: Kustomization,
        plan: Plan,
        resources: Mapping[ResourceId, Resource | None],
        *,
        gated: bool = False,
    ) -> tuple[Target, ...]:
        """What the sync waits for: every object of its plan, or its health checks. Raises NotReady, ClusterError.

        `gated` adds what this revision changes, where the sync asks for less: see `changed_targets`.
        """
        itself, rules = sync_id(sync), health_rules(sync)
        if sync.spec.wait:
            known = dict(resources)
            for change in plan.changes():
                if change.id in known and known[change.id] is None:
                    known[change.id] = await self._op.discovery.find(change.api_version, change.id.kind)
            return health_targets(plan, known, frozenset({itself, *self._drift.expired(sync)}), rules)
        targets = []
        for check in sync.spec.healthChecks:
            resource = await self._op.discovery.find(check.apiVersion or "apps/v1", check.kind)
            if resource is None:
                raise NotReady(
                    Problem(
                        codes.UNKNOWN_KIND,
                        f"kind {check.kind} ({check.apiVersion or 'apps/v1'}) is not installed",
                        subject=itself,
                        field="spec.healthChecks",
                        fix="correct spec.healthChecks, or install its CRD",
                    )
                )
            namespace = (check.namespace or sync.metadata.namespace) if resource.namespaced else ""
            key = resource.id_of(namespace, check.name)
            rule = rule_for(key.group_kind, rules)
            targets.append(Target(key, resource, owned=False, rule=rule, by=owner_of(sync)))
        if gated:
            record = self._op.records.get(str(owner_of(sync)))
            named = {target.id for target in targets}
            changed = changed_targets(plan, resources, record.way_back if record is not None else None, rules)
            targets += [target for target in changed if target.id not in named]
        return tuple(targets)

    def _is_gated(self, sync: Kustomization, artifact: Artifact) -> bool:
        """True for an update of images, and for what supersedes one: nobody was there to see that it came to life."""
        memory = self._memory_of(sync)
        memory.gating = memory.gating or bool(artifact.updated_by)
        return memory.gating

    async def _superseded(self, sync: Kustomization, head: str, turn: Turn[NamespacedName]) -> None:
        """Return when what is being waited for is no longer what is wanted."""
        while True:
            await turn.superseded.wait()
            turn.superseded.clear()
            now = self._op.kustomizations.get(turn.key.namespace, turn.key.name)
            if now is None or now.metadata.generation != sync.metadata.generation or now.metadata.deletionTimestamp:
                return
            if rollback_of(now) != rollback_of(sync) or group_of(now) != group_of(sync):
                return
            artifact = self._op.artifacts.get(source_of(sync))
            if artifact is not None and str(artifact.revision) != head:
                return

    def watch(self, plan: Plan, resources: Mapping[ResourceId, Resource | None]) -> None:
        """From now on, changes to the kinds of this sync are seen as they happen."""
        for change in plan.changes():
            resource = resources.get(change.id) or self._op.discovery.known(change.api_version, change.id.kind)
            if resource is not None and change.id in plan.after and "watch" in resource.verbs:
                self._op.owned.ensure(resource)

    def _memory_of(self, sync: Kustomization) -> _Memory:
        return self._memory.setdefault(sync.metadata.key, _Memory())

    # --- report -------------------------------------------------------------------------------------------------

    def turnout_of(self, sync: Kustomization, error: SluiceError) -> Turnout:
        """An error before the transaction began: nothing was written."""
        artifact = self._op.artifacts.get(source_of(sync))
        revision = str(artifact.revision) if artifact is not None else ""
        found = {p.code for p in error.problems}
        if codes.DEPENDENCY_NOT_READY in found:
            return Turnout(revision, error.problems, condition.DEPENDENCY_NOT_READY, waiting=True)
        if codes.SOURCE_MISSING in found:
            return Turnout(revision, error.problems, "ArtifactFailed", waiting=True)
        if codes.ROLLBACK_REFUSED in found:
            return Turnout(revision, error.problems, "RollbackRefused", stalled=True)
        if codes.UNDO_FAILED in found:
            return Turnout(revision, error.problems, condition.UNDO_FAILED)
        if codes.CROSS_NAMESPACE in found:
            return Turnout(revision, error.problems, "AccessDenied", stalled=True)
        refused = isinstance(error, UserError)
        again = sync.spec.postBuild is not None and bool(sync.spec.postBuild.substituteFrom)
        # A command may have failed for what is outside of git: a download, a busy machine.
        again = again or not found.isdisjoint({codes.COMMAND_FAILED, codes.COMMAND_LIMIT})
        reason = "BuildFailed" if refused else "ReconciliationFailed"
        return Turnout(revision, error.problems, reason, stalled=refused and not again)

    async def progress(self, sync: Kustomization, message: str) -> None:
        """Say in status what a long turn is doing."""
        stamp = condition.Stamp(sync.metadata.generation, rfc3339(self._op.now()))
        key = sync.metadata.key
        conditions = condition.progressing(sync.status.conditions, message, stamp)
        await self._op.sync_status.write(key, {"conditions": conditions}, sync.status)

    async def report(self, sync: Kustomization, turnout: Turnout, started: datetime) -> None:
        """Tell what the turn came to: status, events, log."""
        meta = sync.metadata
        drift = self._drift.report(sync)
        waits = () if turnout.succeeded else waiters_of(meta.key, self._op.kustomizations)
        status = status_of(sync, turnout, started, self._op.now(), self._past(sync), waits)
        fresh = turnout.succeeded and turnout.revision != sync.status.lastAppliedRevision
        stamp = condition.Stamp(meta.generation, rfc3339(self._op.now()))
        status["conditions"] = with_drift(status["conditions"], drift, stamp, fresh=fresh)
        subject = subject_of(sync)
        annotations = {f"{GROUP}/revision": turnout.revision} if turnout.revision else {}
        self.tell_corrections(sync)
        if drift.news:
            # The commit is as good as it was: what others did to its objects is no failure of it.
            self._op.sync_events.record(
                subject, "Warning", drift.reason, summarize(drift.standing, 1000), annotations, severity="info"
            )
            log.warning("drift stands", namespace=meta.namespace, name=meta.name, reason=drift.reason,
                        drift=summarize(drift.standing))  # fmt: skip
        corrected = {drifted.id for drifted in drift.corrected}
        # What was only set right is told as that.
        changed = any(o.result != "unchanged" and o.id not in corrected for o in turnout.outcomes)
        if meta.generation != sync.status.observedGeneration and turnout.reason != "BuildFailed":
            for warning in warn_kustomization(sync):
                self._op.sync_events.record(subject, "Warning", "SpecWarning", warning, annotations, severity="info")
        if turnout.warnings and changed:
            told = summarize(turnout.warnings, 1000)
            self._op.sync_events.record(subject, "Warning", "Warning", told, annotations, severity="info")
        self._tell_end(sync, turnout, annotations, changed=changed, fresh=fresh)
        # Before the status: once it says that this is done, no later process would tell it.
        await self._op.told()
        await self._op.sync_status.write(meta.key, status, sync.status)
        self._count(sync, turnout, started)
        if self._op.upstream is not None:
            artifact = self._op.artifacts.get(source_of(sync))
            self._op.upstream.synced(sync, turnout, artifact, self._past(sync), started)
        log.info(
            "reconciled" if turnout.succeeded else "not reconciled",
            controllerKind=KIND,
            namespace=meta.namespace,
            name=meta.name,
            revision=turnout.revision,
            reason=turnout.reason,
            changed=sum(outcome.result != "unchanged" for outcome in turnout.outcomes),
            error="" if turnout.succeeded else str(turnout.problems[0]),
        )

    def _count(self, sync: Kustomization, turnout: Turnout, started: datetime) -> None:
        """What the metrics are told of the turn. Waiting for something else is no failure, as with Flux."""
        artifact = self._op.artifacts.get(source_of(sync))
        reached_by(turnout, artifact, sync.status.lastAppliedRevision, self._op.now())
        if not turnout.succeeded and not turnout.waiting:
            note_failure(() if turnout.echo else turnout.problems)
        if self._op.fluxd_metrics is not None:
            failed = len({problem.subject for problem in turnout.problems})
            applied = len(turnout.inventory or ()) if turnout.succeeded else 0
            seconds = (self._op.now() - started).total_seconds()
            path = sync.metadata.name
            self._op.fluxd_metrics.synced(path, seconds, applied, failed, succeeded=turnout.succeeded)

    def _past(self, sync: Kustomization) -> tuple[Past, ...]:
        try:
            record = self._op.records.get(str(owner_of(sync)))
        except StateError:
            return ()  # the turn has reported it
        return record.history if record is not None else ()

    def _tell_end(
        self, sync: Kustomization, turnout: Turnout, annotations: Mapping[str, str], *, changed: bool, fresh: bool
    ) -> None:
        """The events of a turn's end: what changed, what failed, that a failure is over, that a revision is live."""
        subject, events = subject_of(sync), self._op.sync_events
        before = condition.find_condition(sync.status.conditions, condition.READY)
        live = f"Applied revision: {turnout.revision}"
        if not turnout.succeeded:
            if not turnout.waiting:
                self.commits.drop(sync.metadata.key)
            if turnout.echo:
                return  # told by the one that failed
            severity: Severity = "info" if turnout.waiting else "error"
            told, cause = event_message(turnout), cause_of(turnout.problems)
            events.record(subject, "Warning", turnout.reason, told, annotations, severity=severity, cause=cause)
            return
        if changed:
            events.record(subject, "Normal", turnout.reason, event_message(turnout), annotations)
        elif before is not None and before.status == "False":
            events.record(subject, "Normal", turnout.reason, live, annotations)
        if fresh or before is None or before.status != "True":
            # Said to the commit alone, also when it changed nothing of this sync.
            update = {**annotations, f"{GROUP}/{COMMIT_STATUS}": UPDATE}
            self.commits.drop(sync.metadata.key)
            if turnout.unproved:
                events.notify(subject, "info", turnout.reason, live, update | {AWAITS: HEALTH})
                self.commits.follow(sync, turnout.revision, turnout.unproved)
            else:
                events.notify(subject, "info", turnout.reason, live, update)
        elif self.commits.is_left_over(sync):
            self.commits.follow(sync, turnout.revision, turnout.unproved)

    def tell_corrections(self, sync: Kustomization) -> None:
        """Tell what drift was set right since this was asked last."""
        drifted = self._drift.unsent(sync)
        if not drifted:
            return
        self._op.sync_events.record(subject_of(sync), "Normal", DRIFT_CORRECTED, corrections(drifted))
        for each in drifted:
            log.info("drift corrected", namespace=sync.metadata.namespace, name=sync.metadata.name, drift=str(each))

    def next_turn(self, sync: Kustomization, turnout: Turnout) -> float | None:
        """Seconds until the next turn, None for never."""
        if turnout.waiting:
            return DEPENDENCY_RETRY
        if turnout.stalled:
            return None
        memory = self._memory_of(sync)
        soon = turnout.reason == condition.UNDO_FAILED or is_outrun(turnout.problems)
        memory.soon_again = memory.soon_again + 1 if soon else 0
        if soon:
            return backoff(memory.soon_again)
        if turnout.succeeded:
            return next_interval(parse_duration(sync.spec.interval), self._op.poll_jitter())
        return retry_of(sync)


def changes_something(
    record: Record | None, revision: str, manifests: tuple[Manifest, ...], inventory: Inventory
) -> bool:
    """True when the revision, or an edit of the spec, makes another desired state; or the last one is not whole yet.

    An object that was skipped has no digest, and says nothing.
    """
    if record is None or record.phase is not Phase.DONE:
        return True
    entries = [inventory.get(manifest.id) for manifest in manifests]
    pairs = zip(entries, manifests, strict=True)
    if any(entry is None or (entry.digest and entry.digest != manifest.digest) for entry, manifest in pairs):
        return True
    return len(inventory) > len(entries) and record.revision != revision
