"""One update on one repository: what git's head and the registries say → new files, a message, and a result for each.

Planned anew for every head that it is tried on. Whatever can't be written as asked stops all of it: nothing is half
done. Only a workload that stays as it is, and why, is a result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sluice.core import codes
from sluice.core.errors import RemoteError, UserError
from sluice.core.image import ImageRef
from sluice.core.image_policy.workload_choice import Listing
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.policy_annotation import PolicyUpdate, update_policies
from sluice.core.image_update.release import (
    ContainerUpdate,
    Located,
    locate_workloads,
    update_containers,
    workload_ids,
)
from sluice.core.image_update.result import ImageChange, ImageUpdate
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.problem import Problem, printable
from sluice.core.update_message import update_message
from sluice.core.update_result import (
    Known,
    Results,
    changes_by_workload,
    container_results,
    image_results,
    policy_results,
    refuse_unsatisfied,
    written_policies,
)
from sluice.core.update_spec import AutoSpec, ContainerSpec, ImageSpec, PolicySpec, UpdateSpec
from sluice.git.head import Head
from sluice.git.write_back import Draft
from sluice.reconcilers.git_targets import GitTarget, GitTargets, Place
from sluice.registry.scanner import ScanResult
from sluice.render import workload_files
from sluice.render.workload_files import WorkloadFiles, generated_files
from sluice.runtime.together import together

SUFFIXES = (".yaml", ".yml", ".json")
# Up to how many workloads git is searched for each name; beyond, every file is read.
FEW_NAMES = 8
SHOWN_TAGS = 5


class ImageTags(Protocol):
    """Where the tags of images are known from."""

    async def look(self, image: ImageRef, namespace: str = "") -> ScanResult:
        """Scan the repository of an image, for a workload of this namespace, unless that was just done."""
        ...


@dataclass(frozen=True, slots=True)
class _Searched:
    """One folder of the head: its files as far as they were read, and the workloads found there.

    Where a folder is generated, `generated` writes, and all folders are one: an updater may serve several.
    """

    place: Place
    files: Mapping[str, bytes]
    located: Located
    generated: WorkloadFiles | None = None


@dataclass(slots=True)
class UpdateRun:
    """What one update comes to; `results` and `changes` are those of the last head that was planned on."""

    targets: GitTargets
    tags: ImageTags
    target: GitTarget
    spec: UpdateSpec
    results: Results = field(default_factory=dict)
    changes: tuple[ImageChange, ...] = ()

    async def plan(self, head: Head) -> Draft:
        """Plan on a head. A draft without files changes nothing.

        Raises UserError for what can't be written as asked, or has to be asked otherwise; RemoteError when a registry
        does not tell whether it has the image that is named; ClusterError.
        """
        searched = await self._generated(head) or [await self._search(head, place) for place in self.target.places]
        known = await self._known(searched)
        spec = self.spec.spec
        if isinstance(spec, PolicySpec):
            update = await self._policies(spec, searched, known, head.commit)
        else:
            self.results = await self._results(known)
            wanted = [each for result in self.results.values() for each in result.updates]
            update = await _in_places(searched, lambda one: _containers(one, wanted, head.commit))
        self.changes = update.changes
        return Draft(update.files, update_message(self.spec, self.results))

    # --- observe ------------------------------------------------------------------------------------------------

    async def _generated(self, head: Head) -> list[_Searched]:
        """All folders with what their generators print; nothing where no folder is generated."""
        generators, places = self.targets.generators, self.target.places
        if generators is None or not places:
            return []
        paths, namespace = tuple(place.path for place in places), places[0].namespace
        files = await generated_files(
            workload_files.Place(await head.tree(), head.blobs, paths, namespace, head.commit), generators
        )
        if files is None:
            return []
        located = await asyncio.to_thread(_locate, files.contents, self.spec.named, namespace, head.commit)
        return [_Searched(places[0], files.contents, located, files)]

    async def _search(self, head: Head, place: Place) -> _Searched:
        names = self.spec.named
        tree = await head.tree()
        files = {entry.path for entry in tree.under(place.path) if entry.path.endswith(SUFFIXES)}
        if names and len(names) <= FEW_NAMES:
            below = (place.path,) if place.path else ()
            found: set[str] = set()
            for name in {each.name for each in names}:
                found.update(await head.files_with(name, below))
            files &= found
        contents = await head.read(files)
        located = await asyncio.to_thread(_locate, contents, names, place.namespace, head.commit)
        return _Searched(place, contents, located)

    async def _known(self, searched: Iterable[_Searched]) -> Known:
        found, missing = _found(list(searched))
        return Known(found, missing, await self.targets.running(self.target, found))

    async def _results(self, known: Known) -> Results:
        match self.spec.spec:
            case AutoSpec(changes=changes):
                return container_results(ContainerSpec(changes, skip_mismatches=True), known)
            case ContainerSpec() as spec:
                results = self.results = container_results(spec, known)
                refuse_unsatisfied(results.values())
                return results
            case ImageSpec(image=None) as spec:
                listings = await self._listings(spec, known)
                return image_results(spec, known, lambda image: listings.get(image.canonical_name))
            case ImageSpec(image=ImageRef() as image) as spec:
                results = image_results(spec, known, lambda _: None)
                if any(result.updates for result in results.values()):
                    await self._refuse_absent(image, min(known.running).namespace)
                return results
        raise AssertionError("a sync has nothing to plan")

    async def _listings(self, spec: ImageSpec, known: Known) -> dict[str, Listing]:
        """What the registries list of the images in question, each asked once."""
        asked = {
            container.image.canonical_name: (container.image, workload.namespace)
            for workload, (_, held) in sorted(known.found.items())
            if workload in known.running and workload not in spec.excludes
            for container in held.containers
            if container.image is not None
        }
        scans = await together(self.tags.look(image, namespace) for image, namespace in asked.values())
        return {name: Listing(scan.tags, scan.complete) for name, scan in zip(asked, scans, strict=True)}

    async def _refuse_absent(self, image: ImageRef, namespace: str) -> None:
        scan = await self.tags.look(image, namespace)
        if any(tag.tag == image.tag for tag in scan.tags):
            return
        if not scan.complete:
            cause = f"not all tags of {image.canonical_name} are known"
            unknown = Problem(codes.TAGS_INCOMPLETE, f"whether {image} exists is not known", cause=cause)
            raise RemoteError(*(scan.problems or (unknown,)))
        tags = ", ".join(printable(tag.tag) for tag in scan.tags[-SHOWN_TAGS:])
        title = f'image "{image}" does not exist'
        cause = f"its repository has {tags}" if tags else "its repository has no tags"
        raise UserError(
            Problem(codes.IMAGE_ABSENT, title, cause=cause, fix="push the image first, or name another tag")
        )

    # --- decide -------------------------------------------------------------------------------------------------

    async def _policies(self, spec: PolicySpec, searched: list[_Searched], known: Known, commit: str) -> ImageUpdate:
        wanted = [written_policies(each) for each in spec.updates if each.workload in known.found]
        update = await _in_places(searched, lambda one: _annotations(one, wanted, commit))
        changed: dict[WorkloadId, object] = {}
        for namespace in {one.place.namespace for one in searched}:
            changed |= changes_by_workload(update.changes, namespace)
        self.results = policy_results(spec.updates, known, changed)
        return update


def _found(
    searched: Sequence[_Searched],
) -> tuple[dict[WorkloadId, tuple[str, Workload]], dict[WorkloadId, Problem]]:
    """Where each workload is, and why one is in no file, or in several."""
    found: dict[WorkloadId, tuple[str, Workload]] = {}
    missing: dict[WorkloadId, Problem] = {}
    for one in searched:
        for workload, (file, held) in one.located.workloads.items():
            earlier = found.setdefault(workload, (file.path, held))
            if earlier[0] != file.path:
                missing[workload] = _twice(workload, earlier[0], file.path)
    for one in searched:
        for workload, problem in one.located.missing.items():
            if problem.code is not codes.WORKLOAD_MISSING or workload not in found:
                missing.setdefault(workload, problem)
    return {workload: place for workload, place in found.items() if workload not in missing}, missing


def _locate(files: Mapping[str, bytes], names: tuple[WorkloadId, ...], namespace: str, commit: str) -> Located:
    return locate_workloads(files, names or workload_ids(files, namespace)[0], namespace, commit)


async def _in_places(searched: Iterable[_Searched], edit: Callable[[_Searched], Awaitable[ImageUpdate]]) -> ImageUpdate:
    """The edits of every folder as one. Raises UserError with every change that can't be made: then none is."""
    update = merged([await edit(one) for one in searched])
    problems = tuple(dict.fromkeys(skipped.problem for skipped in update.skipped))
    if problems:
        raise UserError(*problems)
    # Folders may overlap, and then their files are edited alike.
    return replace(update, changes=tuple(dict.fromkeys(update.changes)))


async def _containers(one: _Searched, wanted: Iterable[ContainerUpdate], commit: str) -> ImageUpdate:
    here = [each for each in wanted if each.workload in one.located.workloads]
    if one.generated is not None:
        return await one.generated.update_containers(here)
    return await asyncio.to_thread(update_containers, one.files, here, one.place.namespace, commit)


async def _annotations(one: _Searched, wanted: Iterable[PolicyUpdate], commit: str) -> ImageUpdate:
    here = [each for each in wanted if each.workload in one.located.workloads]
    if one.generated is not None:
        return await one.generated.update_policies(here)
    return await asyncio.to_thread(update_policies, one.files, here, one.place.namespace, commit)


def _twice(workload: WorkloadId, one: str, other: str) -> Problem:
    cause, fix = f"{workload} is in {one} and in {other}", "keep one definition"
    return Problem(codes.WORKLOAD_AMBIGUOUS, "the workload is defined twice", cause=cause, fix=fix)
