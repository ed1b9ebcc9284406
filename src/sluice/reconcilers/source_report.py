"""What a GitRepository's status and events say of a turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from sluice.api.git_repository import GROUP, GitRepository
from sluice.api.kinds import ArtifactStatus
from sluice.api.problem_status import problem_status
from sluice.api.validate_git_repository import warn_git_repository
from sluice.core import codes, condition
from sluice.core.artifact import Artifact
from sluice.core.errors import AuthenticationFailed, NotReady, SluiceError, StateError, UserError
from sluice.core.problem import Problem, cause_of
from sluice.core.timestamp import rfc3339
from sluice.reconcilers.dependencies import readers_of
from sluice.reconcilers.lead_time import reached
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.source_facts import source_id, subject_of
from sluice.reconcilers.source_verification import Verification
from sluice.reconcilers.source_verification import reason_of as unverified_reason
from sluice.runtime.controller import note_failure

STALLED_CODES = frozenset(
    {
        codes.NOT_HONOURED,
        codes.SPEC_INVALID,
        codes.URL_SCHEME,
        codes.URL_SYNTAX,
        codes.URL_BLOCKED,
        codes.REF_SYNTAX,
        codes.PATH_ESCAPE,
        codes.PATH_NOT_ALLOWED,
        codes.FIELD_CONFLICT,
        codes.VERIFY_MODE,
    }
)
log = structlog.get_logger()


class SourceReport:
    """Writes them; keeps nothing."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator

    async def success(
        self,
        source: GitRepository,
        artifact: Artifact,
        verification: Verification | None,
        included: Sequence[Artifact],
        *,
        fresh: bool,
    ) -> None:
        """Tell that the source is at `artifact`; `fresh` when it was not before."""
        stamp = condition.Stamp(source.metadata.generation, rfc3339(self._op.now()))
        message = f"stored artifact for revision '{artifact.revision}'"
        told = verification.message if verification is not None else ""
        if self._op.fluxd_metrics is not None:
            self._op.fluxd_metrics.fetched(succeeded=True)
        self._tell_success(source, artifact, message, fresh=fresh)
        # Before the status: once it says that this is done, no later process would tell it.
        await self._op.told()
        await self._op.git_status.write(
            source.metadata.key,
            {
                "observedGeneration": source.metadata.generation,
                "conditions": condition.source_verified(
                    condition.source_succeeded(source.status.conditions, message, stamp), told, stamp
                ),
                "problem": None,
                "artifact": artifact_status(artifact, self._op.artifact_host),
                "includedArtifacts": [artifact_status(one, self._op.artifact_host) for one in included] or None,
                "observedIgnore": source.spec.ignore,
                "observedRecurseSubmodules": source.spec.recurseSubmodules or None,
                "observedInclude": source.spec.include or None,
                "observedSparseCheckout": source.spec.sparseCheckout or None,
                "sourceVerificationMode": verification.mode if verification is not None else None,
                "lastHandledReconcileAt": source.metadata.request or None,
            },
            source.status,
        )

    def _tell_success(self, source: GitRepository, artifact: Artifact, message: str, *, fresh: bool) -> None:
        if source.metadata.generation != source.status.observedGeneration:
            for warning in warn_git_repository(source):
                self._op.git_events.record(subject_of(source), "Warning", "SpecWarning", warning, severity="info")
        if fresh:
            known = source.status.artifact
            if known is not None and known.revision != str(artifact.revision):
                reached("fetched", artifact, self._op.now())
            revision = {f"{GROUP}/revision": str(artifact.revision), f"{GROUP}/digest": artifact.digest}
            self._op.git_events.record(subject_of(source), "Normal", "NewArtifact", message, revision)
            return
        before = condition.find_condition(source.status.conditions, condition.READY)
        if before is not None and before.status == "False":  # it is over, and the revision is the one from before
            self._op.git_events.record(subject_of(source), "Normal", condition.SUCCEEDED, message)

    async def failure(self, source: GitRepository, error: SluiceError) -> bool:
        """Tell that the turn failed. True when no further turn can help: the spec must be edited."""
        note_failure(error.problems)
        if self._op.fluxd_metrics is not None:
            self._op.fluxd_metrics.fetched(succeeded=False)
        stamp = condition.Stamp(source.metadata.generation, rfc3339(self._op.now()))
        stalled = bool(error.problems) and all(_is_of_the_spec(p) for p in error.problems)
        reason = _reason(error)
        waits = readers_of(source_id(source.metadata.key), self._op.kustomizations)
        status: dict[str, Any] = {
            "conditions": self._failure_conditions(source, error, stamp, stalled=stalled),
            "problem": problem_status(error.problems, source.status.problem, stamp.now, waits),
            "lastHandledReconcileAt": source.metadata.request or None,
        }
        if stalled:
            status["observedGeneration"] = source.metadata.generation
        cause = cause_of(error.problems)
        self._op.git_events.record(subject_of(source), "Warning", reason, str(error), cause=cause)
        await self._op.told()
        await self._op.git_status.write(source.metadata.key, status, source.status)
        log.warning("source failed", reason=reason, error=str(error))
        return stalled

    def _failure_conditions(
        self, source: GitRepository, error: SluiceError, stamp: condition.Stamp, *, stalled: bool
    ) -> condition.Conditions:
        present, reason = source.status.conditions, _reason(error)
        if unverified_reason(error):
            return condition.source_unverified(present, reason, str(error), stamp, is_stalled=stalled)
        failure = condition.INCLUDE_UNAVAILABLE if isinstance(error, NotReady) else condition.FETCH_FAILED
        report = condition.source_stalled if stalled else condition.source_failed
        return report(present, reason, str(error), stamp, failure)


def artifact_status(artifact: Artifact, host: str) -> ArtifactStatus:
    """The artifact as the source's status shows it."""
    return ArtifactStatus(
        digest=artifact.digest,
        lastUpdateTime=artifact.fetched_at,
        path=artifact.path,
        revision=str(artifact.revision),
        url=f"http://{host}/{artifact.path}",
        size=artifact.size,
    )


def _is_of_the_spec(problem: Problem) -> bool:
    """True for what only an edit of the object can mend; a fault of the repository is looked at again."""
    return problem.code in STALLED_CODES and problem.field.startswith("spec.")


def _reason(error: SluiceError) -> str:
    found = {problem.code for problem in error.problems}
    if unverified := unverified_reason(error):
        return unverified
    if codes.GITHUB_APP in found and isinstance(error, UserError):
        return "InvalidProviderConfiguration"
    if isinstance(error, AuthenticationFailed):
        return "AuthenticationFailed"
    if found & {codes.URL_SCHEME, codes.URL_SYNTAX, codes.URL_BLOCKED}:
        return "URLInvalid"
    if isinstance(error, NotReady):
        return "IncludeUnavailable"
    if isinstance(error, StateError):
        return "ArchiveOperationFailed"
    return "GitOperationFailed"
