"""Watches and the cache over them, on the real API server, with the wire cut where it hurts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
import pytest
from aiohttp import web

from devcluster.fixture import FreshCluster, create_namespace
from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.live import LiveMeta
from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess, load_kubeconfig
from sluice.kube.resource import Resource, Selection
from sluice.kube.watch import EventType, WatchEvent, WatchPolicy
from sluice.kube.watch_cache import WatchCache
from tests.contract.kube.objects import config_map
from tests.contract.kube.wires import canned, through_relay

pytestmark = pytest.mark.cluster

T = TypeVar("T")
QUICK = WatchPolicy(backoff_first=0.05, backoff_limit=0.2)


class Data(msgspec.Struct):
    metadata: LiveMeta
    data: dict[str, str]


class Tape:
    """Records a watch and lets a test wait for what it should say."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self.seen: list[WatchEvent[Any]] = []
        self._more = asyncio.Event()

    async def record(self) -> None:
        async with contextlib.aclosing(self._events) as events:
            async for event in events:
                self.seen.append(event)
                self._more.set()

    def told(self) -> list[tuple[str, str]]:
        """The events by type and name, without what the namespace's own controllers make."""
        return [(e.type.value, e.name) for e in self.seen if e.name != "kube-root-ca.crt"]

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not done():
                self._more.clear()
                await self._more.wait()

    async def until_told(self, kind: str, name: str = "") -> None:
        await self.until(lambda: (kind, name) in self.told())


@contextlib.asynccontextmanager
async def recording(events: Any) -> AsyncIterator[Tape]:
    tape = Tape(events)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(tape.record())
        try:
            yield tape
        finally:
            task.cancel()


async def put(client: KubeClient, config_maps: Resource, namespace: str, name: str, value: str = "1") -> LiveMeta:
    text = config_map(name, data={"k": value})
    return (await client.apply(config_maps, namespace, name, text, manager="m")).meta


async def test_a_watch_tells_what_exists_then_that_it_is_synced_then_what_changes(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    await put(client, config_maps, namespace, "old")
    async with recording(client.watch(config_maps, namespace)) as tape:
        await tape.until_told("SYNCED")
        assert tape.told() == [("ADDED", "old"), ("SYNCED", "")]
        await put(client, config_maps, namespace, "new")
        changed = await put(client, config_maps, namespace, "old", "2")
        await client.delete(config_maps, namespace, "new")
        await tape.until_told("DELETED", "new")
    assert tape.told()[2:] == [("ADDED", "new"), ("MODIFIED", "old"), ("DELETED", "new")]
    modified = next(event for event in tape.seen if event.type is EventType.MODIFIED)
    assert isinstance(modified.item, LiveMeta)
    assert modified.item == changed


async def test_a_watch_decodes_what_is_asked_and_names_what_does_not_fit(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    await client.apply(config_maps, namespace, "odd", config_map("odd"), manager="m")
    await put(client, config_maps, namespace, "good")
    async with recording(client.watch(config_maps, namespace, item_type=Data)) as tape:
        await tape.until_told("SYNCED")
    found = {event.name: event for event in tape.seen}
    assert found["good"].item is not None
    assert found["good"].item.data == {"k": "1"}
    assert found["odd"].item is None
    assert found["odd"].problem is not None
    assert found["odd"].problem.code is codes.SPEC_INVALID
    assert str(found["odd"].problem.subject) == f"ConfigMap {namespace}/odd"


async def test_a_watch_from_now_or_from_a_version_tells_only_what_came_after(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    first = await put(client, config_maps, namespace, "first")
    await put(client, config_maps, namespace, "second")
    resumed = client.watch(config_maps, namespace, resource_version=first.resource_version)
    async with recording(client.watch(config_maps, namespace, initial=False)) as now, recording(resumed) as later:
        await now.until_told("SYNCED")
        await put(client, config_maps, namespace, "third")
        await now.until_told("ADDED", "third")
        await later.until_told("ADDED", "third")
    assert now.told() == [("SYNCED", ""), ("ADDED", "third")]
    assert later.told() == [("SYNCED", ""), ("ADDED", "second"), ("ADDED", "third")]


async def test_a_watch_that_is_cut_resumes_without_losing_an_event(
    access: ClusterAccess, client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    async with (
        through_relay(access) as (relay, far),
        recording(far.watch(config_maps, namespace, policy=QUICK)) as tape,
    ):
        await tape.until_told("SYNCED")
        for round_number in range(3):
            relay.cut()
            # Made while nobody watches: only a resumed watch can tell of it.
            await put(client, config_maps, namespace, f"n{round_number}")
            await tape.until_told("ADDED", f"n{round_number}")
    assert tape.told() == [("SYNCED", ""), ("ADDED", "n0"), ("ADDED", "n1"), ("ADDED", "n2")]


async def test_a_watch_outlasts_a_server_that_refuses_connections(
    access: ClusterAccess, client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    retries: list[float] = []
    policy = replace(QUICK, on_retry=lambda _, seconds: retries.append(seconds))
    async with (
        through_relay(access) as (relay, far),
        recording(far.watch(config_maps, namespace, policy=policy)) as tape,
    ):
        await tape.until_told("SYNCED")
        relay.refuse = True
        relay.cut()
        await put(client, config_maps, namespace, "meanwhile")
        await until(lambda: len(retries) >= 3 or None)
        assert ("ADDED", "meanwhile") not in tape.told()
        relay.refuse = False
        await tape.until_told("ADDED", "meanwhile")
    assert all(seconds <= 0.2 for seconds in retries)


async def test_a_silent_connection_is_given_up_after_the_idle_timeout(
    access: ClusterAccess, client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    policy = replace(QUICK, idle_timeout=0.5)
    async with (
        through_relay(access) as (relay, far),
        recording(far.watch(config_maps, namespace, policy=policy)) as tape,
    ):
        await tape.until_told("SYNCED")
        relay.silent = True
        await put(client, config_maps, namespace, "unseen")
        before = relay.accepted
        await until(lambda: relay.accepted > before or None)
        relay.silent = False
        relay.cut()
        await tape.until_told("ADDED", "unseen")


async def test_a_watch_that_the_server_ends_goes_on(client: KubeClient, namespace: str, config_maps: Resource) -> None:
    policy = replace(QUICK, server_timeout=1.0)
    ends: list[ClusterError | None] = []
    policy = replace(policy, on_retry=lambda error, _: ends.append(error))
    async with recording(client.watch(config_maps, namespace, policy=policy)) as tape:
        await tape.until_told("SYNCED")
        await asyncio.sleep(2.5)  # the server's own time-out, in whole seconds, is what is tested
        await put(client, config_maps, namespace, "later")
        await tape.until_told("ADDED", "later")
    assert tape.told() == [("SYNCED", ""), ("ADDED", "later")]
    assert [error for error in ends if error is not None] == []


async def test_a_standing_watch_tells_the_full_state_again_from_time_to_time(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    await put(client, config_maps, namespace, "a")
    policy = replace(QUICK, server_timeout=1.0, whole_after=0.5)
    async with recording(client.watch(config_maps, namespace, policy=policy)) as tape:
        await tape.until(lambda: tape.told().count(("SYNCED", "")) == 2)
        await put(client, config_maps, namespace, "later")
        await tape.until_told("ADDED", "later")
    whole = [("ADDED", "a"), ("SYNCED", "")]
    assert tape.told()[:5] == [*whole, ("RESTARTED", ""), *whole]


async def test_an_expired_version_starts_the_watch_anew_with_the_full_state(fresh_cluster: FreshCluster) -> None:
    config_maps = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
    cluster = fresh_cluster()
    create_namespace(cluster, "w")
    async with KubeClient(load_kubeconfig(cluster.kubeconfig)) as client:
        old = await put(client, config_maps, "w", "a")
        for value in range(5):
            await put(client, config_maps, "w", "b", str(value))
        # A restarted API server remembers no events: an old version is "too old" (410).
        await asyncio.to_thread(cluster.restart, "kube-apiserver")
        events = client.watch(config_maps, "w", resource_version=old.resource_version, policy=QUICK)
        async with recording(events) as tape:
            await tape.until(lambda: tape.told().count(("SYNCED", "")) == 2)
            await put(client, config_maps, "w", "c")
            await tape.until_told("ADDED", "c")
    told = tape.told()
    assert told[0] == ("SYNCED", "")
    assert told[1] == ("RESTARTED", "")
    assert sorted(told[2:4]) == [("ADDED", "a"), ("ADDED", "b")]
    assert told[4:] == [("SYNCED", ""), ("ADDED", "c")]


async def test_the_cache_survives_a_restart_of_the_api_server_and_tells_what_vanished(
    fresh_cluster: FreshCluster,
) -> None:
    config_maps = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
    cluster = fresh_cluster()
    create_namespace(cluster, "w")
    told: list[tuple[str, str, bool]] = []
    admin = load_kubeconfig(cluster.kubeconfig)
    async with through_relay(admin) as (relay, far), KubeClient(admin) as client:
        cache: WatchCache[LiveMeta] = WatchCache(far, Selection(config_maps, "w", labels=""), LiveMeta, policy=QUICK)
        cache.subscribe(lambda kind, item, old: told.append((kind.value, item.name, old is not None)))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(cache.run())
            await put(client, config_maps, "w", "stays")
            await put(client, config_maps, "w", "goes")
            await until(lambda: cache.get("w", "goes"))
            relay.refuse = True
            relay.cut()
            await client.delete(config_maps, "w", "goes")
            await put(client, config_maps, "w", "stays", "2")
            await asyncio.to_thread(cluster.restart, "kube-apiserver")
            relay.refuse = False
            await until(lambda: cache.get("w", "goes") is None or None)
            stays = cache.get("w", "stays")
            running.cancel()
    assert cache.synced.is_set()
    assert stays is not None
    mine = [entry for entry in told if entry[1] in {"stays", "goes"}]
    assert sorted(mine[:2]) == [("ADDED", "goes", False), ("ADDED", "stays", False)]
    assert sorted(mine[2:]) == [("DELETED", "goes", True), ("MODIFIED", "stays", True)]


async def until(look: Callable[[], T | None]) -> T:
    async with asyncio.timeout(60):
        while (found := look()) is None:  # noqa: ASYNC110 (what is waited for is in another process)
            await asyncio.sleep(0.02)
        return found


async def test_the_cache_holds_what_matches_its_selector(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    cache: WatchCache[LiveMeta] = WatchCache(client, Selection(config_maps, namespace, labels="team=red"), LiveMeta)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(cache.run())
        for name, team in (("a", "red"), ("b", "blue"), ("c", "red")):
            text = config_map(name, labels={"team": team})
            await client.apply(config_maps, namespace, name, text, manager="m")
        await until(lambda: cache.get(namespace, "c"))
        assert {item.name for item in cache.items()} == {"a", "c"}
        late: list[str] = []
        stop = cache.subscribe(lambda kind, item, _: late.append(f"{kind.value} {item.name}"))
        assert sorted(late) == ["ADDED a", "ADDED c"]
        await client.merge_patch(config_maps, namespace, "a", b'{"metadata":{"labels":{"team":"blue"}}}')
        await until(lambda: cache.get(namespace, "a") is None or None)
        assert late[2:] == ["DELETED a"]
        stop()
        await client.delete(config_maps, namespace, "c")
        await until(lambda: not len(cache) or None)
        assert late[3:] == []
        running.cancel()


async def test_a_watch_on_what_is_not_served_or_not_allowed_ends_with_the_reason(
    client: KubeClient, namespace: str, config_maps: Resource
) -> None:
    unknown = Resource("nope.io", "v1", "Nope", "nopes", namespaced=True)
    nobody = client.impersonating("nobody")
    for events, code in ((client.watch(unknown), codes.UNKNOWN_KIND), (nobody.watch(config_maps), codes.FORBIDDEN)):
        with pytest.raises(ClusterError) as caught:
            await anext(events)
        assert caught.value.problems[0].code is code


def line(kind: str, /, **object_fields: Any) -> bytes:
    return json.dumps({"type": kind, "object": object_fields}).encode() + b"\n"


async def test_an_endless_line_is_refused(config_maps: Resource) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                await response.write(b"x" * 65536)
        return response

    async with canned(flood) as url, KubeClient(ClusterAccess(url)) as client:
        with pytest.raises(ClusterError) as caught:
            await anext(client.watch(config_maps, "w", policy=replace(QUICK, max_line=1024 * 1024)))
    assert caught.value.problems[0].code is codes.OBJECT_TOO_BIG


async def test_a_server_that_does_not_stream_the_initial_state_is_listed(config_maps: Resource) -> None:
    queries: list[dict[str, str]] = []

    async def old_server(request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        queries.append(query)
        if "watch" not in query:
            item = {"metadata": {"name": "a" if "continue" not in query else "b", "resourceVersion": "5"}}
            more = {} if "continue" in query else {"continue": "page2"}
            return web.json_response({"metadata": {"resourceVersion": "7", **more}, "items": [item]})
        if "sendInitialEvents" in query:
            status = {"kind": "Status", "code": 422, "reason": "Invalid", "message": "sendInitialEvents is forbidden"}
            return web.json_response(status, status=422)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(
            line("ADDED", metadata={"name": f"after-{query['resourceVersion']}", "resourceVersion": "9"})
        )
        await asyncio.sleep(30)
        return response

    async with (
        canned(old_server) as url,
        KubeClient(ClusterAccess(url)) as client,
        recording(client.watch(config_maps, "w", policy=QUICK)) as tape,
    ):
        await tape.until_told("ADDED", "after-7")
    assert tape.told() == [("ADDED", "a"), ("ADDED", "b"), ("SYNCED", ""), ("ADDED", "after-7")]
    assert "sendInitialEvents" in queries[0]


async def test_a_state_that_is_cut_half_way_is_never_taken_for_the_whole(config_maps: Resource) -> None:
    connections = 0

    async def flaky(request: web.Request) -> web.StreamResponse:
        nonlocal connections
        connections += 1
        response = web.StreamResponse()
        await response.prepare(request)
        if connections == 1:
            await response.write(line("ADDED", metadata={"name": "a", "resourceVersion": "1"}))
            return response
        end = {"name": "", "resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}
        await response.write(
            line("ADDED", metadata={"name": "b", "resourceVersion": "2"}) + line("BOOKMARK", metadata=end)
        )
        await asyncio.sleep(30)
        return response

    async with canned(flaky) as url, KubeClient(ClusterAccess(url)) as client:
        cache: WatchCache[LiveMeta] = WatchCache(client, Selection(config_maps, "w"), LiveMeta, policy=QUICK)
        async with recording(client.watch(config_maps, "w", policy=QUICK)) as tape:
            await tape.until_told("SYNCED")
        assert tape.told() == [("ADDED", "a"), ("RESTARTED", ""), ("ADDED", "b"), ("SYNCED", "")]
        for event in tape.seen:
            cache._take(event)
        assert [item.name for item in cache.items()] == ["b"]


async def test_bookmarks_move_the_place_from_which_a_watch_resumes(config_maps: Resource) -> None:
    asked: list[str] = []

    async def server(request: web.Request) -> web.StreamResponse:
        asked.append(request.query.get("resourceVersion", "initial"))
        response = web.StreamResponse()
        await response.prepare(request)
        if len(asked) == 1:
            end = {"resourceVersion": "10", "annotations": {"k8s.io/initial-events-end": "true"}}
            await response.write(line("BOOKMARK", metadata=end) + line("BOOKMARK", metadata={"resourceVersion": "42"}))
            return response
        gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 42 (99)"}
        await response.write(line("ERROR", **gone))
        await asyncio.sleep(30)
        return response

    async with (
        canned(server) as url,
        KubeClient(ClusterAccess(url)) as client,
        recording(client.watch(config_maps, "w", policy=QUICK)) as tape,
    ):
        await tape.until_told("RESTARTED")
    assert asked[:2] == ["initial", "42"]
