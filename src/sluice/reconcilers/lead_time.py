"""How long a commit took to be fetched, applied and seen healthy: observed once a stage, revision and object."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sluice.core.artifact import Artifact
from sluice.core.timestamp import parse_rfc3339
from sluice.reconcilers.kustomization_report import Turnout
from sluice.runtime.metrics import LEAD_SECONDS

Stage = Literal["fetched", "applied", "healthy"]


def reached(stage: Stage, artifact: Artifact, at: datetime) -> None:
    """The artifact's commit has come that far. Its date is its committer's word: one in the future counts as 0."""
    committed = parse_rfc3339(artifact.committed_at)
    if committed is not None:
        LEAD_SECONDS.labels(stage).observe(max(0.0, (at - committed).total_seconds()))


def reached_by(turnout: Turnout, artifact: Artifact | None, before: str, at: datetime) -> None:
    """What a turn that ended at `at` came to for its artifact's commit; `before` is the revision applied until then.

    Nothing for a first revision, a failed one, one applied before, or one that was rolled back to: how old their
    commits are says nothing about delivery.
    """
    following = turnout.succeeded and before not in {"", turnout.revision} and not turnout.instead_of
    if artifact is None or not following or str(artifact.revision) != turnout.revision:
        return
    if not turnout.gated:
        reached("applied", artifact, at)
        return
    if turnout.applied_at is not None:
        reached("applied", artifact, turnout.applied_at)
    reached("healthy", artifact, at)
