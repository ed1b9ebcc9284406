"""Whether a Namespace or a CRD that we created holds objects of somebody else by now."""

from __future__ import annotations

from sluice.core.ids import GroupKind, ResourceId
from sluice.core.live import LiveMeta
from sluice.core.order import NAMESPACE
from sluice.core.plan import Owner
from sluice.core.shares import Shares
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.runtime.together import together

# What the cluster itself puts into every namespace, and what only reports.
_FURNITURE = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
_REPORTS = {GroupKind("", "Event"), GroupKind("events.k8s.io", "Event"), GroupKind("coordination.k8s.io", "Lease")}
MAX_NAMED = 3


async def holds_foreign(client: KubeClient, discovery: Discovery, container: ResourceId, shares: Shares) -> str:
    """Names a few objects that are none of the syncs'; empty when there are none.

    Objects that controllers made for ours (owned by another object) go with them and do not count.
    Raises ClusterError when one kind can't be listed: not having looked is not having found nothing.
    """
    if container.group_kind == NAMESPACE:
        kinds = [r for r in discovery.resources() if r.namespaced and "list" in r.verbs and "delete" in r.verbs]
        found = await together(_foreign(client, kind, container.name, shares) for kind in _one_version_each(kinds))
    else:
        plural, _, group = container.name.partition(".")
        kinds = [r for r in discovery.resources() if (r.plural, r.group) == (plural, group) and "list" in r.verbs]
        found = await together(_foreign(client, kind, "", shares) for kind in _one_version_each(kinds))
    names = [name for names in found for name in names]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


async def _foreign(client: KubeClient, kind: Resource, namespace: str, shares: Shares) -> list[str]:
    if GroupKind(kind.group, kind.kind) in _REPORTS:
        return []
    listed = await client.list_metadata(kind, namespace)
    return [str(kind.id_of(m.namespace, m.name)) for m in listed.items if _is_foreign(kind, m, shares)]


def _is_foreign(kind: Resource, meta: LiveMeta, shares: Shares) -> bool:
    if (kind.kind, meta.name) in _FURNITURE or meta.owner_references or meta.deletion_timestamp:
        return False
    return Owner.of(meta.labels) not in shares


def _one_version_each(kinds: list[Resource]) -> list[Resource]:
    return list({(r.group, r.kind): r for r in reversed(kinds)}.values())
