"""What the real API server serves, as discovery reads it."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web

from sluice.core.errors import ClusterError
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from tests.contract.kube.objects import body, crd
from tests.contract.kube.wires import canned

CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
SERVICES = Resource("apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False)


@pytest.mark.cluster
async def test_built_in_kinds_are_known_with_all_that_is_served_of_them(client: KubeClient) -> None:
    discovery = Discovery(client)
    assert discovery.known("apps/v1", "Deployment") is None
    deployment = await discovery.find("apps/v1", "Deployment")
    assert deployment is not None
    assert deployment.api_version == "apps/v1"
    assert (deployment.plural, deployment.singular, deployment.namespaced) == ("deployments", "deployment", True)
    assert deployment.verbs >= {"get", "list", "watch", "create", "patch", "delete"}
    assert deployment.short_names == ("deploy",)
    assert "all" in deployment.categories
    assert deployment.subresources >= {"status", "scale"}
    namespace = await discovery.find("v1", "Namespace")
    assert namespace is not None
    assert not namespace.namespaced
    assert discovery.known("apps/v1", "Deployment") == deployment
    assert await discovery.find_preferred("autoscaling", "HorizontalPodAutoscaler") == await discovery.find(
        "autoscaling/v2", "HorizontalPodAutoscaler"
    )


@pytest.mark.cluster
async def test_a_crd_is_found_right_after_it_was_made(client: KubeClient) -> None:
    discovery = Discovery(client)
    assert await discovery.find("test.sluice.dev/v1", "Valve") is None
    await client.apply(CRDS, "", "valves.test.sluice.dev", crd("valves", "Valve"), manager="m")
    try:
        async with asyncio.timeout(60):
            while (valve := await discovery.find("test.sluice.dev/v1", "Valve")) is None:
                pass
    finally:
        await client.delete(CRDS, "", "valves.test.sluice.dev")
    assert valve.plural == "valves"
    async with asyncio.timeout(60):
        while discovery.known("test.sluice.dev/v1", "Valve") is not None:
            await discovery.invalidate()
            await asyncio.sleep(0.05)


@pytest.mark.cluster
async def test_a_group_whose_server_is_down_is_not_taken_for_absent(client: KubeClient, namespace: str) -> None:
    spec = {
        "group": "down.test.sluice.dev",
        "version": "v1",
        "service": {"name": "nobody", "namespace": namespace},
        "groupPriorityMinimum": 100,
        "versionPriority": 10,
        "insecureSkipTLSVerify": True,
    }
    name = "v1.down.test.sluice.dev"
    await client.create(SERVICES, "", body("apiregistration.k8s.io/v1", "APIService", name, spec=spec), manager="m")
    discovery = Discovery(client)

    async def refusal() -> ClusterError | None:
        try:
            await discovery.find("down.test.sluice.dev/v1", "Thing")
        except ClusterError as error:
            return error
        return None

    try:
        async with asyncio.timeout(60):
            while (error := await refusal()) is None:
                pass
        assert await discovery.find("v1", "Secret") is not None
    finally:
        await client.delete(SERVICES, "", name)
    assert (error.status, error.is_temporary) == (503, True)
    assert "down.test.sluice.dev" in error.problems[0].title


class Counting:
    """A server with aggregated discovery that counts how often it is read."""

    def __init__(self) -> None:
        self.readings = 0

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/apis":
            self.readings += 1
            await asyncio.sleep(0.02)
        return web.json_response({"kind": "APIGroupDiscoveryList", "items": []})


async def test_callers_share_one_reading_and_unknown_kinds_are_asked_for_once_a_second() -> None:
    server = Counting()
    async with canned(server) as url, KubeClient(ClusterAccess(url)) as client:
        discovery = Discovery(client)
        clock = asyncio.get_running_loop().time
        began = clock()
        async with asyncio.TaskGroup() as group:
            for index in range(50):
                group.create_task(discovery.find("x.io/v1", f"Kind{index}"))
        assert server.readings == 1
        async with asyncio.TaskGroup() as group:
            for index in range(50):
                group.create_task(discovery.find("x.io/v1", f"Kind{index}"))
        assert server.readings == 2
        assert clock() - began >= 1.0


@pytest.mark.cluster
async def test_a_server_without_aggregated_discovery_gives_the_same_kinds(client: KubeClient) -> None:
    """The real server's own old-style answers, by a relay that hides the new style."""

    async def old_style(request: web.Request) -> web.StreamResponse:
        return web.json_response(json.loads(await client.get_path(request.path)))

    new = Discovery(client)
    async with canned(old_style) as url, KubeClient(ClusterAccess(url)) as plain, asyncio.timeout(60):
        old = Discovery(plain)
        while not old.resources() or set(old.resources()) != set(new.resources()):
            # Other tests' kinds may come and go between the two.
            await new.invalidate()
            await old.invalidate()
    assert len(old.resources()) > 50
