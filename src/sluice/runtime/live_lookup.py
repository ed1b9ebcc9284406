"""Which of these objects exist, and whose they are: from the watches where they know, by request where they don't.

"Not there" is only ever said after looking. A list that is forbidden or fails raises; it is never an empty answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TypeVar

from sluice.core.errors import ClusterError
from sluice.core.ids import ResourceId
from sluice.core.live import LiveManagers, LiveObject
from sluice.core.order import NAMESPACE
from sluice.core.plan import Live
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.kube.well_known import NAMESPACES
from sluice.runtime.owned import OwnedObjects, live_of
from sluice.runtime.together import together

# Above this many objects of one kind in one namespace, one list is cheaper than a GET each.
LIST_FROM = 8
T = TypeVar("T", LiveObject, LiveManagers)


class LiveLookup:
    """Answers for one plan."""

    def __init__(self, client: KubeClient, discovery: Discovery, owned: OwnedObjects) -> None:
        self._client = client
        self._discovery = discovery
        self._owned = owned

    async def find(
        self,
        wanted: Collection[ResourceId],
        resources: Mapping[ResourceId, Resource | None],
        client: KubeClient | None = None,
    ) -> dict[ResourceId, Live | None]:
        """The live metadata of every id of `wanted`; None where it was looked for and is not there.

        `client` is who looks at objects that the watches don't know; the operator itself when None. `resources` has
        None for what is not served in the version that was asked for: the object is then looked for in another one.
        A kind that the server does not serve at all has no objects. Raises ClusterError when a look-up fails.
        """
        answers: dict[ResourceId, Live | None] = {}
        asked: dict[tuple[Resource, str], list[ResourceId]] = {}
        for key in wanted:
            resource = resources[key] or self._discovery.preferred(key.group_kind)
            if resource is None or resource.namespaced != bool(key.namespace):  # or it was of another scope
                answers[key] = None
            elif self._owned.knows(key.group_kind) and (live := self._owned.get(key)) is not None:
                answers[key] = live
            else:
                asked.setdefault((resource, key.namespace), []).append(key)
        absent = await self._absent_namespaces(_worth_a_look(asked))
        for resource, namespace in [place for place in asked if place[1] in absent]:
            answers.update(dict.fromkeys(asked.pop((resource, namespace))))
        found = await look_up(client or self._client, asked, LiveObject)
        answers.update({key: live_of(item.metadata) if item is not None else None for key, item in found.items()})
        return answers

    async def _absent_namespaces(self, namespaces: Collection[str]) -> set[str]:
        """Those that do not exist: nothing is in them, so nothing has to be looked for there."""
        unknown = [n for n in namespaces if self._owned.get(ResourceId(NAMESPACE.group, NAMESPACE.kind, "", n)) is None]
        if len(unknown) > LIST_FROM:
            listed = await self._client.list_metadata(NAMESPACES)
            return set(unknown) - {m.name for m in listed.items}
        found = await together(self._client.get_metadata(NAMESPACES, "", n) for n in unknown)
        return {n for n, meta in zip(unknown, found, strict=True) if meta is None}


async def look_up(
    client: KubeClient, asked: Mapping[tuple[Resource, str], Collection[ResourceId]], item_type: type[T]
) -> dict[ResourceId, T | None]:
    """Every object that is asked for, by its kind and namespace; None where it was looked for and is not there.

    One list where many of a kind are asked for in one namespace. Raises ClusterError when a look-up fails.
    """
    answers: dict[ResourceId, T | None] = {}

    async def by_get(resource: Resource, key: ResourceId) -> None:
        answers[key] = await client.get_as(resource, key.namespace, key.name, item_type=item_type)

    async def by_list(resource: Resource, namespace: str, keys: Collection[ResourceId]) -> None:
        try:
            listed = await client.list(resource, namespace, item_type=item_type)
        except ClusterError as error:
            if error.status != 403:
                raise
            await together(by_get(resource, key) for key in keys)  # an account may read each and not list
            return
        found = {item.metadata.name: item for item in listed.items}
        answers.update({key: found.get(key.name) for key in keys})
        if listed.problems:  # an item that can't be read is there, under whatever name
            await together(by_get(resource, key) for key in keys if key.name not in found)

    work = []
    for (resource, namespace), keys in asked.items():
        many = len(keys) >= LIST_FROM
        work += [by_list(resource, namespace, keys)] if many else [by_get(resource, key) for key in keys]
    await together(work)
    return answers


def _worth_a_look(asked: Mapping[tuple[Resource, str], list[ResourceId]]) -> set[str]:
    """The namespaces in which more than one object is asked for: with one, its own answer says as much."""
    counts: Counter[str] = Counter()
    for (_, namespace), keys in asked.items():
        counts[namespace] += len(keys)
    return {namespace for namespace, count in counts.items() if namespace and count > 1}
