"""Where the workloads of a sync are in git: in which of the files that it applies, and under which namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.core import codes
from sluice.core.artifact import Version
from sluice.core.image_update.kustomized import Kustomized, replacing_entries
from sluice.core.image_update.release import Located, locate_workloads, workload_ids
from sluice.core.image_update.shared_file import Sharing, shared_image, shared_policy
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.problem import Origin, Problem
from sluice.core.yaml_text import YamlText
from sluice.git.head import Head
from sluice.reconcilers.git_targets import Place
from sluice.render import workload_files
from sluice.render.applied_files import AppliedFiles, applied_files
from sluice.render.generators import Generators
from sluice.render.taken_files import TakenFiles
from sluice.render.workload_files import WorkloadFiles, generated_files

SUFFIXES = (".yaml", ".yml", ".json")
# Up to how many workloads git is searched for each name; beyond, every file is read.
FEW_NAMES = 8


@dataclass(frozen=True, slots=True)
class Searched:
    """Files of a head whose objects go to one namespace, as far as they were read, and the workloads found there.

    Where a folder is generated, `generated` writes, and all folders are one: an updater may serve several.
    """

    place: Place
    files: Mapping[str, bytes]
    located: Located
    generated: WorkloadFiles | None = None
    kustomized: Kustomized = field(default_factory=Kustomized)
    # The namespace of what gets none from a kustomization either.
    home: str = ""
    sharing: Sharing = field(default_factory=Sharing)
    # Files that others build as well: only entries of kustomizations are written for their workloads, and for those
    # in `shared` nothing.
    is_shared: bool = False
    shared: Mapping[WorkloadId, tuple[YamlText, Workload]] = field(default_factory=dict)


async def search_generated(
    head: Head, places: Sequence[Place], names: tuple[WorkloadId, ...], generators: Generators | None
) -> list[Searched]:
    """All folders with what their generators print; nothing where no folder is generated."""
    if generators is None or not places:
        return []
    paths, namespace = tuple(place.path for place in places), places[0].namespace
    files = await generated_files(
        workload_files.Place(await head.tree(), head.blobs, paths, namespace, head.commit), generators
    )
    if files is None:
        return []
    located = await asyncio.to_thread(_locate, files.contents, names, namespace, head.commit)
    return [Searched(places[0], files.contents, located, files)]


async def search_files(taken: TakenFiles, place: Place, names: tuple[WorkloadId, ...]) -> list[Searched]:
    """The workloads of one folder; what is not this sync's alone to change is missing, with where it is.

    Raises UserError or StateError when the head can't be read.
    """
    head = taken.version
    applied = await applied_files(taken, place.path, place.imposed)
    if applied is None:
        below = {entry.path for entry in (await head.tree()).under(place.path) if entry.path.endswith(SUFFIXES)}
        contents = await head.read(await _with_names(head, below, names))
        located = await asyncio.to_thread(_locate, contents, names, place.namespace, head.commit)
        return [Searched(place, contents, located)]
    patches = await _in_patches(head, place, names, applied)
    own = [await _in_namespace(head, place, names, applied, *each) for each in _sorted(applied.own(place.namespace))]
    own = [*(_but_patched(one, patches) for one in own), *patches]
    there = {workload for one in own for workload in one.located.workloads}
    return [
        *own,
        *[
            await _elsewhere(head, place, names, applied, each, there)
            for each in sorted(applied.shared(place.namespace))
        ],
        # Nobody else says of a name that no file has it.
        Searched(place, {}, _locate({}, names, place.namespace, head.commit)),
    ]


def found_and_missing(
    searched: Sequence[Searched],
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


def for_policies(one: Searched, commit: str) -> Searched:
    """The same without workloads of files that others build as well: these are only told of."""
    if not one.is_shared:
        return one
    found = {**one.shared, **one.located.workloads}
    told = {
        each: shared_policy(held, Origin(file.path, held.line, commit=commit), one.sharing)
        for each, (file, held) in found.items()
    }
    return replace(one, located=Located({}, {**one.located.missing, **told}))


async def _in_namespace(
    head: Version,
    place: Place,
    names: tuple[WorkloadId, ...],
    applied: AppliedFiles,
    namespace: str,
    paths: Collection[str],
) -> Searched:
    contents = await head.read(await _with_names(head, paths, names))
    located = await asyncio.to_thread(_locate, contents, names, namespace, head.commit)
    chains = {path: each for path, each in applied.chains(namespace, place.namespace).items() if path in contents}
    kustomizations = await head.read({path for chain in chains.values() for path in chain})
    kustomized = Kustomized.read(chains, kustomizations, head.commit)
    seen = {each: (file, kustomized.seen(file.path, held)) for each, (file, held) in located.workloads.items()}
    found = Located(seen, _but_missing(located.missing))
    return Searched(
        replace(place, namespace=namespace),
        {**contents, **kustomizations},
        found,
        None,
        kustomized,
        home=place.namespace,
        sharing=applied.sharing,
    )


async def _in_patches(
    head: Version, place: Place, names: tuple[WorkloadId, ...], applied: AppliedFiles
) -> list[Searched]:
    """Each patch by itself: one that sets an image defines it, others of the same workload are none of our concern."""
    searched: list[Searched] = []
    for namespace, paths in sorted(applied.own_patches(place.namespace).items()):
        for path in sorted(await _with_names(head, paths, names)):
            one = await _in_namespace(head, place, names, applied, namespace, {path})
            kept = {each: there for each, there in one.located.workloads.items() if _sets_image(there[1])}
            searched.append(replace(one, located=Located(kept, one.located.missing)))
    return searched


def _but_patched(one: Searched, patches: Sequence[Searched]) -> Searched:
    """Without workloads of files beside the folder whose image a patch sets: there it is changed."""
    patched = {workload for patch in patches for workload in patch.located.workloads}
    kept = {
        each: there
        for each, there in one.located.workloads.items()
        if each not in patched or not one.sharing.is_beside(there[0].path)
    }
    return replace(one, located=Located(kept, one.located.missing))


def _sets_image(workload: Workload) -> bool:
    return any(container.image is not None for container in workload.containers)


async def _elsewhere(
    head: Version,
    place: Place,
    names: tuple[WorkloadId, ...],
    applied: AppliedFiles,
    namespace: str,
    there: Collection[WorkloadId],
) -> Searched:
    """Files that others build as well: a workload there is told of, and not changed, but for its `images:`.

    `there` are the workloads that files of the sync's own define, too: these count.
    """
    one = await _in_namespace(head, place, names, applied, namespace, applied.shared(place.namespace)[namespace])
    kept, shared, told = {}, {}, {}
    for each, (file, held) in one.located.workloads.items():
        if each not in there and replacing_entries(one.kustomized, file.path, held):
            kept[each] = file, one.kustomized.only(file.path, held, "its file is not this sync's alone")
        else:
            origin = Origin(file.path, held.line, commit=head.commit)
            told[each] = shared_image(held, origin, applied.sharing)
            shared[each] = file, held
    return replace(one, located=Located(kept, told), is_shared=True, shared=shared)


async def _with_names(head: Version, paths: Collection[str], names: tuple[WorkloadId, ...]) -> set[str]:
    """Those of the files that hold a name that is looked for; all of them where many are, or none is named."""
    if not names or len(names) > FEW_NAMES:
        return set(paths)
    found: set[str] = set()
    for name in {each.name for each in names}:
        found.update(await head.files_with(name))
    return found.intersection(paths)


def _but_missing(problems: Mapping[WorkloadId, Problem]) -> dict[WorkloadId, Problem]:
    """What keeps a workload out that is there; that it is not in these files says nothing."""
    return {each: problem for each, problem in problems.items() if problem.code is not codes.WORKLOAD_MISSING}


def _sorted(files: Mapping[str, set[str]]) -> list[tuple[str, set[str]]]:
    return sorted(files.items())


def _locate(files: Mapping[str, bytes], names: Iterable[WorkloadId], namespace: str, commit: str) -> Located:
    return locate_workloads(files, tuple(names) or workload_ids(files, namespace)[0], namespace, commit)


def _twice(workload: WorkloadId, one: str, other: str) -> Problem:
    cause, fix = f"{workload} is in {one} and in {other}", "keep one definition"
    return Problem(codes.WORKLOAD_AMBIGUOUS, "the workload is defined twice", cause=cause, fix=fix)
