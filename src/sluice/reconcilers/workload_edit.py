"""New images and policies of workloads into what was searched for them: all of them wholly, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from sluice.core.artifact import Version
from sluice.core.errors import UserError
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.policy_annotation import PolicyUpdate, update_policies
from sluice.core.image_update.release import ContainerUpdate, update_containers
from sluice.core.image_update.result import ImageUpdate, placed
from sluice.reconcilers.image_entries import BuiltUpdates, meant, split_updates, write_built
from sluice.reconcilers.workload_search import Searched
from sluice.render.renderer import Renderer


async def write_images(
    wanted: Sequence[ContainerUpdate], searched: Iterable[Searched], version: Version, renderer: Renderer
) -> ImageUpdate:
    """New images into files, and into the entries of kustomizations that replace what files say.

    Raises UserError with every change that can't be made: then none is; StateError when the version can't be read.
    """
    parts: list[ImageUpdate] = []
    built: list[BuiltUpdates] = []
    for one in searched:
        here = [each for each in wanted if each.workload in one.located.workloads]
        homes = {workload: (file.path, held) for workload, (file, held) in one.located.workloads.items()}
        split = split_updates(here, homes, one.kustomized, one.sharing)
        parts.append(await _containers(one, split.in_files, version.commit))
        place, home = one.place, one.home or one.place.namespace
        built.append(
            BuiltUpdates(place.spec, home, place.namespace, one.files, split.entries, split.beside, meant(here))
        )
    others = merged(parts)
    return _whole([others, await write_built(version, built, renderer, others.files)])


async def write_policies(wanted: Sequence[PolicyUpdate], searched: Iterable[Searched], commit: str) -> ImageUpdate:
    """Policies into annotations. Raises UserError as `write_images` does."""
    return _whole([await _annotations(one, wanted, commit) for one in searched])


def _whole(parts: Iterable[ImageUpdate]) -> ImageUpdate:
    """The edits of every folder as one. Raises UserError with every change that can't be made: then none is."""
    update = merged(parts)
    problems = tuple(dict.fromkeys(skipped.problem for skipped in update.skipped))
    if problems:
        raise UserError(*problems)
    # Folders may overlap, and then their files are edited alike.
    return replace(update, changes=tuple(dict.fromkeys(update.changes)))


async def _containers(one: Searched, here: Sequence[ContainerUpdate], commit: str) -> ImageUpdate:
    namespace = one.place.namespace
    if one.generated is not None:
        return placed(await one.generated.update_containers(here), namespace)
    return placed(await asyncio.to_thread(update_containers, one.files, here, namespace, commit), namespace)


async def _annotations(one: Searched, wanted: Iterable[PolicyUpdate], commit: str) -> ImageUpdate:
    here, namespace = [each for each in wanted if each.workload in one.located.workloads], one.place.namespace
    if one.generated is not None:
        return placed(await one.generated.update_policies(here), namespace)
    return placed(await asyncio.to_thread(update_policies, one.files, here, namespace, commit), namespace)
