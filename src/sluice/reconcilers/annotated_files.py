"""The files of a sync in which workloads are automated, by the namespace that their objects are given."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sluice.core.ids import NamespacedName
from sluice.core.image_update.annotated import NEEDLE, SUFFIXES, ImageReason, find_annotated
from sluice.git.head import Head
from sluice.reconcilers.workload_search import shared_file
from sluice.render.applied_files import AppliedFiles, applied_files


@dataclass(frozen=True, slots=True)
class Place:
    """Folders of a repository that are synced together. `namespace` is that of objects which name none.

    `syncs` own what is applied from there; empty where everything in the cluster may be (flag mode). `imposed` is the
    namespace that a sync sets on everything that kustomizations build.
    """

    paths: tuple[str, ...]
    namespace: str
    syncs: frozenset[NamespacedName] = frozenset()
    imposed: str = ""


@dataclass(frozen=True, slots=True)
class AnnotatedFiles:
    """What to look at, each part with its namespace, and why workloads of other files stay as they are."""

    parts: tuple[tuple[Place, Mapping[str, bytes]], ...] = ()
    reasons: tuple[ImageReason, ...] = ()


async def annotated_files(place: Place, head: Head, seen: Collection[str]) -> AnnotatedFiles:
    """Find the files with an automated workload, but for those seen before. Raises UserError and StateError."""
    holding = {path for path in await head.files_with(NEEDLE) if path.endswith(SUFFIXES)}
    if not holding:
        return AnnotatedFiles()
    tree = await head.tree()
    wanted: dict[str, set[str]] = {}
    reasons: list[ImageReason] = []
    for folder in place.paths:
        applied = await applied_files(tree, head.blobs, folder, head.commit, place.imposed)
        if applied is None:
            files = [(place.namespace, {entry.path for entry in tree.under(folder)})]
        else:
            files = [*applied.own(place.namespace).items(), *applied.own_patches(place.namespace).items()]
            reasons += await _shared(applied, place, holding, head)
        for namespace, paths in files:
            wanted.setdefault(namespace, set()).update(holding.intersection(paths).difference(seen))
    parts = [
        (replace(place, namespace=namespace), await head.read(paths))
        for namespace, paths in sorted(wanted.items())
        if paths
    ]
    return AnnotatedFiles(tuple(parts), tuple(reasons))


async def _shared(applied: AppliedFiles, place: Place, holding: set[str], head: Head) -> list[ImageReason]:
    """A reason for every image of a workload whose file others may build as well."""
    reasons: list[ImageReason] = []
    for namespace, paths in sorted(applied.shared(place.namespace).items()):
        annotated, _ = find_annotated(await head.read(holding.intersection(paths)), namespace, head.commit)
        for each in annotated:
            problem = shared_file(each.workload.id, each.path, each.workload.line, head.commit)
            reasons += [
                ImageReason(each.workload.id, name, str(image), problem.title, problem)
                for name, image in each.images().items()
            ]
    return reasons
