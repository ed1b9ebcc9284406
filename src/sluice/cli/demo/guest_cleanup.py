"""Takes back what the demo did in a user's cluster: only what carries the demo's labels, each by its UID."""

from __future__ import annotations

import asyncio

import msgspec

from sluice.api.crds import crds
from sluice.cli.demo.lookout import NotObserved
from sluice.cli.demo.place import DEMO, PART_OF, SHOP
from sluice.cli.demo.views import CRDS, NAMESPACES, Bare, Meta
from sluice.core.errors import ClusterError
from sluice.core.live import LiveMeta
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.reconcilers.our_kinds import GIT_REPOSITORIES, KUSTOMIZATIONS
from sluice.runtime.gone import await_gone

INSTANCE = "app.kubernetes.io/instance"
# Everything cluster-scoped that the demo makes, in the order in which it goes.
MADE: tuple[tuple[Resource, str], ...] = (
    (NAMESPACES, SHOP),
    (NAMESPACES, DEMO),
    (CRDS, "featureflags.demo.sluice.dev"),
    *((CRDS, str(crd["metadata"]["name"])) for crd in crds("", DEMO)),
)
PRUNED = 60.0
GONE = 120.0


def is_the_demos(meta: LiveMeta) -> bool:
    """True when the object says that the demo made it."""
    return DEMO in {meta.labels.get(PART_OF), meta.labels.get(INSTANCE)}


async def prune_apps(client: KubeClient) -> None:
    """Delete the Kustomizations and wait while the operator prunes their objects; what it doesn't, `sweep` does."""
    try:
        async with asyncio.timeout(PRUNED), asyncio.TaskGroup() as group:
            for meta in await _in_namespace(client, KUSTOMIZATIONS):
                await client.delete(KUSTOMIZATIONS, DEMO, meta.name, uid=meta.uid)
                group.create_task(await_gone(client, KUSTOMIZATIONS, KUSTOMIZATIONS.id_of(DEMO, meta.name), meta.uid))
    except TimeoutError:
        return


async def sweep(client: KubeClient) -> None:
    """Delete everything that the demo made, whether the operator still runs or not.

    Raises NotObserved when something does not go: it names the command that looks into it.
    """
    for resource in (KUSTOMIZATIONS, GIT_REPOSITORIES):
        for held in await _in_namespace(client, resource):
            await _release(client, resource, held)
    waiting: list[tuple[Resource, LiveMeta]] = []
    for resource, name in MADE:
        found = await client.get_metadata(resource, "", name)
        if found is not None and is_the_demos(found):
            await client.delete(resource, "", name, uid=found.uid)
            waiting.append((resource, found))
    for resource, meta in waiting:
        try:
            async with asyncio.timeout(GONE):
                await await_gone(client, resource, resource.id_of("", meta.name), meta.uid)
        except TimeoutError:
            look = f"kubectl get {resource.plural} {meta.name} -o yaml"
            raise NotObserved(f"{resource.kind} {meta.name} does not go away; look at it with `{look}`") from None


async def _in_namespace(client: KubeClient, resource: Resource) -> list[Meta]:
    """The demo's objects of one of our kinds; none where the kind is not served."""
    try:
        return [item.metadata for item in (await client.list(resource, DEMO, item_type=Bare)).items]
    except ClusterError as error:
        if error.status == 404:
            return []
        raise


async def _release(client: KubeClient, resource: Resource, meta: Meta) -> None:
    """Take the finalizers off: nobody will act on them any more."""
    if not meta.finalizers:
        return
    try:
        await client.merge_patch(resource, DEMO, meta.name, msgspec.json.encode({"metadata": {"finalizers": []}}))
    except ClusterError as error:
        if error.status != 404:
            raise
