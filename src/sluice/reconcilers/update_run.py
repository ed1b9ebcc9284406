"""One update on one repository: what git's head and the registries say → new files, a message, and a result for each.

Planned anew for every head that it is tried on. Whatever can't be written as asked stops all of it: nothing is half
done. Only a workload that stays as it is, and why, is a result.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from sluice.core import codes
from sluice.core.errors import RemoteError, UserError
from sluice.core.image import ImageRef
from sluice.core.image_pin import pin_mismatch
from sluice.core.image_policy.workload_choice import Listing
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.policy_annotation import PolicyUpdate, update_policies
from sluice.core.image_update.release import ContainerUpdate, update_containers
from sluice.core.image_update.result import ImageChange, ImageUpdate
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
from sluice.reconcilers.git_targets import GitTarget, GitTargets
from sluice.reconcilers.image_entries import Entries, meant, split_updates, write_entries
from sluice.reconcilers.workload_search import (
    Searched,
    found_and_missing,
    search_files,
    search_generated,
    without_shared,
)
from sluice.registry.scanner import ScanResult
from sluice.runtime.together import together

SHOWN_TAGS = 5


class ImageTags(Protocol):
    """Where the tags of images are known from."""

    async def look(self, image: ImageRef, namespace: str = "") -> ScanResult:
        """Scan the repository of an image, for a workload of this namespace, unless that was just done."""
        ...


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
        names, places = self.spec.named, self.target.places
        searched = await search_generated(head, places, names, self.targets.generators) or [
            each for place in places for each in await search_files(head, place, names)
        ]
        spec = self.spec.spec
        if isinstance(spec, PolicySpec):
            searched = [without_shared(each, head.commit) for each in searched]
        known = await self._known(searched)
        if isinstance(spec, PolicySpec):
            update = await self._policies(spec, searched, known, head.commit)
        else:
            self.results = await self._results(known)
            wanted = [each for result in self.results.values() for each in result.updates]
            update = await self._images(wanted, searched, head)
        self.changes = update.changes
        return Draft(update.files, update_message(self.spec, self.results))

    # --- observe ------------------------------------------------------------------------------------------------

    async def _known(self, searched: Iterable[Searched]) -> Known:
        found, missing = found_and_missing(list(searched))
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
        listed = next((tag for tag in scan.tags if tag.tag == image.tag), None)
        if listed is not None:
            mismatch = pin_mismatch(image, listed.digest)
            if mismatch is not None:
                raise UserError(mismatch)
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

    async def _images(self, wanted: list[ContainerUpdate], searched: list[Searched], head: Head) -> ImageUpdate:
        """New images into files, and into the entries of kustomizations that replace what files say."""
        parts: list[ImageUpdate] = []
        entries: list[Entries] = []
        for one in searched:
            here = [each for each in wanted if each.workload in one.located.workloads]
            homes = {workload: (file.path, held) for workload, (file, held) in one.located.workloads.items()}
            in_files, of_entries = split_updates(here, homes, one.kustomized, one.place.path)
            parts.append(await _containers(one, in_files, head.commit))
            entries.append(Entries(one.place.spec, one.home, one.files, of_entries, meant(here)))
        others = merged(parts)
        if not any(each.updates for each in entries):
            return _whole([others])
        made = await write_entries(head, entries, self.targets.renderer, others.files)
        return _whole([others, made])

    async def _policies(self, spec: PolicySpec, searched: list[Searched], known: Known, commit: str) -> ImageUpdate:
        wanted = [written_policies(each) for each in spec.updates if each.workload in known.found]
        update = _whole([await _annotations(one, wanted, commit) for one in searched])
        changed = changes_by_workload(update.changes, "")
        self.results = policy_results(spec.updates, known, changed)
        return update


def _whole(parts: Iterable[ImageUpdate]) -> ImageUpdate:
    """The edits of every folder as one. Raises UserError with every change that can't be made: then none is."""
    update = merged(parts)
    problems = tuple(dict.fromkeys(skipped.problem for skipped in update.skipped))
    if problems:
        raise UserError(*problems)
    # Folders may overlap, and then their files are edited alike.
    return replace(update, changes=tuple(dict.fromkeys(update.changes)))


async def _containers(one: Searched, here: list[ContainerUpdate], commit: str) -> ImageUpdate:
    if one.generated is not None:
        return _placed(await one.generated.update_containers(here), one)
    return _placed(await asyncio.to_thread(update_containers, one.files, here, one.place.namespace, commit), one)


async def _annotations(one: Searched, wanted: Iterable[PolicyUpdate], commit: str) -> ImageUpdate:
    here = [each for each in wanted if each.workload in one.located.workloads]
    if one.generated is not None:
        return _placed(await one.generated.update_policies(here), one)
    return _placed(await asyncio.to_thread(update_policies, one.files, here, one.place.namespace, commit), one)


def _placed(update: ImageUpdate, one: Searched) -> ImageUpdate:
    """The changes with the namespace that objects without one are given here: elsewhere it may be another."""

    def placed(change: ImageChange) -> ImageChange:
        subject = change.subject
        return replace(change, subject=replace(subject, namespace=subject.namespace or one.place.namespace))

    return replace(update, changes=tuple(placed(change) for change in update.changes))
