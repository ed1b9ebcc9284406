"""Which `images:` entries of kustomizations say the images of objects that failed: their names stand in other files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sluice.core.artifact import Version
from sluice.core.ids import ResourceId
from sluice.core.image_update.kustomized import Chain, Kustomized
from sluice.core.image_update.unhealthy import Entries, FailedRollout
from sluice.core.image_update.workload import Workload, find_workloads, is_pod_kind
from sluice.core.yaml_error import dotted
from sluice.core.yaml_text import EditRefused, open_text
from sluice.render.applied_files import AppliedFiles, applied_files
from sluice.render.taken_files import TakenFiles


async def failed_entries(rollout: FailedRollout, version: Version) -> Entries:
    """The entries that replace images of a revision's failed objects, each with the first such object.

    `version` is that revision. Raises UserError and StateError when it can't be read.
    """
    objects = [each for each in sorted(rollout.objects) if is_pod_kind(each.kind.lower())]
    found: dict[tuple[str, str], ResourceId] = {}
    taken = TakenFiles(version)
    for folder in rollout.folders if objects else ():
        applied = await applied_files(taken, folder)
        for key, live in await _in_folder(version, applied, objects) if applied is not None else ():
            found.setdefault(key, live)
    return found


async def _in_folder(
    version: Version, applied: AppliedFiles, objects: Iterable[ResourceId]
) -> list[tuple[tuple[str, str], ResourceId]]:
    found: list[tuple[tuple[str, str], ResourceId]] = []
    for live in objects:
        ways = {path: chain for path in applied.resources for chain in applied.ways(path, live.namespace)}
        if ways:
            with_name = set(await version.files_with(live.name)).intersection(ways)
            files = await version.read(with_name.union(*(ways[path] for path in with_name)))
            found += [(key, live) for path in sorted(with_name) for key in _entries(path, ways[path], files, live)]
    return found


def _entries(path: str, chain: Chain, files: Mapping[str, bytes], live: ResourceId) -> Iterator[tuple[str, str]]:
    kustomized = Kustomized.read({path: chain}, files)
    for workload in _workloads(path, files.get(path, b"")):
        if workload.id.kind == live.kind.lower() and workload.id.name == live.name:
            for container in workload.containers:
                for entry in kustomized.of(path, container):
                    yield entry.path, dotted(entry.at.path)


def _workloads(path: str, data: bytes) -> tuple[Workload, ...]:
    try:
        return find_workloads(open_text(data, path))
    except EditRefused:  # the sync says so
        return ()
