"""Where new images of annotated workloads are written, and the decision without what could not be.

In the files, in entries of kustomizations, or as a `.flux.yaml` says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sluice.core.image import ImageRef
from sluice.core.image_update.annotated import ContainerId, Decision, ImageReason
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.release import ContainerUpdate, update_containers
from sluice.core.image_update.result import ImageChange, ImageUpdate
from sluice.core.problem import Problem
from sluice.git.head import Head
from sluice.reconcilers.annotated_files import Place
from sluice.reconcilers.image_entries import BuiltUpdates, meant, split_updates, write_each
from sluice.reconcilers.image_homes import container_workloads
from sluice.render.renderer import Renderer
from sluice.render.workload_files import WorkloadFiles

# A workload's kind and name, and its container: whatever its namespace, which files need not name.
_Spot = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class AnnotationWriter:
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


def without(decision: Decision, problems: Mapping[_Spot, Problem]) -> Decision:
    """The decision without the updates at these spots; each says why."""
    if not problems:
        return decision
    reasons = tuple(
        replace(each, reason=problem.title, problem=problem) if (problem := problems.get(_spot(each))) else each
        for each in decision.reasons
    )
    return Decision(tuple(each for each in decision.updates if _spot(each) not in problems), reasons)


def refused(update: ImageUpdate) -> dict[_Spot, Problem]:
    """What could not be written, and why."""
    return {(each.subject.kind.lower(), each.subject.name, each.field): each.problem for each in update.skipped}


def spot_of(change: ImageChange) -> _Spot:
    """Where a change was made."""
    return change.subject.kind.lower(), change.subject.name, change.field


def _spot(each: ContainerUpdate | ImageReason) -> _Spot:
    return each.workload.kind, each.workload.name, each.container
