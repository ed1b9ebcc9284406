"""A request to go back → the artifact of the earlier revision, in place of the one that git stands at.

What is applied then is a transaction like any other. The request ends when git stands at another revision than the
one it was made at, or when a person takes it back (`sluice resume`).
"""

from __future__ import annotations

import msgspec
import structlog

from sluice.api.kinds import ROLLBACK
from sluice.api.kustomization import GROUP, Kustomization
from sluice.core import codes
from sluice.core.artifact import Artifact
from sluice.core.errors import ClusterError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem, clip, printable
from sluice.core.revision import Revision
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.our_kinds import KUSTOMIZATIONS
from sluice.reconcilers.sync_facts import Rollback, owner_of, rollback_of, source_of, subject_of, sync_id

log = structlog.get_logger()


class Rollbacks:
    """Finds the artifact that each sync is to be at, and keeps those of rollbacks while they hold."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._sources = GitRepositoryReconciler(operator)
        self._artifacts: dict[NamespacedName, tuple[Rollback, Artifact]] = {}

    def forget(self, key: NamespacedName) -> None:
        """Drop what is kept for a sync."""
        self._artifacts.pop(key, None)

    async def artifact(self, sync: Kustomization, head: Artifact) -> Artifact:
        """`head`, or the earlier revision that the sync is asked to be at as long as git stands at `head`.

        Raises UserError (RollbackRefused) for a revision that it never was at, or that is not in the history of
        `head` (any more); RemoteError when the git host does not answer. Nothing has been written then.
        """
        rollback, key = rollback_of(sync), sync.metadata.key
        if rollback is None:
            self.forget(key)
            return head
        if rollback.head != str(head.revision):
            self.forget(key)
            await self._end(sync, rollback, head)
            return head
        known = self._artifacts.get(key)
        if known is None or known[0] != rollback:
            known = self._artifacts[key] = (rollback, await self._find(sync, rollback, head))
        return known[1]

    async def _find(self, sync: Kustomization, rollback: Rollback, head: Artifact) -> Artifact:
        if not self._was_applied(sync, rollback.to):
            raise _refused(sync, rollback, "it was never applied by this Kustomization, or too long ago")
        ref = source_of(sync)
        source = self._op.git_repositories.get(ref.namespace, ref.name)
        if source is None:
            raise _refused(sync, rollback, f"{ref} does not exist any more")
        try:
            return await self._sources.earlier(source, Revision.parse(rollback.to), head.revision)
        except UserError as error:
            # The remote has rewritten its history: what it was is not ours to bring back.
            cause = f"it is not in the history of {head.revision}: {error.problems[0].title}"
            raise _refused(sync, rollback, cause) from error

    def _was_applied(self, sync: Kustomization, revision: str) -> bool:
        """True for what the record tells; a commit that changed nothing of this sync is only in status, by its digest.

        Status alone proves nothing: more people may write it than may read the record.
        """
        record = self._op.records.get(str(owner_of(sync)))
        past = [each for each in record.history if each.succeeded] if record is not None else []
        digests = {each.digest for each in past if each.digest}
        told = {s.metadata.get("revision") for s in sync.status.history if s.digest in digests}
        return revision in told | {each.revision for each in past}

    async def _end(self, sync: Kustomization, rollback: Rollback, head: Artifact) -> None:
        meta = sync.metadata
        body = {"metadata": {"annotations": dict.fromkeys(ROLLBACK), "resourceVersion": meta.resourceVersion}}
        try:
            await self._op.client.merge_patch(
                KUSTOMIZATIONS, meta.namespace, meta.name, msgspec.json.encode(body), manager="sluice"
            )
        except ClusterError as error:
            # Somebody wrote meanwhile: what holds then is seen in the turn that follows.
            log.info("rollback not ended yet", namespace=meta.namespace, name=meta.name, error=str(error))
            return
        text = f"git has moved on to {head.revision}: the rollback to {_shown(rollback.to)} has ended"
        self._op.sync_events.record(
            subject_of(sync), "Normal", "RollbackEnded", text, {f"{GROUP}/revision": str(head.revision)}
        )


def _refused(sync: Kustomization, rollback: Rollback, cause: str) -> UserError:
    meta = sync.metadata
    return UserError(
        Problem(
            codes.ROLLBACK_REFUSED,
            f"can't roll back to {_shown(rollback.to)}",
            subject=sync_id(sync),
            cause=cause,
            fix=f"see `sluice history {meta.name} -n {meta.namespace}`; `sluice resume ks {meta.name} -n "
            f"{meta.namespace}` takes the request back",
        )
    )


def _shown(revision: str) -> str:
    return clip(printable(revision), 120)
