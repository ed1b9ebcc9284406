"""Automation by annotations, as fluxd's: automated workloads of a repository → one commit with their newest images.

A pass costs no request while nothing is to be written: it looks at the commit that was fetched last. What is written
goes the way of every write-back, and "current" is what git's head says, never what the cluster runs.
"""

from __future__ import annotations

import asyncio
import hashlib

import structlog

from sluice.api.git_repository import GitRepository
from sluice.api.kustomization import Kustomization
from sluice.core.automation_flags import AutomationFlags
from sluice.core.commit_text import UpdateMark, identity
from sluice.core.errors import SluiceError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.image_update.annotated_history import told_of_failed
from sluice.core.message_template.fluxd import automated_message
from sluice.core.schedule import backoff, next_interval
from sluice.git.head import Head
from sluice.git.mirror import Mirror
from sluice.git.notes import NOTES, Note
from sluice.git.push_queue import repository_key
from sluice.git.write_back import Draft, Gates, WriteBack
from sluice.kube.watch import EventType
from sluice.reconcilers.annotated_files import Place
from sluice.reconcilers.annotation_past import Known
from sluice.reconcilers.annotation_run import AnnotationRun
from sluice.reconcilers.automation_memory import AutomationMemory, memory_of
from sluice.reconcilers.automation_report import ToldReasons, note_of, pushed_update, read_only, say_pushed
from sluice.reconcilers.failed_rollouts import failed_rollouts
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.git_targets import GitTarget, GitTargets
from sluice.reconcilers.image_update_automation import Writing
from sluice.reconcilers.image_wakeups import rollout_fault
from sluice.reconcilers.jobs import CommitStyle
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.pushed_commit import tell_pushed
from sluice.reconcilers.source_facts import source_id
from sluice.reconcilers.sync_facts import source_of
from sluice.reconcilers.workload_images import ScanKey, WorkloadImages
from sluice.reconcilers.written_branch import WrittenBranch
from sluice.runtime.controller import Controller, note_failure
from sluice.runtime.queue import Turn

log = structlog.get_logger()


class WorkloadAutomation:
    """One turn for each repository that syncs read."""

    def __init__(
        self,
        operator: Operator,
        images: WorkloadImages,
        writing: Writing,
        flags: AutomationFlags,
        style: CommitStyle,
        memory: AutomationMemory,
    ) -> None:
        self._op = operator
        self._images = images
        self._writing = writing
        self._flags = flags
        self._style = style
        self._targets = GitTargets(operator)
        self._memory = memory
        self._flips = FlipMemory()
        self._told = ToldReasons()
        self._failures: dict[NamespacedName, int] = {}
        self._waiting: set[NamespacedName] = set()
        self._controller = Controller("WorkloadAutomation", self.reconcile, slots=8)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start its tasks; returns once it is known what runs, and turns are being served."""
        await self._images.start(group)
        self._images.subscribe(self._tags_changed)
        self._images.running.subscribe(self._workload_changed)
        self._op.artifacts.subscribe(self._artifact_changed)
        for source in self._op.git_repositories.items():
            self._controller.queue.add(source.metadata.key)
        group.create_task(self._controller.run())

    # --- wake-ups -----------------------------------------------------------------------------------------------

    def _tags_changed(self, key: ScanKey) -> None:
        for owner in self._images.owners(key):
            self._controller.queue.add(owner)

    def _artifact_changed(self, source: ResourceId) -> None:
        self._controller.queue.add(NamespacedName(source.namespace, source.name))

    def _workload_changed(self, event: EventType, _: object, old: object | None) -> None:
        """What is in git and was not in the cluster may be there now."""
        if old is None and event is EventType.ADDED:
            for source in self._waiting:
                self._controller.queue.add(source)

    def sync_changed(self, event: EventType, item: Kustomization, old: Kustomization | None) -> None:
        """A sync did not keep a revision: its images may be the cause. Or it applied one: other workloads run."""
        if event is EventType.DELETED or old is None:
            return
        is_new = item.status.lastAppliedRevision != old.status.lastAppliedRevision
        if is_new or rollout_fault(item) != rollout_fault(old):
            self._artifact_changed(source_of(item))

    # --- one turn -----------------------------------------------------------------------------------------------

    async def reconcile(self, turn: Turn[NamespacedName]) -> float | None:
        """One pass. Returns the seconds until the next; None where there is nothing to come back for."""
        key = turn.key
        target = self._targets.of_source(key)
        if target is None or target.source.spec.suspend:
            self._images.want(key, {})
            self._told.forget(key)
            self._waiting.discard(key)
            return None
        try:
            pause = await self._pass(target)
        except SluiceError as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            note_failure(error.problems)
            log.warning("automation failed", error=str(error))
            return min(self._flags.interval, backoff(failures, 2.0))
        self._failures.pop(key, None)
        return pause

    async def _pass(self, target: GitTarget) -> float | None:
        key, source = target.key, target.source
        artifact = self._op.artifacts.get(source_id(key))
        if artifact is None:
            return None  # its first fetch wakes us
        await self._images.running.ensure()
        mirror = await self._writing.sources.mirror_of(source)
        owner = f"WorkloadAutomation/{key}"
        pause = self._writing.queue.delay(mirror.remote.url, owner)
        if pause > 0:
            return pause
        known = await self._known(source, mirror)
        run = AnnotationRun(self._images, self._flips, known, self._targets.generators, self._targets.renderer)
        branch = WrittenBranch(mirror, f"{repository_key(mirror.remote.url)} {artifact.revision.name}", owner)
        head = mirror.head(artifact.revision.hex)
        if not await head.is_there():
            return None
        self._waiting.add(key)  # before it is looked: what starts to run meanwhile is not missed
        await run.look(self._places(target), head, branch)
        commit = ""
        if run.update.files and not self._writing.read_only:
            commit = await self._write(target, run, branch)
        await self._report(key, run, commit)
        return next_interval(self._flags.interval, self._op.poll_jitter())

    async def _known(self, source: GitRepository, mirror: Mirror) -> Known:
        memory = await self._memory.load(source.metadata.key)
        failures = failed_rollouts(self._op, repository_key(mirror.remote.url))
        last = mirror.head(memory.commit) if memory.commit else None
        return Known(memory.rejections(), failures, last, self._flags.revert_failed)

    # --- act ----------------------------------------------------------------------------------------------------

    def _places(self, target: GitTarget) -> tuple[Place, ...]:
        """Flag mode's folders are one: whatever runs may be theirs. With kinds each belongs to its sync."""
        specs = {place.path: place.spec for place in target.places}
        if self._targets.by_flags:
            folders = tuple(place.path for place in target.places)
            return (Place(folders, target.places[0].namespace, specs=specs),) if folders else ()
        return tuple(
            Place((each.path,), each.namespace, frozenset({each.sync}), each.imposed, {each.path: each.spec})
            for each in target.places
        )

    async def _write(self, target: GitTarget, run: AnnotationRun, branch: WrittenBranch) -> str:
        """Commit and push; returns our commit, empty when a newer head needed none."""

        async def plan(head: Head) -> Draft | None:
            await self._writing.sources.require_history(target.source, branch.mirror, head.commit, target.seconds)
            await run.look(self._places(target), head, branch)
            if run.failed:
                # Before the commit is there: after a crash it would look like one of somebody who wants no new image.
                await self._remember(target.key, run, "")
            return Draft(run.update.files, self._message(run)) if run.update.files else None

        wanted = self._wanted(target, run, branch.owner)
        verify = self._writing.sources.gate_of(target.source, branch.mirror)
        gates = Gates(self._writing.read_only, verify, self._writing.lease_left)
        written = await self._writing.queue.write(branch.mirror, wanted, plan, owner=branch.owner, gates=gates)
        if written.outcome == "unchanged":
            return ""
        if written.outcome == "pushed":
            self._flips.wrote(branch.where, run.update.changes, branch.owner)
            say_pushed(written, run.updates)
            tell_pushed(self._op, target.source, written, pushed_update(written.commit, run.updates))
            self._targets.wake(target, self._writing.wake)
        return written.commit

    def _wanted(self, target: GitTarget, run: AnnotationRun, owner: str) -> WriteBack:
        style = self._style.writing
        author = identity(style.user, style.email, field="--git-email")
        now = self._op.now()
        # What is written follows from git and tags alone, so that nothing is written twice; the mark says whose it is.
        mark = UpdateMark(owner, hashlib.sha256(now.isoformat().encode()).hexdigest()[:16])
        return WriteBack(
            checkout=target.source.spec.ref,
            target=target.push_target(),
            author=author,
            committer=author,
            at=now,
            mark=mark,
            key=self._style.key,
            note=Note(NOTES + style.notes_ref, lambda _: note_of(mark.digest, run.updates))
            if style.notes_ref
            else None,
            seconds=target.seconds,
        )

    def _message(self, run: AnnotationRun) -> str:
        images = list(dict.fromkeys(str(update.image) for update in run.updates))
        parts = [automated_message(images).rstrip()] if images else []
        parts += [told_of_failed(run.failed)] if run.failed else []
        return self._style.message("\n\n".join(parts))

    # --- report -------------------------------------------------------------------------------------------------

    async def _report(self, key: NamespacedName, run: AnnotationRun, commit: str) -> None:
        self._images.want(key, run.wanted)
        (self._waiting.add if run.is_waiting else self._waiting.discard)(key)
        if run.update.files and self._writing.read_only:
            run.reasons = [read_only(each, run.updates) for each in run.reasons]
        self._told.tell(key, run.reasons)
        await self._remember(key, run, commit)

    async def _remember(self, key: NamespacedName, run: AnnotationRun, commit: str) -> None:
        before = await self._memory.load(key)
        await self._memory.store(key, memory_of(commit or before.commit, run.rejected, run.reasons))
