"""From an empty cluster to three ready apps: CRDs, the sync objects, the operator, and what the API server shows."""

from __future__ import annotations

import asyncio
import time

import msgspec

from sluice import __version__
from sluice.api.crds import crds
from sluice.cli.demo.checkout import Pushed
from sluice.cli.demo.lookout import NotObserved
from sluice.cli.demo.place import APPS, DEMO, MANAGER, PART_OF, SHOP, App, Place, is_at, sync_objects
from sluice.cli.demo.views import CRDS, FEATURE_FLAGS, NAMESPACES, Deployment
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.reconcilers import our_kinds

SERVED = 20.0
READY = 240.0


async def install(client: KubeClient, namespace: str, instance: str) -> None:
    """Create the namespace and the CRDs, and wait until their kinds are served. Raises NotObserved."""
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {PART_OF: DEMO}}}
    await client.apply(NAMESPACES, "", namespace, msgspec.json.encode(space), manager=MANAGER)
    for crd in crds(__version__, instance):
        await client.apply(CRDS, "", crd["metadata"]["name"], msgspec.json.encode(crd), manager=MANAGER)
    discovery = Discovery(client)
    try:
        async with asyncio.timeout(SERVED):
            for kind in our_kinds.ALL:
                while await discovery.find(kind.api_version, kind.kind) is None:
                    continue  # each look reads the catalogue anew, and spaces its readings itself
    except TimeoutError:
        raise NotObserved(f"the API server does not serve the CRDs {SERVED:g} s after they were applied") from None


async def ask(place: Place) -> None:
    """Create the GitRepository and the Kustomizations."""
    namespace = place.home.namespace
    for resource, name, body in sync_objects(namespace, place.url):
        await place.client.apply(resource, namespace, name, body, manager=MANAGER)


async def see_apps(place: Place, first: Pushed) -> None:
    """Show every app as it becomes ready. Raises NotObserved when one does not."""
    began = time.monotonic()
    place.script.pending("apps", f"waiting for {', '.join(app.name for app in APPS)}")
    for app in APPS:
        await see_app(place, app, first.commit)
        place.script.done(app.name, app.about, time.monotonic() - began)


async def see_app(place: Place, app: App, commit: str) -> None:
    """Wait until the app is at that commit, and its own objects are there and healthy. Raises NotObserved."""
    await place.observe(
        place.app(app.name), lambda sync: is_at(sync, commit), f"{app.name} to be ready at {commit[:7]}", READY
    )
    if app.name == "platform":
        if await place.client.get(FEATURE_FLAGS, SHOP, "new-checkout") is None:
            raise NotObserved("platform says that it is ready, but there is no FeatureFlag new-checkout")
        return
    await place.observe(place.deployment(app.name), is_rolled_out, f"Deployment {app.name} to be rolled out", READY)


def is_rolled_out(deployment: Deployment | None) -> bool:
    """True when the Deployment is there, and all its pods are new and available."""
    return deployment is not None and deployment.rolled_out
