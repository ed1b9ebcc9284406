"""One pass of automation by annotations over one head of a repository: what is automated there, and what is to be done.

Observes (files, the cluster, tags, history) and leaves every decision to `core.image_update`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
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
    still_held,
    taken_back,
)
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.result import ImageUpdate
from sluice.core.image_update.workload import WorkloadId
from sluice.core.running_workload import RunningWorkload
from sluice.git.head import Head
from sluice.reconcilers.annotated_files import Place, annotated_files
from sluice.reconcilers.annotation_past import AnnotationPast, Known
from sluice.reconcilers.annotation_writer import AnnotationWriter, refused, spot_of, without
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.image_entries import meant
from sluice.reconcilers.image_homes import seen_through
from sluice.reconcilers.workload_images import ScanKey, WantedTags, WorkloadImages
from sluice.reconcilers.written_branch import WrittenBranch
from sluice.render import workload_files
from sluice.render.generators import Generators
from sluice.render.renderer import Renderer
from sluice.render.taken_files import TakenFiles
from sluice.render.workload_files import WorkloadFiles, generated_files


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
        past = AnnotationPast(self.known, place, head, branch)
        failed = await past.failed(annotated, files)
        back = ImageUpdate()
        if failed and self.known.revert_failed:
            back = await self._writer(files, place, head).update(taken_back(failed))
            if back.files:
                self.failed |= failed
                generated = await generated.changed(back.files) if generated is not None else None
                files = {**files, **back.files} if generated is None else generated.contents
                annotated = seen_through(place.folder, find_annotated(files, place.namespace, commit)[0], files, commit)
        self._want(place, annotated)
        rejected = {**self.known.rejections(annotated), **{key: each for key, (each, _) in failed.items()}}
        decision = self._decide(place, annotated, rejected)
        set_back = await past.set_back(decision, annotated, files)
        if set_back:
            rejected |= set_back
            decision = self._decide(place, annotated, rejected)
        writer = self._writer(files, place, head, generated, back)
        decision, update = await self._without_flips(decision, writer, branch)
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

    def _writer(
        self,
        files: Mapping[str, bytes],
        place: Place,
        head: Head,
        generated: WorkloadFiles | None = None,
        back: ImageUpdate | None = None,
    ) -> AnnotationWriter:
        before = merged([self.update, back or ImageUpdate()])
        images = meant([*self.updates, *taken_back(self.failed)])
        return AnnotationWriter(files, place, head, generated, self.renderer, before.files, images)

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
        self, decision: Decision, writer: AnnotationWriter, branch: WrittenBranch
    ) -> tuple[Decision, ImageUpdate]:
        """Make the edits, but for those that go on with a fight between two writers."""
        update = await writer.update(decision.updates)
        decision = without(decision, refused(update))
        held = {
            spot_of(change): await branch.flip(change, other, writer.head.commit)
            for change, other in self.flips.held(branch.where, update.changes)
        }
        if not held:
            return decision, update
        decision = without(decision, held)
        return decision, await writer.update(decision.updates)

    def _explained(self, each: ImageReason) -> ImageReason:
        """A list of tags that is not whole says why."""
        if each.problem is None or each.problem.code is not TAGS_INCOMPLETE:
            return each
        name = parse(each.image).canonical_name
        scans = [self.images.result(key) for key in self.wanted if key.name == name]
        problems = [problem for scan in scans if scan is not None for problem in scan.problems]
        return replace(each, reason=f"{each.reason}: {problems[0]}") if problems else each
