"""The quotas of the namespaces that a plan creates objects in, read once for each plan; none is asked for otherwise."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sluice.core.errors import ClusterError
from sluice.core.quota import Quota
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.runtime.together import together

QUOTAS = Resource("", "v1", "ResourceQuota", "resourcequotas", namespaced=True)
# One list of the whole cluster costs less than so many of a namespace each.
FEW_NAMESPACES = 3


class _Meta(msgspec.Struct, frozen=True):
    name: str
    namespace: str


class _Spec(msgspec.Struct, frozen=True):
    scopes: list[str] = []
    scopeSelector: msgspec.Raw | None = None  # noqa: N815


class _Status(msgspec.Struct, frozen=True):
    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class _ResourceQuota(msgspec.Struct, frozen=True):
    metadata: _Meta
    spec: _Spec = _Spec()
    status: _Status = _Status()


async def quotas_of(client: KubeClient, namespaces: Iterable[str]) -> list[Quota]:
    """The quotas there. Those with a scope limit some of the pods only: they are left to the API server.

    Without the right to read them none is known: the API server still refuses, object by object.
    """
    wanted = sorted(set(namespaces))
    try:
        if len(wanted) > FEW_NAMESPACES:
            lists = [await client.list(QUOTAS, "", item_type=_ResourceQuota)]
        else:
            lists = await together(client.list(QUOTAS, n, item_type=_ResourceQuota) for n in wanted)
    except ClusterError as error:
        if error.status != 403:
            raise
        return []
    return [
        Quota(q.metadata.namespace, q.metadata.name, q.status.hard, q.status.used)
        for listed in lists
        for q in listed.items
        if q.metadata.namespace in wanted and not q.spec.scopes and q.spec.scopeSelector is None
    ]
