"""Images for the platforms of the cluster's own nodes are looked at, too, and nodes of known ones cost nothing."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from devcluster.cluster import Cluster
from devcluster.images import make_image, make_index
from devcluster.registry import Registry
from sluice.kube.client import KubeClient
from sluice.kube.config import load_kubeconfig
from sluice.kube.well_known import NODES as NODE_KIND
from sluice.reconcilers.node_platforms import ARCHITECTURE, MOST, OS, NodePlatforms, unlike
from sluice.registry.manifest import Platform
from tests.image_objects import Images
from tests.operator_fixture import Api, Bench, poll

pytestmark = pytest.mark.cluster
NODES = "/api/v1/nodes"


@contextmanager
def node(api: Api, architecture: str, system: str = "linux") -> Iterator[str]:
    name = f"{architecture}-{secrets.token_hex(4)}"
    metadata = {"name": name, "labels": {OS: system, ARCHITECTURE: architecture}}
    api.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"unschedulable": True}})
    try:
        yield name
    finally:
        api.delete(f"{NODES}/{name}")


def test_an_image_for_a_platform_is_chosen_once_a_node_of_it_has_joined(bench: Bench, registry: Registry) -> None:
    images = Images.beside(bench.source(), registry)
    images.registry.push(images.name, "arm", make_index([make_image(platform="linux/arm64")]))
    images.scan()
    images.choose(policy={"buildTime": {}})
    left_out = '1 left out, such as "arm": no suitable manifest (linux amd64) in index'
    images.wait_ready("ImagePolicy", "False", text=left_out)
    with node(bench.api, "arm64"):
        joined = "a node of another platform has joined"
        poll("it is noticed", lambda: any(entry.get("event") == joined for entry in bench.operator.logged))
        images.request("ImageRepository")
        images.wait_chosen("arm")
        bench.operator.restart()
        images.request("ImageRepository")
        images.wait_chosen("arm")


async def test_what_happens_to_nodes_of_known_platforms_is_not_told(cluster: Cluster) -> None:
    api = Api(cluster)
    with node(api, "amd64") as known:
        async with KubeClient(load_kubeconfig(cluster.kubeconfig)) as client:
            told = client.watch(NODE_KIND, labels=unlike(ARCHITECTURE, ["amd64"]))
            async with asyncio.timeout(60), contextlib.aclosing(told):
                assert (await anext(told)).name == "", "it begins without any node"
                for number in range(5):
                    api.patch(f"{NODES}/{known}", {"metadata": {"annotations": {"beat": str(number)}}})
                with node(api, "riscv64") as other:
                    assert (await anext(told)).name == other
    api.close()


async def test_platforms_are_learned_as_nodes_join_and_stay_few(cluster: Cluster) -> None:
    api = Api(cluster)
    told: list[tuple[Platform, ...]] = [()]
    heard = asyncio.Event()

    def learned(platforms: tuple[Platform, ...]) -> None:
        told.append(platforms)
        heard.set()

    async def until(wanted: tuple[Platform, ...]) -> None:
        while told[-1] != wanted:
            heard.clear()
            await heard.wait()

    async with (
        KubeClient(load_kubeconfig(cluster.kubeconfig)) as client,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):
        following = group.create_task(follow(NodePlatforms(client, learned)))
        amd64, arm64, windows = Platform("linux", "amd64"), Platform("linux", "arm64"), Platform("windows", "amd64")
        await until((amd64,))
        with node(api, "arm64"):
            await until((amd64, arm64))
        with node(api, "amd64", "windows"):
            await until((amd64, arm64, windows))
        with contextlib.ExitStack() as many:
            for number in range(MOST):
                many.enter_context(node(api, f"odd{number}"))
            odd = tuple(Platform("linux", f"odd{number}") for number in range(MOST))
            while len(told[-1]) < MOST:
                heard.clear()
                await heard.wait()
        assert set(told[-1]) < {amd64, arm64, windows, *odd}
        following.cancel()
    api.close()


async def follow(platforms: NodePlatforms) -> None:
    async with asyncio.TaskGroup() as group:
        await platforms.start(group)
