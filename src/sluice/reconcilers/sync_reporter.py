"""What came of a sync's turn → its status, events, metrics and log lines, written."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from datetime import datetime

import structlog

from sluice.api.kustomization import GROUP, KIND, Kustomization
from sluice.api.validate_kustomization import warn_kustomization
from sluice.core import codes, condition
from sluice.core.errors import SluiceError, StateError, UserError
from sluice.core.event import AWAITS, COMMIT_STATUS, HEALTH, UPDATE, Severity
from sluice.core.history import Past
from sluice.core.ids import NamespacedName
from sluice.core.problem import cause_of, summarize
from sluice.core.timestamp import rfc3339
from sluice.reconcilers.commit_health import CommitHealth
from sluice.reconcilers.dependencies import waiters_of
from sluice.reconcilers.drift import Drift
from sluice.reconcilers.drift_report import DRIFT_CORRECTED, DriftReport, corrections, with_drift
from sluice.reconcilers.kustomization_report import (
    Turnout,
    event_message,
    held_text,
    status_of,
)
from sluice.reconcilers.lead_time import reached_by
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import (
    owner_of,
    rollback_of,
    source_of,
    subject_of,
)
from sluice.runtime.controller import note_failure

log = structlog.get_logger()


class SyncReporter:
    """Tells what became of single syncs, and of those of groups."""

    def __init__(self, operator: Operator, drift: Drift, commits: CommitHealth) -> None:
        self._op = operator
        self._drift = drift
        self._commits = commits
        # The revision whose end was told, of syncs whose status could not be written since: their turns come again.
        self._unwritten: dict[NamespacedName, str] = {}
        # What was told to be held: a turn may come before the watch has shown the status that says so.
        self._held: dict[NamespacedName, str] = {}

    def forget(self, key: NamespacedName) -> None:
        """Drop what is remembered of a sync that is gone."""
        self._unwritten.pop(key, None)
        self._held.pop(key, None)

    async def doubt_kinds(self, turnout: Turnout) -> None:
        """Ask anew which kinds are served where one was not: a CRD may have gone, and what is cached of it is wrong."""
        if codes.UNKNOWN_KIND in {problem.code for problem in turnout.problems}:
            with contextlib.suppress(SluiceError):  # then the next turn that meets it asks again
                await self._op.discovery.invalidate()

    def turnout_of(self, sync: Kustomization, error: SluiceError) -> Turnout:
        """An error before the transaction began: nothing was written."""
        artifact = self._op.artifacts.get(source_of(sync))
        revision = str(artifact.revision) if artifact is not None else ""
        found = {p.code for p in error.problems}
        rollback = rollback_of(sync)
        if rollback is not None and rollback.head == revision and codes.ROLLBACK_REFUSED not in found:
            revision = rollback.to
        if codes.DEPENDENCY_NOT_READY in found:
            return Turnout(revision, error.problems, condition.DEPENDENCY_NOT_READY, waiting=True)
        if codes.SOURCE_MISSING in found:
            return Turnout(revision, error.problems, "ArtifactFailed", waiting=True)
        if codes.ROLLBACK_REFUSED in found:
            return Turnout(revision, error.problems, "RollbackRefused", stalled=True)
        if codes.UNDO_FAILED in found:
            return Turnout(revision, error.problems, condition.UNDO_FAILED)
        if codes.QUARANTINED in found:
            return Turnout(revision, error.problems, condition.QUARANTINED, stalled=True)
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

    def nothing_to_tell(self, sync: Kustomization) -> None:
        """Everything is as the last turn left and told it."""
        log.debug("as it was left", controllerKind=KIND, namespace=sync.metadata.namespace, name=sync.metadata.name)

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
        self._tell_drift(sync, drift, annotations)
        corrected = {drifted.id for drifted in drift.corrected}
        # What was only set right is told as that.
        changed = any(o.result != "unchanged" and o.id not in corrected for o in turnout.outcomes)
        if meta.generation != sync.status.observedGeneration and turnout.reason != "BuildFailed":
            for warning in warn_kustomization(sync):
                self._op.sync_events.record(subject, "Warning", "SpecWarning", warning, annotations, severity="info")
        if turnout.warnings and changed:
            told = summarize(turnout.warnings, 1000)
            self._op.sync_events.record(subject, "Warning", "Warning", told, annotations, severity="info")
            log.warning("applied with warnings", namespace=meta.namespace, name=meta.name, warnings=told)
        self._tell_end(sync, turnout, annotations, changed=changed, fresh=fresh)
        self._tell_held(sync, turnout, annotations)
        # Before the status: once it says that this is done, no later process would tell it.
        await self._op.told()
        await self._op.sync_status.write(meta.key, status, sync.status)
        self._unwritten.pop(meta.key, None)
        self._count(sync, turnout, started)
        if self._op.upstream is not None:
            artifact = self._op.artifacts.get(source_of(sync))
            self._op.upstream.synced(sync, turnout, artifact, self._past(sync), started)
        log.log(
            logging.INFO if turnout.succeeded or turnout.waiting else logging.ERROR,
            "reconciled" if turnout.succeeded else "not reconciled",
            controllerKind=KIND,
            namespace=meta.namespace,
            name=meta.name,
            revision=turnout.revision,
            reason=turnout.reason,
            changed=sum(outcome.result != "unchanged" for outcome in turnout.outcomes),
            error="" if turnout.succeeded else str(turnout.problems[0]),
            problems=len(turnout.problems),
        )

    async def report_drift(self, sync: Kustomization, standing: Turnout) -> None:
        """Tell what has drifted from a revision that stands: `standing` says of it what its turn came to."""
        drift, now = self._drift.report(sync), self._op.now()
        status = status_of(sync, standing, now, now, self._past(sync))
        stamp = condition.Stamp(sync.metadata.generation, rfc3339(now))
        status["conditions"] = with_drift(status["conditions"], drift, stamp, fresh=False)
        self._tell_drift(sync, drift, {f"{GROUP}/revision": standing.revision})
        await self._op.told()
        await self._op.sync_status.write(sync.metadata.key, status, sync.status)

    def _tell_drift(self, sync: Kustomization, drift: DriftReport, annotations: Mapping[str, str]) -> None:
        self.tell_corrections(sync)
        if drift.news:
            # The commit is as good as it was: what others did to its objects is no failure of it.
            self._op.sync_events.record(
                subject_of(sync), "Warning", drift.reason, summarize(drift.standing, 1000), annotations, severity="info"
            )
            log.warning("drift stands", namespace=sync.metadata.namespace, name=sync.metadata.name,
                        reason=drift.reason, drift=summarize(drift.standing))  # fmt: skip

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
                self._commits.drop(sync.metadata.key)
            if turnout.echo:
                return  # told by the one that failed
            severity: Severity = "info" if turnout.waiting else "error"
            told, cause = event_message(turnout), cause_of(turnout.problems)
            events.record(subject, "Warning", turnout.reason, told, annotations, severity=severity, cause=cause)
            return
        untold = self._unwritten.get(sync.metadata.key) != turnout.revision
        if changed:
            events.record(subject, "Normal", turnout.reason, event_message(turnout), annotations)
        elif untold and ((fresh and turnout.resumed) or (before is not None and before.status == "False")):
            events.record(subject, "Normal", turnout.reason, live, annotations)
        self._unwritten[sync.metadata.key] = turnout.revision
        if fresh or before is None or before.status != "True":
            # Said to the commit alone, also when it changed nothing of this sync.
            update = {**annotations, f"{GROUP}/{COMMIT_STATUS}": UPDATE}
            self._commits.drop(sync.metadata.key)
            if turnout.unproved:
                events.notify(subject, "info", turnout.reason, live, update | {AWAITS: HEALTH})
                self._commits.follow(sync, turnout.revision, turnout.unproved)
            else:
                events.notify(subject, "info", turnout.reason, live, update)
        elif self._commits.is_left_over(sync):
            self._commits.follow(sync, turnout.revision, turnout.unproved)

    def _tell_held(self, sync: Kustomization, turnout: Turnout, annotations: Mapping[str, str]) -> None:
        """Tell once what was not pruned: Ready's message says it for as long as it is so."""
        if not turnout.succeeded:
            return
        key, text = sync.metadata.key, held_text(turnout) if turnout.held else ""
        ready = condition.find_condition(sync.status.conditions, condition.READY)
        is_told = self._held.pop(key, "") == text or (ready is not None and text in ready.message)
        if text:
            self._held[key] = text
        if not text or is_told:
            return
        told, reason = summarize(turnout.held, 1000), turnout.held[0].code.name
        self._op.sync_events.record(subject_of(sync), "Warning", reason, told, annotations, severity="info")
        meta = sync.metadata
        log.warning("objects that left are held", namespace=meta.namespace, name=meta.name, error=told)

    def tell_corrections(self, sync: Kustomization) -> None:
        """Tell what drift was set right since this was asked last."""
        drifted = self._drift.unsent(sync)
        if not drifted:
            return
        self._op.sync_events.record(subject_of(sync), "Normal", DRIFT_CORRECTED, corrections(drifted))
        for each in drifted:
            log.info("drift corrected", namespace=sync.metadata.namespace, name=sync.metadata.name, drift=str(each))
