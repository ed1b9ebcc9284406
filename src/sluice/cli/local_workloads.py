"""Workloads of a checkout: as its kustomizations build them, as the operator sees them, and else as files name them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.cli.local_edit import Files
from sluice.cli.local_entries import refuse_replaced
from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.image_update.file_edit import merged
from sluice.core.image_update.policy_annotation import PolicyUpdate
from sluice.core.image_update.release import ContainerUpdate, Located, locate_workloads, workload_ids
from sluice.core.image_update.result import ImageUpdate, Skipped
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem, printable

if TYPE_CHECKING:
    from sluice.reconcilers.workload_search import Searched
    from sluice.render.tree_version import TreeVersion


@dataclass(frozen=True, slots=True)
class LocalWorkloads:
    """Workloads, and where each is changed: `built` are those that kustomizations of the folder build.

    Where all are meant, `unread` are files that could not be looked at, and `told` is said of workloads that stay.
    """

    files: Files
    located: Located
    version: TreeVersion
    searched: tuple[Searched, ...] = ()
    built: frozenset[WorkloadId] = frozenset()
    unread: tuple[Skipped, ...] = ()
    told: tuple[Problem, ...] = ()

    async def update_containers(self, updates: Sequence[ContainerUpdate]) -> ImageUpdate:
        """Give containers their images. Raises UserError with every one that can't be given."""
        from sluice.reconcilers.workload_edit import write_images
        from sluice.render import Renderer

        plain = [each for each in updates if each.workload not in self.built]
        await refuse_replaced(self.files, self.located, plain)
        with tempfile.TemporaryDirectory(prefix="sluice-") as work:
            wanted = [each for each in updates if each.workload in self.built]
            made = await write_images(wanted, self.searched, self.version, Renderer(Path(work)))
        return merged([made, await (await self._changed(made)).workloads.update_containers(plain)])

    async def update_policies(self, updates: Sequence[PolicyUpdate]) -> ImageUpdate:
        """Change annotations. Raises UserError with every one that can't be changed."""
        from sluice.reconcilers.workload_edit import write_policies

        wanted = [each for each in updates if each.workload in self.built]
        made = await write_policies(wanted, self.searched, self.version.commit)
        plain = [each for each in updates if each.workload not in self.built]
        return merged([made, await (await self._changed(made)).workloads.update_policies(plain)])

    async def _changed(self, made: ImageUpdate) -> Files:
        return (
            replace(self.files, workloads=await self.files.workloads.changed(made.files)) if made.files else self.files
        )


async def find_workloads(
    files: Files, names: tuple[WorkloadId, ...], namespace: str, *, for_annotations: bool = False
) -> LocalWorkloads:
    """Find the workloads of these names, or all. What is in no file, or in several, is missing with a reason."""
    from sluice.reconcilers.workload_search import for_policies, found_and_missing
    from sluice.render.tree_version import TreeVersion

    version = TreeVersion(files.workloads.place.tree, files.workloads.place.blobs)
    # What commands define is not what kustomizations build, whether the commands may run or not.
    is_plain = not files.workloads.has_generated and not files.unused_flux_yaml
    searched = await _searched(version, files.source.path, names, namespace) if is_plain else []
    if for_annotations:
        searched = [for_policies(each, "") for each in searched]
    found, refused = found_and_missing(searched)
    built = {each: there for one in searched for each, there in one.located.workloads.items() if each in found}
    plain, unread = _plain(files, names, searched, built, namespace)
    workloads = {**plain.workloads, **built}
    told = {
        each: problem
        for one in searched
        for each, problem in one.located.missing.items()
        if problem.origin is not None and each not in workloads
    }
    refused = {each: problem for each, problem in refused.items() if problem.code is codes.WORKLOAD_AMBIGUOUS}
    refused |= _built_by_several(searched)
    kept = {each: workloads[each] for each in sorted(workloads.keys() - refused.keys())}
    missing = {**plain.missing, **(told if names else {}), **refused}
    beside = () if names else _not_changed(told.values(), plain)
    return LocalWorkloads(files, Located(kept, missing), version, tuple(searched), frozenset(built), unread, beside)


async def _searched(version: TreeVersion, folder: str, names: tuple[WorkloadId, ...], namespace: str) -> list[Searched]:
    """What each kustomization of the folder builds: its own, or those below that no other takes in."""
    from sluice.reconcilers.git_targets import Place
    from sluice.reconcilers.workload_search import search_files
    from sluice.render.taken_files import TakenFiles

    taken = TakenFiles(version)
    places = [Place(NamespacedName("", ""), root, namespace) for root in await taken.roots(folder)]
    return [each for place in places for each in await search_files(taken, place, names)]


def _plain(
    files: Files,
    names: tuple[WorkloadId, ...],
    searched: Sequence[Searched],
    built: Collection[WorkloadId],
    namespace: str,
) -> tuple[Located, tuple[Skipped, ...]]:
    """What files name that no kustomization builds so. Of all workloads those of files that none takes in."""
    if names:
        return locate_workloads(files.contents, [each for each in names if each not in built], namespace), ()
    taken = {path for one in searched for path in _taken(one)}
    contents = {path: data for path, data in files.contents.items() if path not in taken}
    ids, unread = workload_ids(contents, namespace)
    return locate_workloads(contents, ids - set(built), namespace), unread


def _taken(one: Searched) -> Collection[str]:
    return {file.path for file, _ in one.located.workloads.values()} if one.is_shared else one.files


def _built_by_several(searched: Sequence[Searched]) -> dict[WorkloadId, Problem]:
    """Workloads that are changed for one kustomization, while another builds them, too: which one is meant is open."""
    places: dict[WorkloadId, set[str]] = {}
    for one in searched:
        for each in {*one.located.workloads, *one.shared}:
            places.setdefault(each, set()).add(one.place.path)
    changed = {each for one in searched for each in one.located.workloads}
    return {each: _several(each, folders) for each, folders in places.items() if each in changed and len(folders) > 1}


def _several(workload: WorkloadId, folders: Collection[str]) -> Problem:
    title, fix = "several kustomizations build the workload", "name the folder of one of them with --local"
    cause = f"{workload} is built by {', '.join(map(printable, sorted(folders)))}"
    return Problem(codes.WORKLOAD_AMBIGUOUS, title, cause=cause, fix=fix)


def _not_changed(told: Iterable[Problem], plain: Located) -> tuple[Problem, ...]:
    """What is to be told of workloads in files that are shared, but for files that are changed as they are."""
    changed = {file.path for file, _ in plain.workloads.values()}
    return tuple(each for each in told if each.origin is not None and each.origin.path not in changed)
