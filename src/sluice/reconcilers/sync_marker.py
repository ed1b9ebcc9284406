"""fluxd's sync tag: an annotated tag of the repository that stands at the commit which all paths of flag mode have.

It is for people and for tools that look at it. What was applied is known from the operator's own records.
"""

from __future__ import annotations

import asyncio

import structlog

from sluice.api.kustomization import Kustomization
from sluice.core.commit_text import CommitText, identity
from sluice.core.duration import parse_duration
from sluice.core.errors import SluiceError
from sluice.core.ids import NamespacedName
from sluice.core.schedule import backoff
from sluice.git.mirror import Mirror
from sluice.git.push import RefMove, push_refs
from sluice.git.push_errors import push_error
from sluice.git.tags import TAGS, write_tag
from sluice.git.write_back import LEAST_PUSH_SECONDS
from sluice.kube.watch import EventType
from sluice.reconcilers.image_update_automation import Writing
from sluice.reconcilers.jobs import CommitStyle
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import source_of
from sluice.runtime.controller import Controller, note_failure
from sluice.runtime.queue import Turn

MESSAGE = "Sync pointer"
RETRY_LIMIT = 600.0
log = structlog.get_logger()


class SyncMarker:
    """Moves the tag. Never while git is read-only, nor when this process may stop being the leader meanwhile."""

    def __init__(self, operator: Operator, writing: Writing, commits: CommitStyle) -> None:
        self._op = operator
        self._writing = writing
        self._style = commits.writing
        self._key = commits.key
        self._marked = ""
        self._failures = 0
        self._controller = Controller("SyncMarker", self._turn, slots=1)

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start its task."""
        group.create_task(self._controller.run())
        for sync in self._op.kustomizations.items():
            self.sync_changed(EventType.MODIFIED, sync, None)

    def sync_changed(self, _: EventType, sync: Kustomization, old: Kustomization | None) -> None:
        """A sync has applied another revision."""
        if old is None or sync.status.lastAppliedRevision != old.status.lastAppliedRevision:
            source = source_of(sync)
            self._controller.queue.add(NamespacedName(source.namespace, source.name))

    async def _turn(self, turn: Turn[NamespacedName]) -> float | None:
        applied = {sync.status.lastAppliedRevision.rpartition(":")[2] for sync in self._op.kustomizations.items()}
        commit = next(iter(applied)) if len(applied) == 1 else ""
        if not commit or commit == self._marked or self._writing.read_only:
            return None
        try:
            is_done = await self._mark(turn.key, commit)
        except SluiceError as error:
            self._failures += 1
            note_failure(error.problems)
            log.warning("the sync tag is not moved", tag=self._style.sync_tag, error=str(error))
            return backoff(self._failures, 5.0, RETRY_LIMIT)
        self._failures = 0
        if is_done:
            self._marked = commit
        return None if is_done else LEAST_PUSH_SECONDS

    async def _mark(self, key: NamespacedName, commit: str) -> bool:
        """Put the tag at a commit. False when there is not time enough to push. Raises the host's refusal."""
        source = self._op.git_repositories.get(key.namespace, key.name)
        if source is None:
            return True
        mirror, seconds = await self._writing.sources.mirror_of(source), parse_duration(source.spec.timeout)
        ref = TAGS + self._style.sync_tag
        refs = await mirror.remote.list_refs(("--tags",), seconds=seconds)
        if refs.get(f"{ref}^{{}}") == commit:
            return True
        left = min(seconds, self._writing.lease_left())
        if left < LEAST_PUSH_SECONDS:
            return False
        move = RefMove(ref, refs.get(ref, ""), await self._tag(mirror, commit))
        answer = await push_refs(mirror.repository, mirror.remote, [move], seconds=left)
        if not answer.ok:
            raise push_error(answer, mirror.remote, left)
        log.info("moved the sync tag", tag=self._style.sync_tag, commit=commit)
        return True

    async def _tag(self, mirror: Mirror, commit: str) -> str:
        person = identity(self._style.user, self._style.email, field="--git-email")
        text = CommitText(MESSAGE, person, person, self._op.now())
        return await write_tag(
            mirror.repository, self._style.sync_tag, commit, text, mirror.remote.scratch, key=self._key
        )
