"""Faults that a healthy API server does not make on demand: a canned server makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.live import LiveMeta
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess
from sluice.kube.errors import Asked
from sluice.kube.resource import Resource
from sluice.kube.transport import Call
from tests.contract.kube.objects import config_map
from tests.contract.kube.wires import canned, through_relay

CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)


def status(code: int, reason: str, message: str = "") -> dict[str, object]:
    return {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}


class Server:
    """Answers the first requests with `faults`, in turn, and then with an object."""

    def __init__(self, *faults: Callable[[], web.StreamResponse]) -> None:
        self.faults = list(faults)
        self.methods: list[str] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.methods.append(request.method)
        if self.faults:
            return self.faults.pop(0)()
        return web.json_response({"metadata": {"name": "a", "namespace": "w", "resourceVersion": "1"}})


def busy(code: int = 429, retry_after: str | None = "0") -> Callable[[], web.StreamResponse]:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return lambda: web.json_response(status(code, "TooManyRequests", "busy"), status=code, headers=headers)


async def apply(client: KubeClient) -> LiveMeta:
    return (await client.apply(CONFIG_MAPS, "w", "a", config_map("a"), manager="m")).meta


@pytest.mark.parametrize("code", [429, 503])
async def test_a_busy_server_is_asked_again_when_it_says(code: int) -> None:
    server = Server(busy(code), busy(code), busy(code))
    async with canned(server) as url, KubeClient(ClusterAccess(url)) as client:
        assert (await apply(client)).name == "a"
    assert server.methods == ["PATCH"] * 4


async def test_a_busy_server_is_asked_six_times_at_most() -> None:
    server = Server(*[busy()] * 20)
    async with canned(server) as url, KubeClient(ClusterAccess(url)) as client:
        with pytest.raises(ClusterError) as caught:
            await apply(client)
    assert len(server.methods) == 6
    assert (caught.value.status, caught.value.reason, caught.value.retry_after) == (429, "TooManyRequests", 0.0)
    assert caught.value.problems[0].code is codes.API_UNAVAILABLE
    assert caught.value.is_temporary


async def test_a_wait_longer_than_the_deadline_is_left_to_the_caller() -> None:
    server = Server(busy(429, "3600"))
    async with canned(server) as url, KubeClient(ClusterAccess(url)) as client:
        async with asyncio.timeout(5):
            with pytest.raises(ClusterError) as caught:
                await apply(client)
    assert caught.value.retry_after == 3600.0
    assert len(server.methods) == 1


async def test_a_create_is_repeated_after_429_but_never_after_503() -> None:
    server = Server(busy(429), busy(503))
    async with canned(server) as url, KubeClient(ClusterAccess(url)) as client:
        with pytest.raises(ClusterError) as caught:
            await client.create(CONFIG_MAPS, "w", config_map("a"), manager="m")
    assert server.methods == ["POST", "POST"]
    assert caught.value.status == 503


async def test_a_server_error_is_left_to_the_caller() -> None:
    server = Server(busy(500, None))
    async with canned(server) as url, KubeClient(ClusterAccess(url)) as client:
        with pytest.raises(ClusterError) as caught:
            await apply(client)
    assert caught.value.is_temporary
    assert len(server.methods) == 1


async def test_no_answer_within_the_deadline_is_an_error_that_passes() -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with canned(hang) as url, KubeClient(ClusterAccess(url), request_timeout=0.2) as client:
        with pytest.raises(ClusterError) as caught:
            await apply(client)
    assert (caught.value.status, caught.value.reason) == (0, "Timeout")
    assert url in caught.value.problems[0].title


async def test_a_caller_that_stops_waiting_is_not_told_of_a_server_error() -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async with canned(hang) as url, KubeClient(ClusterAccess(url)) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await apply(client)


async def test_no_more_than_the_allowed_requests_are_under_way() -> None:
    under_way = most = 0
    together = asyncio.Event()

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 3:
            together.set()
        await together.wait()
        await asyncio.sleep(0.02)
        under_way -= 1
        return web.json_response({"metadata": {"name": "a"}})

    async with (
        canned(count) as url,
        KubeClient(ClusterAccess(url), max_in_flight=3) as client,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(12):
            group.create_task(apply(client))
    assert most == 3


def lost(request_count: list[int], *, times: int) -> Callable[[web.Request], object]:
    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        request_count.append(1)
        if len(request_count) <= times:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(30)
        return web.json_response({"metadata": {"name": "a"}})

    return handler


async def test_an_apply_whose_answer_was_lost_is_repeated_once_and_says_so() -> None:
    count: list[int] = []
    async with canned(lost(count, times=1)) as url, KubeClient(ClusterAccess(url)) as client:  # type: ignore[arg-type]
        applied = await client.apply(CONFIG_MAPS, "w", "a", config_map("a"), manager="m")
    assert applied.answer_lost
    assert len(count) == 2
    count.clear()
    async with canned(lost(count, times=9)) as url, KubeClient(ClusterAccess(url)) as client:  # type: ignore[arg-type]
        with pytest.raises(ClusterError) as caught:
            await client.apply(CONFIG_MAPS, "w", "a", config_map("a"), manager="m")
    assert caught.value.status == 0
    assert len(count) == 2


async def test_what_may_not_be_repeated_is_sent_once() -> None:
    count: list[int] = []
    async with canned(lost(count, times=9)) as url, KubeClient(ClusterAccess(url)) as client:  # type: ignore[arg-type]
        with pytest.raises(ClusterError):
            await client.create(CONFIG_MAPS, "w", config_map("a"), manager="m")
        with pytest.raises(ClusterError):
            await client.merge_patch(CONFIG_MAPS, "w", "a", b"{}")
    assert len(count) == 2


@pytest.mark.cluster
async def test_an_idle_connection_that_was_closed_costs_no_error(
    access: ClusterAccess, namespace: str, config_maps: Resource
) -> None:
    async with through_relay(access) as (relay, client):
        for index in range(5):
            applied = await client.apply(config_maps, namespace, f"i{index}", config_map(f"i{index}"), manager="m")
            assert applied.created
            relay.cut()


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_answer_over_the_limit_is_refused(chunked: bool) -> None:
    async def huge(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if not chunked:
            response.content_length = 9 * 1024 * 1024
        await response.prepare(request)
        try:
            for _ in range(9 * 16):
                await response.write(b" " * 65536)
        except ConnectionError:
            return response
        return response

    async with canned(huge) as url, KubeClient(ClusterAccess(url)) as client:
        with pytest.raises(ClusterError) as caught:
            await client.get(CONFIG_MAPS, "w", "a")
    assert "larger than 8 MiB" in caught.value.problems[0].cause


@pytest.mark.parametrize("text", [b"", b"<html>", b"[]", b'{"metadata":3}', b"\xff\xfe"])
async def test_an_answer_that_is_not_what_was_asked_for_is_an_error_of_the_cluster(text: bytes) -> None:
    async def odd(request: web.Request) -> web.StreamResponse:
        return web.Response(body=text)

    async with canned(odd) as url, KubeClient(ClusterAccess(url)) as client:
        for request in (apply(client), client.list_metadata(CONFIG_MAPS, "w")):
            with pytest.raises(ClusterError) as caught:
                await request
            assert caught.value.reason == "Unreadable"


async def test_a_gateways_page_is_told_without_its_control_characters() -> None:
    async def gateway(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502, body=b"<html>\x1b[31mBad Gateway</html>")

    async with canned(gateway) as url, KubeClient(ClusterAccess(url)) as client:
        with pytest.raises(ClusterError) as caught:
            await apply(client)
    assert caught.value.status == 502
    assert "\x1b" not in caught.value.problems[0].cause
    assert "Bad Gateway" in caught.value.problems[0].cause


async def test_a_404_of_something_that_is_no_api_server_is_not_taken_for_an_absent_object() -> None:
    async def stranger(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404, text="no such page")

    async with canned(stranger) as url, KubeClient(ClusterAccess(url)) as client:
        for answer in (client.get(CONFIG_MAPS, "w", "a"), client.delete(CONFIG_MAPS, "w", "a")):
            with pytest.raises(ClusterError) as caught:
                await answer
            assert caught.value.status == 404


async def test_a_redirect_is_not_followed() -> None:
    paths: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return web.Response(status=301, headers={"Location": "/api/v1/namespaces/w/secrets/a"})

    async with canned(elsewhere) as url, KubeClient(ClusterAccess(url)) as client:
        with pytest.raises(ClusterError):
            await client.get(CONFIG_MAPS, "w", "a")
    assert paths == ["/api/v1/namespaces/w/configmaps/a"]


async def test_a_list_whose_token_expires_half_way_starts_again() -> None:
    tokens: list[str] = []

    async def pages(request: web.Request) -> web.StreamResponse:
        token = request.query.get("continue", "")
        tokens.append(token)
        if token and len(tokens) == 2:
            return web.json_response(status(410, "Expired", "token expired"), status=410)
        version = "7" if len(tokens) > 2 else "5"
        item = {"metadata": {"name": f"at{version}-{token or 'first'}"}}
        more = {} if token else {"continue": "next"}
        return web.json_response({"metadata": {"resourceVersion": version, **more}, "items": [item]})

    async with canned(pages) as url, KubeClient(ClusterAccess(url)) as client:
        found = await client.list_metadata(CONFIG_MAPS, "w")
    assert tokens == ["", "next", "", "next"]
    assert [item.name for item in found.items] == ["at7-first", "at7-next"]
    assert found.resource_version == "7"


async def test_headers_and_queries_reach_the_server_as_they_were_meant() -> None:
    seen: list[web.BaseRequest] = []

    async def look(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        return web.json_response({"metadata": {"name": "a"}})

    async with canned(look) as url, KubeClient(ClusterAccess(url)) as client:
        actor = client.impersonating("system:serviceaccount:apps:web", ["one", "two"])
        await actor.apply(CONFIG_MAPS, "w", "system:a b", config_map("a"), manager="my manager&x=y", dry_run=True)
        await client.send(Call("GET", "/x"), Asked(url))
    first = seen[0]
    assert first.headers["User-Agent"].startswith("sluice/")
    assert first.headers["Content-Type"] == "application/apply-patch+yaml"
    assert first.headers["Impersonate-User"] == "system:serviceaccount:apps:web"
    assert first.headers.getall("Impersonate-Group") == ["one", "two"]
    assert first.raw_path.startswith("/api/v1/namespaces/w/configmaps/system:a%20b?")
    assert dict(first.query) == {
        "fieldManager": "my manager&x=y",
        "force": "true",
        "fieldValidation": "Strict",
        "dryRun": "All",
    }
    assert "Impersonate-User" not in seen[1].headers
