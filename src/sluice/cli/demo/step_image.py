"""Step 6: a new tag is pushed to a registry. It arrives in git as a commit, and in the cluster, with nobody's doing."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from sluice.cli.demo.arrival import is_rolled_out
from sluice.cli.demo.checkout import NotPossible
from sluice.cli.demo.lookout import NotObserved
from sluice.cli.demo.place import MANAGER, Place, is_at, own_object
from sluice.cli.demo.tour import LIVE, ROLLOUT, Step, Tour
from sluice.kube.resource import Resource
from sluice.reconcilers.our_kinds import IMAGE_POLICIES, IMAGE_REPOSITORIES, IMAGE_UPDATE_AUTOMATIONS

if TYPE_CHECKING:
    from devcluster.registry import Registry

GREETER, FILE = "greeter", "apps/web/greeter.yaml"
FIRST, NEXT = "1.0.0", "1.1.0"
POLL = "1s"


async def _image(tour: Tour) -> None:
    place, script, registry = tour.place, tour.place.script, tour.place.home.registry
    tour.require_unbroken()
    if registry is None:
        raise NotPossible("the demo has a registry only beside a cluster of its own")
    if place.checkout.read(FILE):
        raise NotPossible(f"{FILE} follows the registry already; push another tag to {registry.image(GREETER)}")
    await _follow(place, registry)
    async with place.watch(place.deployment(GREETER)) as lookout:
        new = registry.image(GREETER, NEXT)
        script.command(f"push {new}")
        began = time.monotonic()
        await _push(registry, NEXT)
        script.pending("live", "waiting for the commit, and for what comes of it")
        live = await lookout.until(
            lambda greeter: greeter is not None and greeter.image == new, f"Deployment {GREETER} to have {new}", LIVE
        )
        pulled = await place.checkout.pull()
        line = place.checkout.line_of(FILE, new)
        if not line:
            raise NotObserved(f"{FILE} does not hold {new}, although the cluster has it")
        script.done("committed", f"{pulled[:7]} by Sluice: {FILE}:{line} has {NEXT}")
        script.done("live", f"Deployment {GREETER} has {GREETER}:{NEXT}", live.at - began)
        done = await lookout.until(is_rolled_out, f"the pods of {GREETER} to run {NEXT}", ROLLOUT)
        script.done("rolled out", "its pod runs it", done.at - began)


async def _follow(place: Place, registry: Registry) -> None:
    """A workload with a marked image, and the objects that watch the registry, choose, and write."""
    await _push(registry, FIRST)
    script = place.script
    script.command(f"edit {FILE}      # a workload with a marked image")
    script.command('git commit -am "Follow the greeter" && git push')
    text = _workload(registry.image(GREETER, FIRST), f"{place.home.namespace}:{GREETER}")
    pushed = await place.checkout.write(FILE, text, "Follow the greeter")
    for resource, spec in _objects(registry.image(GREETER)):
        body = own_object(resource, place.home.namespace, GREETER, spec)
        await place.client.apply(resource, place.home.namespace, GREETER, body, manager=MANAGER)
    script.pending("followed", f"waiting for {pushed.short}")
    await place.observe(place.app("web"), lambda sync: is_at(sync, pushed.commit), "web to be ready with it", ROLLOUT)
    script.done("followed", f"{GREETER}:{FIRST} runs, the registry is watched", time.monotonic() - pushed.at)


async def _push(registry: Registry, tag: str) -> None:
    from devcluster.images import make_image

    await asyncio.to_thread(registry.push, GREETER, tag, make_image(content=tag))


def _objects(image: str) -> tuple[tuple[Resource, dict[str, Any]], ...]:
    author = {"name": "Sluice", "email": "sluice@demo.example"}
    return (
        (IMAGE_REPOSITORIES, {"image": image, "interval": POLL, "insecure": True}),
        (IMAGE_POLICIES, {"imageRepositoryRef": {"name": GREETER}, "policy": {"semver": {"range": "1.x"}}}),
        (
            IMAGE_UPDATE_AUTOMATIONS,
            {
                "sourceRef": {"kind": "GitRepository", "name": "fleet"},
                "interval": "10m",
                "git": {"commit": {"author": author}},
                "update": {"path": "./apps/web"},
            },
        ),
    )


def _workload(image: str, policy: str) -> str:
    return f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: {GREETER}
  namespace: demo-shop
spec:
  selector:
    matchLabels:
      app: {GREETER}
  template:
    metadata:
      labels:
        app: {GREETER}
    spec:
      containers:
        - name: {GREETER}
          image: {image} # {{"$imagepolicy": "{policy}"}}
"""


IMAGE = Step("6", "image", "a new tag is pushed to a registry", _image)
