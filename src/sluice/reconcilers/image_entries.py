"""Images that come out of a build as another text than the folder's own files: edited, and held against the real build.

These are those that the `images:` of kustomizations replace, and those in files beside the folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sluice.api.kustomization import KustomizationSpec
from sluice.core import codes
from sluice.core.artifact import Version
from sluice.core.errors import UserError
from sluice.core.image import ImageRef
from sluice.core.image_update.annotated import ContainerId
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.kustomized import EntryUpdate, Kustomized, replacing_entries, update_entries
from sluice.core.image_update.release import ContainerUpdate, update_containers
from sluice.core.image_update.result import ImageChange, ImageUpdate, Skipped, placed
from sluice.core.image_update.shared_file import Sharing
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.problem import Origin, Problem, clip
from sluice.render.built_images import Built, changed_others, differences
from sluice.render.renderer import Renderer


@dataclass(frozen=True, slots=True)
class BuiltUpdates:
    """Updates of one folder, in entries and in files beside it, with the files that hold both.

    `namespace` is that of what gets none from the build, `given` that of what names none in these files. `meant` has
    every image that the folder's containers are to have after all edits, those of other files included.
    """

    spec: KustomizationSpec
    namespace: str
    given: str
    files: Mapping[str, bytes]
    entries: tuple[EntryUpdate, ...]
    beside: tuple[ContainerUpdate, ...]
    meant: Mapping[ContainerId, ImageRef]

    @property
    def updates(self) -> tuple[ContainerUpdate, ...]:
        """All of them."""
        return *(each.update for each in self.entries), *self.beside

    def made(self, files: Mapping[str, bytes], commit: str) -> ImageUpdate:
        """The edits of these files."""
        now = update_entries(files, self.entries, commit)
        beside = update_containers({**files, **now.files}, self.beside, self.given, commit)
        return merged([now, placed(beside, self.given)])

    def skipped(self, problem: Problem, commit: str) -> ImageUpdate:
        """No edit, and why."""
        entries = (each.skipped(_at(problem, each.entries[-1].origin)).skipped for each in self.entries)
        tried = update_containers(self.files, self.beside, self.given, commit).changes
        beside = (_not_made(each, problem, commit) for each in tried)
        return ImageUpdate(skipped=(*(each for one in entries for each in one), *beside))


@dataclass(frozen=True, slots=True)
class Split:
    """Updates by what holds the image: a file of the folder, a file beside it, or entries of kustomizations."""

    in_files: tuple[ContainerUpdate, ...]
    beside: tuple[ContainerUpdate, ...]
    entries: tuple[EntryUpdate, ...]


def split_updates(
    updates: Iterable[ContainerUpdate],
    workloads: Mapping[WorkloadId, tuple[str, Workload]],
    kustomized: Kustomized,
    sharing: Sharing,
) -> Split:
    """Split updates of workloads, given as they are seen with the paths of their files."""
    in_files: list[ContainerUpdate] = []
    beside: list[ContainerUpdate] = []
    of_entries: list[EntryUpdate] = []
    for update in updates:
        path, workload = workloads.get(update.workload, ("", None))
        key = update.workload, update.container
        entries = replacing_entries(kustomized, path, workload).get(key, ()) if workload is not None else ()
        if entries and workload is not None:
            of_entries.append(EntryUpdate(update, workload, entries, sharing))
        else:
            (beside if sharing.is_beside(path) else in_files).append(update)
    return Split(tuple(in_files), tuple(beside), tuple(of_entries))


def meant(updates: Iterable[ContainerUpdate]) -> dict[ContainerId, ImageRef]:
    """What containers are to have."""
    return {(each.workload, each.container): each.image for each in updates}


async def write_built(
    head: Version, parts: Iterable[BuiltUpdates], renderer: Renderer, others: Mapping[str, bytes]
) -> ImageUpdate:
    """Make all edits, or none of them unless the builds are as meant; `others` were edited before.

    Raises StateError when git can't be read.
    """
    parts = list(parts)
    edited = [each.spec for each in parts if each.updates]
    parts = [each for each in parts if each.spec in edited]
    files, made = {path: data for each in parts for path, data in each.files.items()}, ImageUpdate()
    for each in parts:
        made = merged([made, each.made({**files, **made.files}, head.commit)])
    if not made.files:
        return made
    refused = await _refused(head, parts, renderer, {**others, **made.files})
    return made if refused is None else merged([each.skipped(refused, head.commit) for each in parts])


async def write_each(
    head: Version, updates: BuiltUpdates, renderer: Renderer, others: Mapping[str, bytes]
) -> ImageUpdate:
    """Make the edits of a folder, each that can be made. Raises StateError when git can't be read."""
    groups: dict[object, list[EntryUpdate]] = {}
    for each in updates.entries:
        groups.setdefault((each.entries[-1].origin, each.entries[-1].at), []).append(each)
    ones = [replace(updates, entries=tuple(group), beside=()) for group in groups.values()]
    ones += [replace(updates, entries=(), beside=(each,)) for each in updates.beside]
    parts: list[ImageUpdate] = []
    wanted, files = dict(updates.meant), dict(updates.files)
    for one in ones:
        tried = {**wanted, **meant(one.updates)}
        made = await write_built(
            head, [replace(one, files=files, meant=tried)], renderer, {**others, **merged(parts).files}
        )
        parts.append(made)
        if not made.skipped:
            wanted = tried
            files.update(made.files)
    return merged(parts)


def _not_made(each: ImageChange, problem: Problem, commit: str) -> Skipped:
    problem = _at(problem, Origin(each.path, each.line, commit=commit))
    return Skipped(each.path, each.line, each.subject, each.field, each.policy, problem)


def _at(problem: Problem, origin: Origin) -> Problem:
    """What is wrong with the build itself has its own place."""
    return problem if problem.origin is not None else replace(problem, origin=origin)


async def _refused(
    head: Version, parts: Sequence[BuiltUpdates], renderer: Renderer, files: Mapping[str, bytes]
) -> Problem | None:
    said: list[str] = []
    for spec in [each.spec for n, each in enumerate(parts) if each.spec not in [one.spec for one in parts[:n]]]:
        there = [each for each in parts if each.spec == spec]
        wanted = {key: image for each in there for key, image in each.meant.items()}
        edited = meant(update for each in there for update in each.updates)
        built = Built(await head.tree(), head.blobs, spec, there[0].namespace, head.commit)
        try:
            said += await differences(renderer, built, files, {**wanted, **edited}, edited)
        except UserError as error:
            return error.problems[0]
    if not said:
        return None
    cause = clip(changed_others(said), 600)
    if any(each.entries for each in parts):
        title = "the entry can't be changed for this alone"
        fix = "release all workloads of the entry together, or split it"
        return Problem(codes.IMAGE_ENTRY, title, cause=cause, fix=fix)
    title, fix = "the image is not what comes out of the build", "change the patch or the entry that says it"
    return Problem(codes.IMAGE_OVERRIDDEN, title, cause=cause, fix=fix)
