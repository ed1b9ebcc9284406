"""Whether a turn would find everything as the last one left it: then it renders, plans, writes and tells nothing.

That is known without rendering where the record says what its revision was made from, and that is what is there now;
each object is as we left it, as far as the watches know; and the status says so. It also holds right after a restart,
whose first turns cost nothing then. What depends on more than that (the health of objects, variables in the cluster,
commands of a repository) has its whole turn each time.
"""

from __future__ import annotations

import hashlib

import msgspec

from sluice import __version__
from sluice.api.kinds import REQUESTED_AT
from sluice.api.kustomization import Kustomization
from sluice.core import condition
from sluice.core.artifact import Artifact
from sluice.core.ids import NamespacedName
from sluice.core.record import Record, holds_what_is_wanted
from sluice.core.transaction import Transaction
from sluice.core.transaction_messages import Phase
from sluice.reconcilers.commit_health import CommitHealth
from sluice.reconcilers.drift import Drift
from sluice.reconcilers.moves import claim, version_of
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import owner_of


class Unchanged:
    """What the last turn of every sync was made from, as far as the record does not say it."""

    def __init__(self, operator: Operator, drift: Drift, commits: CommitHealth) -> None:
        self._op = operator
        self._drift = drift
        self._commits = commits
        self._made_from: dict[NamespacedName, str] = {}

    def forget(self, key: NamespacedName) -> None:
        """The sync is gone."""
        self._made_from.pop(key, None)

    def inputs(self, sync: Kustomization, artifact: Artifact) -> str:
        """Names all that a turn depends on but for the cluster; empty where there is more than can be named."""
        spec = sync.spec
        more = spec.wait or spec.healthChecks or (spec.postBuild is not None and spec.postBuild.substituteFrom)
        ours = self._op.renderer.generators is not None or artifact.updated_by or self._op.default_namespace
        if more or ours:
            return ""
        sha = hashlib.sha256(f"{__version__} {self._op.renderer.identity} ".encode())
        sha.update(f"{version_of(sync, artifact)} {owner_of(sync)} ".encode())
        sha.update(msgspec.json.encode(spec))
        return f"sha256:{sha.hexdigest()}"

    def note(self, sync: Kustomization, inputs: str, ended: Transaction, wanted: int) -> None:
        """A turn made from that has ended. The record does not say so of a commit that has changed nothing."""
        whole = not ended.problems and holds_what_is_wanted(ended.inventory, wanted)
        self._made_from[sync.metadata.key] = inputs if whole else ""

    def holds(self, sync: Kustomization, artifact: Artifact, inputs: str) -> bool:
        """True when a turn made from `inputs` would change and tell nothing; claims what the sync has then."""
        owner = owner_of(sync)
        record = self._op.records.get(str(owner))
        if record is None or not inputs or not self._is_made_from(sync, record, inputs):
            return False
        if self._commits.is_left_over(sync) or not _tells(sync, str(artifact.revision)):
            return False
        if not self._drift.is_quiet(sync, record.inventory):
            return False
        if not self._op.claims.is_at(owner, version_of(sync, artifact)):
            claim(self._op, sync, artifact, (entry.id for entry in record.inventory))
        return True

    def _is_made_from(self, sync: Kustomization, record: Record, inputs: str) -> bool:
        ended = record.phase is Phase.DONE and record.failed is None and record.target is None
        known = self._made_from.get(sync.metadata.key, record.inputs)
        return ended and known == inputs and not self._op.records.moved(record.owner)


def _tells(sync: Kustomization, revision: str) -> bool:
    """Whether the status says just that the revision is applied, to the last request."""
    status, meta = sync.status, sync.metadata
    ready = condition.find_condition(status.conditions, condition.READY)
    plain = ready is not None and (ready.status, ready.message) == ("True", f"Applied revision: {revision}")
    asked = status.lastHandledReconcileAt == meta.annotations.get(REQUESTED_AT, "")
    there = (status.lastAppliedRevision, status.lastAttemptedRevision) == (revision, revision)
    settled = not condition.is_true(status.conditions, condition.RECONCILING)
    return plain and there and asked and settled and status.observedGeneration == meta.generation
