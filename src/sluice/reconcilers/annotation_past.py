"""What became of images that annotated workloads were given, as a branch's history tells: failed, or set back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sluice.core.image import ImageRef
from sluice.core.image_update.annotated import Annotated, ContainerId, Decision, Rejection
from sluice.core.image_update.annotated_history import container_images, failed_containers, set_back_images
from sluice.core.image_update.kustomized import Chain
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.unhealthy import FailedRollout, Versions
from sluice.git.head import Head
from sluice.reconcilers.annotated_files import Place
from sluice.reconcilers.image_homes import Home, homes_of
from sluice.reconcilers.written_branch import WrittenBranch


@dataclass(frozen=True, slots=True)
class Known:
    """What was known before the pass. `last` is our last commit, if it is on the branch that is read."""

    rejected: Mapping[ContainerId, Rejection]
    failures: tuple[FailedRollout, ...] = ()
    last: Head | None = None
    revert_failed: bool = True

    def rejections(self, annotated: tuple[Annotated, ...]) -> dict[ContainerId, Rejection]:
        """Without those that a person has written into the file again: that is what lifts a rejection."""
        now = {(each.workload.id, name): image.canonical for each in annotated for name, image in each.images().items()}
        return {key: each for key, each in self.rejected.items() if now.get(key) != each.image}


@dataclass(frozen=True, slots=True)
class AnnotationPast:
    """The history of one place at one head. Its answers raise StateError when git can't be read."""

    known: Known
    place: Place
    head: Head
    branch: WrittenBranch

    @property
    def _chains(self) -> Mapping[str, Chain] | None:
        return self.place.folder.chains if self.place.folder is not None else None

    async def failed(
        self, annotated: tuple[Annotated, ...], files: Mapping[str, bytes]
    ) -> dict[ContainerId, tuple[Rejection, ImageRef]]:
        """The images that workloads failed on, of files that we were the last to change."""
        found: dict[ContainerId, tuple[Rejection, ImageRef]] = {}
        homes = homes_of(self.place.folder, annotated, files) if self.known.failures else {}
        for rollout in self.known.failures:
            then, good = self.branch.mirror.head(rollout.commit), self.branch.mirror.head(rollout.good)
            if not rollout.good or not await then.is_there() or not await good.is_there():
                continue
            versions = Versions(files, await then.read(files), await good.read(files))
            suspects = failed_containers(annotated, versions, rollout, self.place.namespace, self._chains)
            paths = {homes[key].path for key in suspects}
            ours = {path for path in paths if await self.branch.last_update(path, self.head.commit, rollout.commit)}
            found |= {key: each for key, each in suspects.items() if homes[key].path in ours}
        return found

    async def set_back(
        self, decision: Decision, annotated: tuple[Annotated, ...], files: Mapping[str, bytes]
    ) -> dict[ContainerId, Rejection]:
        """What our last commit had as it is wanted now: a person has changed it since."""
        if not decision.updates:
            return {}
        homes = homes_of(self.place.folder, annotated, files)
        written = await self._written([homes[_key(update)] for update in decision.updates])
        images = container_images(written, self.place.namespace, self._chains)
        found = set_back_images(decision.updates, images)
        return {
            key: each
            for key, each in found.items()
            if await self.branch.is_by_a_person(homes[key].path, self.head.commit)
        }

    async def _written(self, homes: Iterable[Home]) -> dict[str, bytes]:
        """The files as we left them. Where our last commit is not remembered, git knows it."""
        last = self.known.last
        if last is not None and await last.is_there():
            return await last.read({path for home in homes for path in home.read})
        found: dict[str, bytes] = {}
        for path, read in {home.path: home.read for home in homes}.items():
            ours = await self.branch.last_written(path, self.head.commit)
            if ours:
                found |= await self.branch.mirror.head(ours).read(read)
        return found


def _key(each: ContainerUpdate) -> ContainerId:
    return each.workload, each.container
