"""One update on one repository: what git's head and the registries say → new files, a message, and a result for each.

Planned anew for every head that it is tried on. Whatever can't be written as asked stops all of it: nothing is half
done. Only a workload that stays as it is, and why, is a result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from sluice.core import codes
from sluice.core.errors import RemoteError, UserError
from sluice.core.image import ImageRef
from sluice.core.image_pin import pin_mismatch
from sluice.core.image_policy.workload_choice import Listing
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
from sluice.reconcilers.workload_edit import write_images, write_policies
from sluice.reconcilers.workload_search import (
    Searched,
    for_policies,
    found_and_missing,
    search_files,
    search_generated,
)
from sluice.registry.scanner import ScanResult
from sluice.render.taken_files import TakenFiles
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
        taken = TakenFiles(head)
        searched = await search_generated(head, places, names, self.targets.generators) or [
            each for place in places for each in await search_files(taken, place, names)
        ]
        spec = self.spec.spec
        if isinstance(spec, PolicySpec):
            searched = [for_policies(each, head.commit) for each in searched]
        known = await self._known(searched)
        if isinstance(spec, PolicySpec):
            update = await self._policies(spec, searched, known, head.commit)
        else:
            self.results = await self._results(known)
            wanted = [each for result in self.results.values() for each in result.updates]
            update = await write_images(wanted, searched, head, self.targets.renderer)
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

    async def _policies(self, spec: PolicySpec, searched: list[Searched], known: Known, commit: str) -> ImageUpdate:
        wanted = [written_policies(each) for each in spec.updates if each.workload in known.found]
        update = await write_policies(wanted, searched, commit)
        changed = changes_by_workload(update.changes, "")
        self.results = policy_results(spec.updates, known, changed)
        return update
