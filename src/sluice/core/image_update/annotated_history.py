"""What became of images that annotated workloads were given: those that failed, and those that somebody set back.

Git says it all, as for markers (`unhealthy`, `set_back`): the values of the head are compared with those of our own
last commit, of the revision that failed, and of the one before it that took effect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sluice.core.ids import ResourceId
from sluice.core.image import ImageRef
from sluice.core.image_update.annotated import MAX_REASON, Annotated, ContainerId, Rejection
from sluice.core.image_update.kustomized import Chain, Kustomized
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.unhealthy import FailedRollout, Versions
from sluice.core.image_update.workload import find_workloads
from sluice.core.problem import clip, printable
from sluice.core.yaml_text import EditRefused, open_text

# What a container failed with, and the image that it had before.
Failed = Mapping[ContainerId, tuple[Rejection, ImageRef]]


def container_images(
    files: Mapping[str, bytes], namespace: str, chains: Mapping[str, Chain] | None = None
) -> dict[ContainerId, ImageRef]:
    """The images of all containers of these files; of one that can't be read there are none.

    They are those which the kustomizations of `chains`, among the files, make of them.
    """
    kustomized = Kustomized.read(chains or {}, files)
    found: dict[ContainerId, ImageRef] = {}
    for path in sorted(files):
        try:
            workloads = find_workloads(open_text(files[path], path), namespace)
        except EditRefused:
            continue
        for workload in (kustomized.seen(path, each) for each in workloads):
            found |= {(workload.id, each.name): each.image for each in workload.containers if each.image is not None}
    return found


def set_back_images(
    updates: Iterable[ContainerUpdate], written: Mapping[ContainerId, ImageRef]
) -> dict[ContainerId, Rejection]:
    """The updates that our last commit (`written`) had made already: somebody has changed the values since."""
    wanted = {(each.workload, each.container): each.image.canonical for each in updates}
    return {
        key: Rejection(image) for key, image in wanted.items() if key in written and written[key].canonical == image
    }


def failed_containers(
    annotated: Iterable[Annotated],
    versions: Versions,
    failed: FailedRollout,
    namespace: str,
    chains: Mapping[str, Chain] | None = None,
) -> dict[ContainerId, tuple[Rejection, ImageRef]]:
    """The images of `annotated` (read from `versions.now`) that their own workload failed on, each with the one before.

    An image counts that the failed revision had, and that the good one had not.
    """
    then, good = (container_images(files, namespace, chains) for files in (versions.failed, versions.good))
    found: dict[ContainerId, tuple[Rejection, ImageRef]] = {}
    for each in annotated:
        live = next((live for live in failed.objects if _is_same(each, live)), None)
        if live is None or each.path not in versions.now:
            continue
        for name, image in each.images().items():
            key = each.workload.id, name
            if key not in then or key not in good:
                continue
            if image.canonical == then[key].canonical != good[key].canonical:
                reason = clip(printable(failed.objects[live]), MAX_REASON)
                found[key] = Rejection(image.canonical, str(live), reason, failed.commit), good[key]
    return found


def taken_back(failed: Failed) -> tuple[ContainerUpdate, ...]:
    """The updates that put the images before them back."""
    return tuple(ContainerUpdate(workload, name, image) for (workload, name), (_, image) in failed.items())


def told_of_failed(failed: Failed) -> str:
    """The paragraph of a commit's message that says why images are taken back."""
    lines = (
        f"- {each.image} of {workload}: {each.object} failed: {each.reason.splitlines()[0] if each.reason else ''}"
        for (workload, _), (each, _) in failed.items()
    )
    return "Take back what failed:\n\n" + "\n".join(line.rstrip(": ") for line in lines)


def still_held(
    rejected: Mapping[ContainerId, Rejection], annotated: Collection[Annotated], told: Collection[ContainerId]
) -> dict[ContainerId, Rejection]:
    """The rejections that still matter: those a decision told of, and those whose workload could not be decided now."""
    decided = {each.workload.id for each in annotated if not each.policies.hold()}
    return {key: each for key, each in rejected.items() if key in told or key[0] not in decided}


def _is_same(each: Annotated, live: ResourceId) -> bool:
    """True when a file's workload can be the object of the cluster. A namespace is often set from outside."""
    there = each.workload.subject.id
    return (there.group, there.kind, there.name) == (live.group, live.kind, live.name) and there.namespace in {
        "",
        live.namespace,
    }
