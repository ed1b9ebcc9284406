"""What is wrong between the objects of one revision: duplicates, across files and API versions, and unknown owners."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sluice.core import codes
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.manifest import Manifest
from sluice.core.problem import Problem

# Kinds that moved: the API server serves one object under both groups.
MOVED = {
    GroupKind("extensions", "Deployment"): "apps",
    GroupKind("extensions", "DaemonSet"): "apps",
    GroupKind("extensions", "ReplicaSet"): "apps",
    GroupKind("extensions", "Ingress"): "networking.k8s.io",
    GroupKind("extensions", "NetworkPolicy"): "networking.k8s.io",
    GroupKind("extensions", "PodSecurityPolicy"): "policy",
    GroupKind("events.k8s.io", "Event"): "",
}


def duplicates(manifests: Iterable[Manifest]) -> list[Problem]:
    """Give one problem for each object that is defined again, naming both places."""
    first: dict[ResourceId, Manifest] = {}
    problems = []
    for manifest in manifests:
        id_ = manifest.id
        group = MOVED.get(id_.group_kind) if id_.group in {"extensions", "events.k8s.io"} else None
        known = first.setdefault(id_ if group is None else msgspec.structs.replace(id_, group=group), manifest)
        if known is not manifest:
            cause = f"first at {known.origin}"
            if known.api_version != manifest.api_version:
                cause += f" as {known.api_version}, here as {manifest.api_version}"
            fix = "remove one, or make it a patch"
            title = f"{manifest.id} is defined twice"
            problems.append(Problem(codes.DUPLICATE_OBJECT, title, id_, manifest.origin, "", cause, fix))
    return problems


def unknown_owners(manifests: Iterable[Manifest], owners: dict[ResourceId, tuple[ResourceId, ...]]) -> list[Problem]:
    """Give a problem for each ownerReference to an object that this revision does not have."""
    if not owners:
        return []
    found = list(manifests)
    known = {manifest.id for manifest in found}
    problems = []
    for manifest in found:
        for owner in owners.get(manifest.id, ()):
            if owner not in known and msgspec.structs.replace(owner, namespace="") not in known:
                cause = f"no {owner} in this revision; the cluster would delete the object with its owner"
                problems.append(
                    Problem(
                        codes.OWNER_UNKNOWN,
                        "ownerReferences name an unknown object",
                        manifest.id,
                        manifest.origin,
                        "metadata.ownerReferences",
                        cause,
                        "remove ownerReferences",
                    )
                )
    return problems
