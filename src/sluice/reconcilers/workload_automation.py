"""Automation by annotations, as fluxd's: automated workloads of a repository → one commit with their newest images.

A pass costs no request while nothing is to be written: it looks at the commit that was fetched last. What is written
goes the way of every write-back, and "current" is what git's head says, never what the cluster runs.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace

import structlog

from sluice.api.git_repository import GitRepository
from sluice.api.kustomization import Kustomization
from sluice.core.automation_flags import AutomationFlags, GitWriting
from sluice.core.codes import GIT_READ_ONLY, TAGS_INCOMPLETE, WORKLOAD_NOT_RUNNING
from sluice.core.commit_text import UpdateMark, identity
from sluice.core.duration import parse_duration
from sluice.core.errors import SluiceError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.image_update.annotated import ContainerId, ImageReason
from sluice.core.image_update.annotated_history import told_of_failed
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.workload import DEFAULT_NAMESPACE
from sluice.core.message_template.fluxd import automated_message
from sluice.core.problem import Problem
from sluice.core.push_target import HEADS, push_target
from sluice.core.schedule import backoff, next_interval
from sluice.core.tree_path import clean_path
from sluice.git.head import Head
from sluice.git.mirror import Mirror
from sluice.git.push_queue import repository_key
from sluice.git.refs import wanted_of
from sluice.git.signing import SigningKey
from sluice.git.write_back import Draft, Gates, WriteBack, Written
from sluice.kube.watch import EventType
from sluice.reconcilers.annotation_run import AnnotationRun, Known, Place
from sluice.reconcilers.automation_memory import AutomationMemory, memory_of
from sluice.reconcilers.failed_rollouts import failed_rollouts
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.git_repository import source_id
from sluice.reconcilers.image_update_automation import Writing, pushed_message
from sluice.reconcilers.image_wakeups import rollout_fault
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import source_of
from sluice.reconcilers.workload_images import ScanKey, WorkloadImages
from sluice.reconcilers.written_branch import WrittenBranch, wake_readers
from sluice.runtime.controller import Controller, note_failure
from sluice.runtime.queue import Turn

# What passes by itself, or has been told by the scan.
PASSING = frozenset({WORKLOAD_NOT_RUNNING, TAGS_INCOMPLETE})
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Commits:
    """How its commits are made: as the flags say, and signed where there is a key."""

    style: GitWriting
    key: SigningKey | None = None


class WorkloadAutomation:
    """One turn for each repository that syncs read."""

    def __init__(
        self,
        operator: Operator,
        images: WorkloadImages,
        writing: Writing,
        flags: AutomationFlags,
        commits: Commits,
        memory: AutomationMemory,
        *,
        by_flags: bool,
    ) -> None:
        self._op = operator
        self._images = images
        self._writing = writing
        self._flags = flags
        self._commits = commits
        self._memory = memory
        self._by_flags = by_flags
        self._flips = FlipMemory()
        self._told: dict[NamespacedName, dict[ContainerId, str]] = {}
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
        source = self._op.git_repositories.get(key.namespace, key.name)
        places = self._places(source) if source is not None and not source.spec.suspend else ()
        if source is None or not places:
            self._images.want(key, {})
            self._told.pop(key, None)
            self._waiting.discard(key)
            return None
        try:
            pause = await self._pass(source, places)
        except SluiceError as error:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            note_failure(error.problems)
            log.warning("automation failed", error=str(error))
            return min(self._flags.interval, backoff(failures, 2.0))
        self._failures.pop(key, None)
        return pause

    def _places(self, source: GitRepository) -> tuple[Place, ...]:
        """The folders that syncs read of a source."""
        syncs = [
            sync
            for sync in self._op.kustomizations.items()
            if source_of(sync).name == source.metadata.name and source_of(sync).namespace == source.metadata.namespace
        ]
        if self._by_flags:
            namespace = self._op.default_namespace or DEFAULT_NAMESPACE
            return (Place(tuple(clean_path(sync.spec.path) for sync in syncs), namespace),) if syncs else ()
        return tuple(
            Place(
                (clean_path(sync.spec.path),),
                sync.spec.targetNamespace or DEFAULT_NAMESPACE,
                frozenset({sync.metadata.key}),
            )
            for sync in sorted(syncs, key=lambda sync: sync.metadata.key)
        )

    async def _pass(self, source: GitRepository, places: tuple[Place, ...]) -> float | None:
        key = source.metadata.key
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
        run = AnnotationRun(self._images, self._flips, known)
        branch = WrittenBranch(mirror, f"{repository_key(mirror.remote.url)} {HEADS}{_branch(source)}", owner)
        head = mirror.head(artifact.revision.hex)
        if not await head.is_there():
            return None
        await run.look(places, head, branch)
        commit = ""
        if run.update.files and not self._writing.read_only:
            commit = await self._write(source, places, run, branch)
        await self._report(key, run, commit)
        return next_interval(self._flags.interval, self._op.poll_jitter())

    async def _known(self, source: GitRepository, mirror: Mirror) -> Known:
        memory = await self._memory.load(source.metadata.key)
        failures = failed_rollouts(self._op, repository_key(mirror.remote.url))
        last = mirror.head(memory.commit) if memory.commit else None
        return Known(memory.rejections(), failures, last, self._flags.revert_failed)

    # --- act ----------------------------------------------------------------------------------------------------

    async def _write(
        self, source: GitRepository, places: tuple[Place, ...], run: AnnotationRun, branch: WrittenBranch
    ) -> str:
        """Commit and push; returns our commit, empty when a newer head needed none."""

        async def plan(head: Head) -> Draft | None:
            await run.look(places, head, branch)
            if run.failed:
                # Before the commit is there: after a crash it would look like one of somebody who wants no new image.
                await self._remember(source.metadata.key, run, "")
            return Draft(run.update.files, self._message(run)) if run.update.files else None

        gates = Gates(self._writing.read_only, lease_left=self._writing.lease_left)
        wanted = self._wanted(source, branch.owner)
        written = await self._writing.queue.write(branch.mirror, wanted, plan, owner=branch.owner, gates=gates)
        if written.outcome == "unchanged":
            return ""
        if written.outcome == "pushed":
            self._flips.wrote(branch.where, run.update.changes, branch.owner)
            wake_readers(self._op, self._writing.wake, source)
            self._say_pushed(written, run.updates)
        return written.commit

    def _wanted(self, source: GitRepository, owner: str) -> WriteBack:
        style = self._commits.style
        author = identity(style.user, style.email, field="--git-email")
        now = self._op.now()
        return WriteBack(
            checkout=source.spec.ref,
            target=push_target(_branch(source)),
            author=author,
            committer=author,
            at=now,
            # What is written follows from git and tags alone, so that nothing is written twice; the mark says whose.
            mark=UpdateMark(owner, hashlib.sha256(now.isoformat().encode()).hexdigest()[:16]),
            key=self._commits.key,
            seconds=parse_duration(source.spec.timeout),
        )

    def _message(self, run: AnnotationRun) -> str:
        images = list(dict.fromkeys(str(update.image) for update in run.updates))
        parts = [automated_message(images).rstrip()] if images else []
        parts += [told_of_failed(run.failed)] if run.failed else []
        return "\n\n".join(parts) + self._commits.style.skip_message

    # --- report -------------------------------------------------------------------------------------------------

    def _say_pushed(self, written: Written, updates: list[ContainerUpdate]) -> None:
        log.info(pushed_message(written), commit=written.commit, files=list(written.files))
        for update in updates:
            log.info("released", workload=str(update.workload), container=update.container,
                     image=str(update.image), before=str(update.current), policy=update.policy)  # fmt: skip

    async def _report(self, key: NamespacedName, run: AnnotationRun, commit: str) -> None:
        self._images.want(key, run.wanted)
        (self._waiting.add if run.is_waiting else self._waiting.discard)(key)
        if run.update.files and self._writing.read_only:
            run.reasons = [_read_only(each, run.updates) for each in run.reasons]
        self._tell(key, run.reasons)
        await self._remember(key, run, commit)

    async def _remember(self, key: NamespacedName, run: AnnotationRun, commit: str) -> None:
        before = await self._memory.load(key)
        await self._memory.store(key, memory_of(commit or before.commit, run.rejected, run.reasons))

    def _tell(self, key: NamespacedName, reasons: list[ImageReason]) -> None:
        """Log every reason that is another than before."""
        before, now = self._told.get(key, {}), {}
        for each in reasons:
            place = each.workload, each.container
            now[place] = each.reason
            if before.get(place) != each.reason:
                is_news = each.problem is None or each.problem.code in PASSING
                say = log.info if is_news else log.warning
                more = {"error": str(each.problem)} if each.problem is not None else {}
                say(each.reason, workload=str(each.workload), container=each.container, image=each.image, **more)
        self._told[key] = now


def _read_only(each: ImageReason, updates: list[ContainerUpdate]) -> ImageReason:
    """What would be written, and is not."""
    place = each.workload, each.container
    update = next((update for update in updates if (update.workload, update.container) == place), None)
    if update is None:
        return each
    title = f"git is read-only here, so {each.container} of {each.workload} does not get {update.image}"
    problem = Problem(GIT_READ_ONLY, title, field="--git-readonly", fix="start the operator without it")
    return replace(each, reason=title, problem=problem)


def _branch(source: GitRepository) -> str:
    """The branch that a source follows. Raises UserError (NoPushBranch) later, where that is a tag or a commit."""
    ref = wanted_of(source.spec.ref).ref
    return ref.removeprefix(HEADS) if ref.startswith(HEADS) else ""
