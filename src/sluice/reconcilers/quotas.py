"""The quotas of the namespaces that a plan creates objects in, read for each such plan; none is asked for otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from sluice.core.errors import ClusterError
from sluice.core.quota import Quota
from sluice.kube.client import KubeClient
from sluice.kube.well_known import QUOTAS
from sluice.runtime.together import together

# One list of the whole cluster costs less than so many of a namespace each.
FEW_NAMESPACES = 3
FRESH_SECONDS = 2.0


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


class Quotas:
    """Reads them; that a namespace has none is believed for FRESH_SECONDS, since a thousand syncs may go to one."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._empty: dict[str, float] = {}

    async def of(self, namespaces: Iterable[str]) -> list[Quota]:
        """The quotas there. Those with a scope limit some of the pods only: they are left to the API server.

        Without the right to read them none is known: the API server still refuses, object by object.
        """
        now = time.monotonic()
        wanted = sorted(n for n in set(namespaces) if now - self._empty.get(n, float("-inf")) > FRESH_SECONDS)
        found = [q for q in await self._list(wanted) if q.metadata.namespace in wanted]
        having = {q.metadata.namespace for q in found}
        self._empty = {n: at for n, at in self._empty.items() if now - at <= FRESH_SECONDS}
        self._empty |= dict.fromkeys((n for n in wanted if n not in having), now)
        return [
            Quota(q.metadata.namespace, q.metadata.name, q.status.hard, q.status.used)
            for q in found
            if not q.spec.scopes and q.spec.scopeSelector is None
        ]

    async def _list(self, namespaces: list[str]) -> list[_ResourceQuota]:
        try:
            if len(namespaces) > FEW_NAMESPACES:
                lists = [await self._client.list(QUOTAS, "", item_type=_ResourceQuota)]
            else:
                lists = await together(self._client.list(QUOTAS, n, item_type=_ResourceQuota) for n in namespaces)
        except ClusterError as error:
            if error.status != 403:
                raise
            return []
        return [quota for listed in lists for quota in listed.items]
