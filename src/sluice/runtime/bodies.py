"""The JSON of many objects of one sync, a page of a list at a time, where a GET each would cost more."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping

import msgspec

from sluice.core.errors import ClusterError
from sluice.core.ids import ResourceId
from sluice.core.plan import Owner
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource, Selection
from sluice.runtime.live_lookup import LIST_FROM

# Whole objects: this many of the largest that the API server stores are what one page may take of memory.
PAGE = 50


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Item(msgspec.Struct, frozen=True):
    metadata: _Named
    kind: str = ""


async def listed_bodies(
    client: KubeClient, wanted: Mapping[ResourceId, Resource], owner: Owner
) -> AsyncIterator[dict[ResourceId, bytes]]:
    """Pages of those of `wanted` that lists of the owner's objects show, while they are fresh.

    What is missing at the end is not there, carries other owner labels, is one of few in its namespace, or could not be
    listed: the caller asks for it by name, and meets the error that a list met, if it is still there.
    """
    places = Counter((resource, key.namespace) for key, resource in wanted.items())
    labels = ",".join(f"{label}={value}" for label, value in owner.labels().items())
    for (resource, namespace), count in places.items():
        if count < LIST_FROM:
            continue
        try:
            async for page in client.pages(Selection(resource, namespace, labels), PAGE, msgspec.Raw):
                bodies = dict(_item(resource, namespace, bytes(raw)) for raw in page.items)
                yield {key: body for key, body in bodies.items() if key in wanted}
        except ClusterError:
            continue


def _item(resource: Resource, namespace: str, raw: bytes) -> tuple[ResourceId, bytes]:
    """An item as a GET would answer it: lists of built-in kinds leave the kind out of their items."""
    item = msgspec.json.decode(raw, type=_Item)
    if not item.kind:
        kind = msgspec.json.encode({"apiVersion": resource.api_version, "kind": resource.kind})
        raw = kind[:-1] + b"," + raw[1:]
    return resource.id_of(namespace, item.metadata.name), raw
