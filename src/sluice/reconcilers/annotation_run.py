"""One pass of automation by annotations over one head of a repository: what is automated there, and what is to be done.

Observes (files, the cluster, tags, history) and leaves every decision to `core.image_update`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.core.codes import TAGS_INCOMPLETE
from sluice.core.image import ImageRef, parse
from sluice.core.image_policy import TagPolicy
from sluice.core.image_policy.workload_choice import Listing
from sluice.core.image_update.annotated import (
    Annotated,
    ContainerId,
    Decision,
    ImageReason,
    Rejection,
    decide_images,
    find_annotated,
)
from sluice.core.image_update.annotated_history import (
    container_images,
    failed_containers,
    set_back_images,
    still_held,
    taken_back,
)
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.release import ContainerUpdate, update_containers
from sluice.core.image_update.result import ImageChange, ImageUpdate
from sluice.core.image_update.unhealthy import FailedRollout, Versions
from sluice.core.image_update.workload import WorkloadId
from sluice.core.running_workload import RunningWorkload
from sluice.git.head import Head
from sluice.reconcilers.annotated_files import Place, annotated_files
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.image_entries import BuiltUpdates, meant, split_updates, write_each
from sluice.reconcilers.image_homes import Home, container_workloads, homes_of, seen_through
from sluice.reconcilers.workload_images import ScanKey, WantedTags, WorkloadImages
from sluice.reconcilers.written_branch import WrittenBranch
from sluice.render import workload_files
from sluice.render.generators import Generators
from sluice.render.renderer import Renderer
from sluice.render.taken_files import TakenFiles
from sluice.render.workload_files import WorkloadFiles, generated_files


@dataclass(frozen=True, slots=True)
class Known:
    """What was known before the pass. `last` is our last commit, if it is on the branch that is read."""

    rejected: Mapping[ContainerId, Rejection]
    failures: tuple[FailedRollout, ...] = ()
    last: Head | None = None
    revert_failed: bool = True


@dataclass(slots=True)
class AnnotationRun:
    """What a pass came to; empty until `look`."""

    images: WorkloadImages
    flips: FlipMemory
    known: Known
    generators: Generators | None = None
    renderer: Renderer | None = None
    update: ImageUpdate = field(default_factory=ImageUpdate)
    updates: list[ContainerUpdate] = field(default_factory=list)
    failed: dict[ContainerId, tuple[Rejection, ImageRef]] = field(default_factory=dict)
    rejected: dict[ContainerId, Rejection] = field(default_factory=dict)
    reasons: list[ImageReason] = field(default_factory=list)
    wanted: dict[ScanKey, WantedTags] = field(default_factory=dict)
    is_waiting: bool = False
    _lifted: set[ContainerId] = field(default_factory=set)

    async def look(self, places: tuple[Place, ...], head: Head, branch: WrittenBranch) -> None:
        """Decide for a head; can be called again for a newer one."""
        self.update, self.updates, self.reasons, self.wanted = ImageUpdate(), [], [], {}
        self.failed, self.rejected, self.is_waiting = {}, {}, False
        self._lifted = set()
        seen: set[str] = set()
        taken = TakenFiles(head)
        for place in places:
            generated = await self._generated(place, head)
            if generated is not None:
                await self._in_place(place, generated.contents, head, branch, generated)
                continue
            found = await annotated_files(place, head, seen, taken)
            self.reasons += found.reasons
            for part, files in found.parts:
                seen.update(files.keys() - (part.folder.shared if part.folder is not None else ()))
                await self._in_place(part, files, head, branch)
        # To all parts but its own a rejection is one that could not be decided.
        self.rejected = {key: each for key, each in self.rejected.items() if key not in self._lifted}

    async def _generated(self, place: Place, head: Head) -> WorkloadFiles | None:
        if self.generators is None:
            return None
        files = workload_files.Place(await head.tree(), head.blobs, place.paths, place.namespace, head.commit)
        return await generated_files(files, self.generators)

    async def _in_place(
        self,
        place: Place,
        files: Mapping[str, bytes],
        head: Head,
        branch: WrittenBranch,
        generated: WorkloadFiles | None = None,
    ) -> None:
        """`generated` writes where the place has a generated path."""
        commit = head.commit
        if place.folder is not None:  # entries for several namespaces may stand in one kustomization
            files = {path: self.update.files.get(path, data) for path, data in files.items()}
        found, unread = await asyncio.to_thread(find_annotated, files, place.namespace, commit)
        annotated = seen_through(place.folder, found, files, commit)
        failed = await self._failed(place, annotated, files, head, branch)
        back = ImageUpdate()
        if failed and self.known.revert_failed:
            back = await self._writer(files, place, head).update(taken_back(failed))
            if back.files:
                self.failed |= failed
                generated = await generated.changed(back.files) if generated is not None else None
                files = {**files, **back.files} if generated is None else generated.contents
                annotated = seen_through(place.folder, find_annotated(files, place.namespace, commit)[0], files, commit)
        self._want(place, annotated)
        rejected = {**_not_current(self.known.rejected, annotated), **{key: each for key, (each, _) in failed.items()}}
        decision = self._decide(place, annotated, rejected)
        set_back = await self._set_back(decision, place, homes_of(place.folder, annotated, files), branch, commit)
        if set_back:
            rejected |= set_back
            decision = self._decide(place, annotated, rejected)
        written = self._writer(files, place, head, generated, back)
        decision, update = await self._without_flips(decision, written, branch)
        told = {(each.workload, each.container) for each in decision.reasons if each.problem is not None}
        kept = still_held(rejected, annotated, told)
        self.rejected |= kept
        self._lifted |= {*self.known.rejected, *rejected} - kept.keys()
        self.reasons += [self._explained(each) for each in decision.reasons]
        self.reasons += [
            ImageReason(WorkloadId("", "", each.path), each.field, "", each.reason, each.problem)
            for each in (*unread, *back.skipped, *update.skipped)
        ]
        self.updates += decision.updates
        self.update = merged([self.update, back, update])

    # --- observe ------------------------------------------------------------------------------------------------

    def running(self, place: Place, each: Annotated) -> RunningWorkload | None:
        """The workload in the cluster. With syncs it must be one of theirs: others' logins are not used for it."""
        found = self.images.running.get(each.workload.id)
        if not place.syncs:
            return found
        if found is not None and found.sync in place.syncs:
            return found
        if each.workload.subject.namespace:
            return None
        kind, name = each.workload.id.kind, each.workload.id.name  # its namespace is set from outside
        alike = (live for live in self.images.workloads() if (live.id.kind, live.id.name) == (kind, name))
        return next((live for live in alike if live.sync in place.syncs), None)

    def _want(self, place: Place, annotated: tuple[Annotated, ...]) -> None:
        """Note which repositories must be scanned, and by which policies."""
        for each in annotated:
            live = self.running(place, each)
            self.is_waiting = self.is_waiting or live is None
            if live is None or each.policies.hold():
                continue
            for name, image in each.images().items():
                policy = each.policies.policy(name)
                if isinstance(policy, TagPolicy):
                    key, wish = self.images.key(image, live.id.namespace), WantedTags(image, (policy,), (live.id,))
                    self.wanted[key] = self.wanted[key].joined(wish) if key in self.wanted else wish

    async def _failed(
        self,
        place: Place,
        annotated: tuple[Annotated, ...],
        files: Mapping[str, bytes],
        head: Head,
        branch: WrittenBranch,
    ) -> dict[ContainerId, tuple[Rejection, ImageRef]]:
        """The images that workloads failed on, of files that we were the last to change."""
        found: dict[ContainerId, tuple[Rejection, ImageRef]] = {}
        for rollout in self.known.failures:
            then, good = branch.mirror.head(rollout.commit), branch.mirror.head(rollout.good)
            if not rollout.good or not await then.is_there() or not await good.is_there():
                continue
            versions = Versions(files, await then.read(files), await good.read(files))
            chains = place.folder.chains if place.folder is not None else None
            suspects = failed_containers(annotated, versions, rollout, place.namespace, chains)
            homes = homes_of(place.folder, annotated, files)
            paths = {homes[key].path for key in suspects}
            ours = {path for path in paths if await branch.last_update(path, head.commit, rollout.commit)}
            found |= {key: each for key, each in suspects.items() if homes[key].path in ours}
        return found

    async def _set_back(
        self, decision: Decision, place: Place, homes: Mapping[ContainerId, Home], branch: WrittenBranch, commit: str
    ) -> dict[ContainerId, Rejection]:
        """What our last commit had as it is wanted now: a person has changed it since."""
        if not decision.updates:
            return {}
        written = await self._written([homes[_key(update)] for update in decision.updates], branch, commit)
        chains = place.folder.chains if place.folder is not None else None
        found = set_back_images(decision.updates, container_images(written, place.namespace, chains))
        return {key: each for key, each in found.items() if await branch.is_by_a_person(homes[key].path, commit)}

    async def _written(self, homes: Iterable[Home], branch: WrittenBranch, commit: str) -> dict[str, bytes]:
        """The files as we left them. Where our last commit is not remembered, git knows it."""
        last = self.known.last
        if last is not None and await last.is_there():
            return await last.read({path for home in homes for path in home.read})
        found: dict[str, bytes] = {}
        for path, read in {home.path: home.read for home in homes}.items():
            ours = await branch.last_written(path, commit)
            if ours:
                found |= await branch.mirror.head(ours).read(read)
        return found

    def _writer(
        self,
        files: Mapping[str, bytes],
        place: Place,
        head: Head,
        generated: WorkloadFiles | None = None,
        back: ImageUpdate | None = None,
    ) -> _Written:
        before = merged([self.update, back or ImageUpdate()])
        images = meant([*self.updates, *taken_back(self.failed)])
        return _Written(files, place, head, generated, self.renderer, before.files, images)

    # --- decide -------------------------------------------------------------------------------------------------

    def _decide(
        self, place: Place, annotated: tuple[Annotated, ...], rejected: Mapping[ContainerId, Rejection]
    ) -> Decision:
        def listing(each: Annotated, image: ImageRef) -> Listing | None:
            live = self.running(place, each)
            found = self.images.tags(image, live.id.namespace) if live is not None else None
            return None if found is None else Listing(found.tags, found.complete)

        return decide_images(annotated, lambda each: self.running(place, each) is not None, listing, rejected)

    async def _without_flips(
        self, decision: Decision, written: _Written, branch: WrittenBranch
    ) -> tuple[Decision, ImageUpdate]:
        """Make the edits, but for those that go on with a fight between two writers."""
        commit, update = written.head.commit, await written.update(decision.updates)
        decision = _but_refused(decision, update)
        held = {
            _container_of(change): await branch.flip(change, writer, commit)
            for change, writer in self.flips.held(branch.where, update.changes)
        }
        if not held:
            return decision, update
        kept = tuple(each for each in decision.updates if _place_of(each) not in held)
        reasons = tuple(
            replace(each, reason=problem.title, problem=problem) if (problem := held.get(_place_of(each))) else each
            for each in decision.reasons
        )
        return Decision(kept, reasons), await written.update(kept)

    def _explained(self, each: ImageReason) -> ImageReason:
        """A list of tags that is not whole says why."""
        if each.problem is None or each.problem.code is not TAGS_INCOMPLETE:
            return each
        name = parse(each.image).canonical_name
        scans = [self.images.result(key) for key in self.wanted if key.name == name]
        problems = [problem for scan in scans if scan is not None for problem in scan.problems]
        return replace(each, reason=f"{each.reason}: {problems[0]}") if problems else each


@dataclass(frozen=True, slots=True)
class _Written:
    """Where images are written: in the files, in entries of kustomizations, or as a `.flux.yaml` says.

    `before` are files that were edited already, so that containers have the images `meant`.
    """

    files: Mapping[str, bytes]
    place: Place
    head: Head
    generated: WorkloadFiles | None
    renderer: Renderer | None
    before: Mapping[str, bytes]
    meant: Mapping[ContainerId, ImageRef]

    async def update(self, updates: Sequence[ContainerUpdate]) -> ImageUpdate:
        """The edits that these updates are."""
        if self.generated is not None:
            return await self.generated.update_containers(updates)
        namespace, commit, folder = self.place.namespace, self.head.commit, self.place.folder
        if folder is None or self.renderer is None:
            return await asyncio.to_thread(update_containers, self.files, updates, namespace, commit)
        found = container_workloads(self.files, updates, namespace, folder, commit)
        split = split_updates(updates, found, folder.kustomized(self.files, commit), folder.sharing)
        in_files = await asyncio.to_thread(update_containers, self.files, split.in_files, namespace, commit)
        wanted = {**self.meant, **meant(split.in_files)}
        built = BuiltUpdates(folder.spec, folder.home, namespace, self.files, split.entries, split.beside, wanted)
        others = {**self.before, **in_files.files}
        return merged([in_files, await write_each(self.head, built, self.renderer, others)])


def _key(each: ContainerUpdate) -> ContainerId:
    return each.workload, each.container


def _but_refused(decision: Decision, update: ImageUpdate) -> Decision:
    """What could not be written is no update, and says why."""
    refused = {(each.subject.kind.lower(), each.subject.name, each.field): each.problem for each in update.skipped}
    if not refused:
        return decision
    reasons = tuple(
        replace(each, reason=problem.title, problem=problem) if (problem := refused.get(_place_of(each))) else each
        for each in decision.reasons
    )
    return Decision(tuple(each for each in decision.updates if _place_of(each) not in refused), reasons)


def _container_of(change: ImageChange) -> tuple[str, str, str]:
    return change.subject.kind.lower(), change.subject.name, change.field


def _place_of(each: ContainerUpdate | ImageReason) -> tuple[str, str, str]:
    return each.workload.kind, each.workload.name, each.container


def _not_current(
    rejected: Mapping[ContainerId, Rejection], annotated: tuple[Annotated, ...]
) -> dict[ContainerId, Rejection]:
    """Without those that a person has written into the file again: that is what lifts a rejection."""
    now = {(each.workload.id, name): image.canonical for each in annotated for name, image in each.images().items()}
    return {key: each for key, each in rejected.items() if now.get(key) != each.image}
