"""Which of the named workloads the cluster has, and to whom each belongs: a few requests, when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.core.ids import NamespacedName
from sluice.core.image_update.workload import WorkloadId
from sluice.core.plan import Owner
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.kube.well_known import WORKLOADS
from sluice.runtime.together import together

# From how many workloads of one kind and namespace a list costs less than asking for each.
FEW = 20

Owners = dict[WorkloadId, NamespacedName | None]


async def owners_of(client: KubeClient, discovery: Discovery, names: Iterable[WorkloadId]) -> Owners:
    """Those of `names` that exist, with the sync whose labels each has. Raises ClusterError."""
    wanted: dict[tuple[str, str], set[WorkloadId]] = {}
    for name in names:
        wanted.setdefault((name.kind, name.namespace), set()).add(name)
    found: Owners = {}
    for (kind, namespace), those in sorted(wanted.items()):
        for resource in [each for each in WORKLOADS if each.kind.lower() == kind]:
            if await discovery.find(resource.api_version, resource.kind) is not None:
                found = await _look(client, resource, namespace, those) | found
    return found


async def _look(client: KubeClient, resource: Resource, namespace: str, names: set[WorkloadId]) -> Owners:
    if len(names) > FEW:
        listed = {meta.name: meta for meta in (await client.list_metadata(resource, namespace)).items}
        metas = [(name, listed.get(name.name)) for name in names]
    else:
        ordered = sorted(names)
        answers = await together(client.get_metadata(resource, namespace, name.name) for name in ordered)
        metas = list(zip(ordered, answers, strict=True))
    return {name: _owner(meta.labels) for name, meta in metas if meta is not None}


def _owner(labels: dict[str, str]) -> NamespacedName | None:
    owner = Owner.of(labels)
    return None if owner is None else NamespacedName(owner.namespace, owner.name)
