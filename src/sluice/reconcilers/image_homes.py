"""Where the images of automated workloads stand: in their files, or in the kustomization that replaces them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sluice.core.image_update.annotated import Annotated, ContainerId
from sluice.core.image_update.release import ContainerUpdate, locate_workloads
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.reconcilers.annotated_files import Folder


@dataclass(frozen=True, slots=True)
class Home:
    """The file that a container's image is written in, and all files that have to be read to know it."""

    path: str
    read: frozenset[str]


def seen_through(
    folder: Folder | None, annotated: tuple[Annotated, ...], files: Mapping[str, bytes], commit: str
) -> tuple[Annotated, ...]:
    """The workloads with the images that their kustomizations make; of shared files, with those alone."""
    if folder is None:
        return annotated
    kustomized = folder.kustomized(files, commit)

    def seen(each: Annotated) -> Workload:
        workload = kustomized.seen(each.path, each.workload)
        if each.path not in folder.shared:
            return workload
        return kustomized.only(each.path, workload, "its file is not this sync's alone")

    return tuple(replace(each, workload=seen(each)) for each in annotated)


def homes_of(
    folder: Folder | None, annotated: Iterable[Annotated], files: Mapping[str, bytes]
) -> dict[ContainerId, Home]:
    """The home of every container."""
    kustomized = folder.kustomized(files) if folder is not None else None
    homes: dict[ContainerId, Home] = {}
    for each in annotated:
        chain = folder.chains.get(each.path, ()) if folder is not None else ()
        for container in each.workload.containers:
            entries = kustomized.of(each.path, container) if kustomized is not None else ()
            path = entries[-1].path if entries else each.path
            homes[each.workload.id, container.name] = Home(path, frozenset({each.path, *chain}))
    return homes


def container_workloads(
    files: Mapping[str, bytes], updates: Iterable[ContainerUpdate], namespace: str, folder: Folder, commit: str
) -> dict[WorkloadId, tuple[str, Workload]]:
    """The workloads of updates as they are seen, with the paths of their files."""
    located = locate_workloads(files, [each.workload for each in updates], namespace, commit)
    kustomized = folder.kustomized(files, commit)
    return {key: (file.path, kustomized.seen(file.path, held)) for key, (file, held) in located.workloads.items()}
