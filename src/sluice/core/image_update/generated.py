"""What an update of generated workloads was to change, held against what the generators print after it. Pure.

A command may change more than one container, or none: so the manifests before and after are compared, and the update
counts only when exactly the containers and policies that were meant are different.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.core.image_update.policy_annotation import FILTER_PREFIX, OLD_PREFIX, PREFIX
from sluice.core.image_update.result import FileObject, file_object
from sluice.core.image_update.workload import Workload, WorkloadId, find_workloads
from sluice.core.yaml_text import EditRefused, open_text


@dataclass(frozen=True, slots=True)
class Facts:
    """What is compared: the objects, and of each workload the images of its containers and its policies."""

    objects: frozenset[FileObject]
    images: Mapping[WorkloadId, tuple[tuple[str, str], ...]]
    policies: Mapping[WorkloadId, Mapping[str, str]]


def facts_of(files: Mapping[str, bytes], namespace: str) -> Facts:
    """Read the facts of files; a file that can't be read holds none."""
    objects: set[FileObject] = set()
    images: dict[WorkloadId, tuple[tuple[str, str], ...]] = {}
    policies: dict[WorkloadId, dict[str, str]] = {}
    for path in sorted(files):
        try:
            file = open_text(files[path], path)
        except EditRefused:
            continue
        objects |= {file_object(value) for value in file.values()}
        for workload in find_workloads(file, namespace):
            images[workload.id] = tuple((each.name, _image(workload, each.name)) for each in workload.containers)
            policies[workload.id] = {
                policy: value for key, value in workload.annotations.items() if (policy := policy_of(key))
            }
    return Facts(frozenset(objects), images, policies)


def policy_of(annotation: str) -> str:
    """The policy that an annotation sets, empty for another annotation.

    >>> policy_of("fluxcd.io/tag.main"), policy_of("filter.fluxcd.io/main"), policy_of("other.io/x")
    ('tag.main', 'tag.main', '')
    """
    if annotation.startswith(FILTER_PREFIX):
        return "tag." + annotation.removeprefix(FILTER_PREFIX)
    for prefix in (PREFIX, OLD_PREFIX):
        if annotation.startswith(prefix):
            return annotation.removeprefix(prefix)
    return ""


def differences(wanted: Facts, found: Facts) -> list[str]:
    """Say in words where what is found is not what was wanted, the first of each workload; nothing when it is."""
    said = [f"{each} is gone" for each in sorted(wanted.objects - found.objects)]
    said += [f"{each} is new" for each in sorted(found.objects - wanted.objects)]
    for workload, images in wanted.images.items():
        there = found.images.get(workload, ())
        if [name for name, _ in there] != [name for name, _ in images]:
            said.append(f"{workload} has other containers")
            continue
        pairs = zip(there, images, strict=True)
        said += [f"{workload} {name}: {has}, wanted {image}" for (name, has), (_, image) in pairs if has != image]
    for workload, policies in wanted.policies.items():
        has_policies = found.policies.get(workload, {})
        for policy in sorted(policies.keys() | has_policies.keys()):
            has, value = has_policies.get(policy), policies.get(policy)
            if has != value:
                said.append(f"{workload} {policy}: {_shown(has)}, wanted {_shown(value)}")
    return said


def _image(workload: Workload, name: str) -> str:
    container = workload.container(name)
    if container is None or container.image is None:
        return container.fault if container is not None else ""
    return container.image.canonical


def _shown(value: str | None) -> str:
    return "not set" if value is None else repr(value)
