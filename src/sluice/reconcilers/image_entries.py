"""Images of workloads that the `images:` of kustomizations replace: edited there, and held against the real build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sluice.api.kustomization import KustomizationSpec
from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image import ImageRef
from sluice.core.image_update.annotated import ContainerId
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.kustomized import EntryUpdate, Kustomized, replacing_entries, update_entries
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.result import ImageUpdate
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.problem import Origin, Problem, clip
from sluice.core.yaml_text import Address
from sluice.git.head import Head
from sluice.render.built_images import Built, changed_others, differences
from sluice.render.renderer import Renderer


@dataclass(frozen=True, slots=True)
class Entries:
    """Updates of one folder whose images entries replace, with the files that hold these.

    `meant` has every image that the folder's containers are to have after all edits, those of other files included.
    """

    spec: KustomizationSpec
    namespace: str
    files: Mapping[str, bytes]
    updates: tuple[EntryUpdate, ...]
    meant: Mapping[ContainerId, ImageRef]


def split_updates(
    updates: Iterable[ContainerUpdate],
    workloads: Mapping[WorkloadId, tuple[str, Workload]],
    kustomized: Kustomized,
    editable: str,
) -> tuple[list[ContainerUpdate], tuple[EntryUpdate, ...]]:
    """The updates that are made in the files of workloads (given as they are seen), and those of entries."""
    in_files, of_entries = [], []
    for update in updates:
        path, workload = workloads.get(update.workload, ("", None))
        key = update.workload, update.container
        entries = replacing_entries(kustomized, path, workload).get(key, ()) if workload is not None else ()
        if entries and workload is not None:
            of_entries.append(EntryUpdate(update, workload, entries, editable))
        else:
            in_files.append(update)
    return in_files, tuple(of_entries)


def meant(updates: Iterable[ContainerUpdate]) -> dict[ContainerId, ImageRef]:
    """What containers are to have."""
    return {(each.workload, each.container): each.image for each in updates}


async def write_entries(
    head: Head, parts: Iterable[Entries], renderer: Renderer, others: Mapping[str, bytes]
) -> ImageUpdate:
    """Edit the entries of all parts, after `others` were edited; folders whose build is not as meant stay as they were.

    Raises StateError when git can't be read.
    """
    parts = list(parts)
    edited = [each.spec for each in parts if each.updates]
    parts = [each for each in parts if each.spec in edited]
    files = {path: data for each in parts for path, data in each.files.items()}
    updates = [update for each in parts for update in each.updates]
    made = update_entries(files, updates, head.commit)
    if not made.files:
        return made
    refused = await _refused(head, parts, renderer, {**others, **made.files})
    if refused is None:
        return made
    skipped = [update.skipped(replace(refused, origin=update.entries[-1].origin)).skipped for update in updates]
    return ImageUpdate(skipped=tuple(each for one in skipped for each in one))


async def write_each(head: Head, entries: Entries, renderer: Renderer, others: Mapping[str, bytes]) -> ImageUpdate:
    """Edit the entries of a folder, each that can be changed. Raises StateError when git can't be read."""
    groups: dict[tuple[Origin, Address], list[EntryUpdate]] = {}
    for each in entries.updates:
        groups.setdefault((each.entries[-1].origin, each.entries[-1].at), []).append(each)
    parts: list[ImageUpdate] = []
    wanted, files = dict(entries.meant), dict(entries.files)
    for group in groups.values():
        tried = {**wanted, **meant(each.update for each in group)}
        one = Entries(entries.spec, entries.namespace, files, tuple(group), tried)
        made = await write_entries(head, [one], renderer, {**others, **merged(parts).files})
        parts.append(made)
        if not made.skipped:
            wanted = tried
            files.update(made.files)
    return merged(parts)


async def _refused(
    head: Head, parts: Sequence[Entries], renderer: Renderer, files: Mapping[str, bytes]
) -> Problem | None:
    said: list[str] = []
    for spec in [each.spec for n, each in enumerate(parts) if each.spec not in [one.spec for one in parts[:n]]]:
        there = [each for each in parts if each.spec == spec]
        wanted = {key: image for each in there for key, image in each.meant.items()}
        edited = meant(update.update for each in there for update in each.updates)
        built = Built(await head.tree(), head.blobs, spec, there[0].namespace, head.commit)
        try:
            said += await differences(renderer, built, files, {**wanted, **edited}, edited)
        except UserError as error:
            return error.problems[0]
    if not said:
        return None
    title, fix = "the entry can't be changed for this alone", "release all workloads of the entry together, or split it"
    return Problem(codes.IMAGE_ENTRY, title, cause=clip(changed_others(said), 600), fix=fix)
