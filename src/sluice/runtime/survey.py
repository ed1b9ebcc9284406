"""Every object that an apply of ours has labelled as some sync's, whatever any record says.

It costs a list of every kind that the API server serves, so it is made only where a record is missing that should be
there, or where a cluster is taken over; whoever asks within a minute shares it. An operator that may not list all
looks at the kinds that it has to do with: it asks for no more than it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import structlog

from sluice.core.errors import ClusterError
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.live import LiveManagers
from sluice.core.managed_fields import MANAGER
from sluice.core.plan import OWNER_NAME, OWNER_NAMESPACE, Owner
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.kube.well_known import ACCESS_REVIEWS
from sluice.runtime.owned import OwnedObjects
from sluice.runtime.together import together

SHARED_SECONDS = 60.0
log = structlog.get_logger()


class _ReviewStatus(msgspec.Struct, frozen=True):
    allowed: bool = False


class _Review(msgspec.Struct, frozen=True):
    status: _ReviewStatus = _ReviewStatus()


class Survey:
    """One for all syncs."""

    def __init__(self, client: KubeClient, discovery: Discovery, owned: OwnedObjects) -> None:
        self._client = client
        self._discovery = discovery
        self._owned = owned
        self._looking = asyncio.Lock()
        self._found: Mapping[Owner, tuple[ResourceId, ...]] | None = None

    async def labelled(self, owner: Owner) -> tuple[ResourceId, ...]:
        """What carries `owner`'s labels and was applied by our field manager; labels that others copied don't count.

        Raises ClusterError when a look fails.
        """
        async with self._looking:
            if self._found is None:
                self._found = await self._look()
                asyncio.get_running_loop().call_later(SHARED_SECONDS, self._forget)
            return self._found.get(owner, ())

    def _forget(self) -> None:
        self._found = None

    async def _look(self) -> Mapping[Owner, tuple[ResourceId, ...]]:
        everything = await self._may_list_everything()
        kinds: dict[GroupKind, Resource] = {}
        for resource in self._discovery.resources():
            kind = GroupKind(resource.group, resource.kind)
            if {"list", "delete"} <= resource.verbs and (everything or self._owned.knows(kind)):
                kinds.setdefault(kind, resource)
        found: dict[Owner, tuple[ResourceId, ...]] = {}
        for owned in await together(self._of_kind(resource) for resource in kinds.values()):
            for resource_id, owner in owned:
                found[owner] = (*found.get(owner, ()), resource_id)
        return found

    async def _may_list_everything(self) -> bool:
        wanted = {"verb": "list", "group": "*", "resource": "*"}
        review = {"apiVersion": ACCESS_REVIEWS.api_version, "kind": ACCESS_REVIEWS.kind}
        body = msgspec.json.encode({**review, "spec": {"resourceAttributes": wanted}})
        answer = await self._client.create(ACCESS_REVIEWS, "", body, manager=MANAGER)
        return msgspec.json.decode(answer, type=_Review).status.allowed

    async def _of_kind(self, resource: Resource) -> list[tuple[ResourceId, Owner]]:
        labels = f"{OWNER_NAME},{OWNER_NAMESPACE}"
        try:
            listed = await self._client.list(resource, labels=labels, item_type=LiveManagers)
        except ClusterError as error:
            if error.status not in {403, 404, 405}:
                raise
            log.info("objects of a kind can't be looked for", kind=resource.kind, group=resource.group)
            return []  # it went meanwhile, or there is a rule against it
        return [
            (resource.id_of(item.metadata.namespace, item.metadata.name), owner)
            for item in listed.items
            if (owner := Owner.of(item.metadata.labels)) is not None
            and any(m.manager == MANAGER and m.operation == "Apply" for m in item.managers)
        ]
