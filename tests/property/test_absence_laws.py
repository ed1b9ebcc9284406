"""Ignorance is not absence: whatever becomes of the answers, nothing is said to be gone, or deleted, on the strength of
an answer that did not come, or said something else. Real look-up, plan and pruner against an API server in memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from sluice.core.errors import SluiceError
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.plan import Action, Owner, PlanOptions, build_plan
from sluice.core.shares import Shares
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.kube.well_known import CONFIG_MAPS, NAMESPACES
from sluice.runtime.foreign import holds_foreign
from sluice.runtime.live_lookup import LiveLookup
from sluice.runtime.owned import OwnedObjects
from sluice.runtime.pruner import Pruner
from tests.memory_api import MemoryApi, Reply, Request, VirtualLoop, encoded, memory_client, refused, struck
from tests.plans import OTHER, OWNER

GADGETS = Resource("example.com", "v1", "Gadget", "gadgets", namespaced=True)
KINDS = (CONFIG_MAPS, GADGETS, NAMESPACES)
# From eight of a kind in a namespace on they are listed, not asked for one by one.
NAMES = [f"n{number}" for number in range(10)]
Place = tuple[Resource, str, str]
STATES = st.sampled_from(["ours", "ours", "ours", "absent", "remade", "unlabelled", "another's"])
FAULTS = st.sampled_from(
    ["forbidden", "not an API", "not served", "error", "busy", "lost before", "lost after", "cut", "expired", "odd"]
)
FAULTY = st.dictionaries(
    st.tuples(st.sampled_from(["GET", "list", "list", "DELETE"]), st.integers(1, 5)), FAULTS, max_size=4
)


@st.composite
def places(draw: st.DrawFn, counts: tuple[int, ...] = (0, 0, 1, 3, 9, 10)) -> dict[Place, str]:
    """Of some kinds, in some namespaces, a few objects or many."""
    found: dict[Place, str] = {}
    for resource in (CONFIG_MAPS, GADGETS):
        for namespace in ("shop", "gone"):
            count = draw(st.sampled_from(counts))
            found |= {(resource, namespace, name): draw(STATES) for name in NAMES[:count]}
    return found


@dataclass
class Flaky:
    """A way to the server on which some requests go wrong: the n-th of a verb."""

    api: MemoryApi
    faults: dict[tuple[str, int], str]
    counts: Counter[str] = field(default_factory=Counter)

    async def __call__(self, request: Request) -> Reply:
        verb = "list" if "limit" in request.call.query else request.call.method
        self.counts[verb] += 1
        match fault := self.faults.get((verb, self.counts[verb])):
            case "forbidden":
                return refused(403, "Forbidden", 'gadgets is forbidden: User "x" cannot list resource "gadgets"')
            case "not an API":
                return 404, {}, b"<html>404 page not found</html>"
            case "not served":
                return 404, {}, b"404 page not found\n"
            case "busy":
                return refused(503, "ServiceUnavailable")
            case "cut":
                status, headers, body = self.api.reply(request)
                return status, headers, body[: len(body) // 2]
            case "expired" if verb == "list":
                return refused(410, "Expired")
            case "odd" if verb == "list":
                return self._with_an_item_that_does_not_fit(request)
        return struck(self.api, request, fault)

    def _with_an_item_that_does_not_fit(self, request: Request) -> Reply:
        """As an aggregated API server may answer: one of the items is not what the others are."""
        status, headers, body = self.api.reply(request)
        page: dict[str, Any] = msgspec.json.decode(body)
        for item in page["items"][:1]:
            item["metadata"]["generation"] = "none"
        return status, headers, encoded(page)


def stocked(states: dict[Place, str]) -> tuple[MemoryApi, Inventory]:
    """A server that holds what `states` says of each place, and the inventory of what we have made of it."""
    api, entries = MemoryApi(KINDS), []
    api.put(NAMESPACES, "", "shop")
    if any(place == "gone" and state != "absent" for (_, place, _), state in states.items()):
        api.put(NAMESPACES, "", "gone")
    for (resource, place, name), state in states.items():
        uid = "long gone"
        if state != "absent":
            owner = {"unlabelled": None, "another's": OTHER}.get(state, OWNER)
            labels = owner.labels() if owner is not None else {}
            made = api.put(resource, place, name, kind=resource.kind, metadata={"labels": labels})
            uid = "another" if state == "remade" else made["metadata"]["uid"]
        entries.append(Entry(resource.id_of(place, name), resource.api_version, uid, b"d", "g1"))
    return api, Inventory(entries)


async def looked_up(client: KubeClient, inventory: Inventory) -> tuple[dict[ResourceId, Any], Discovery, OwnedObjects]:
    discovery = Discovery(client, asyncio.get_running_loop().time)
    async with asyncio.TaskGroup() as group:
        owned = OwnedObjects(client, group, lambda owner, resource: None)
    kinds = {e.id: await discovery.find(e.api_version, e.id.kind) for e in inventory}
    return await LiveLookup(client, discovery, owned).find(inventory.ids(), kinds), discovery, owned


@settings(max_examples=150)
@given(
    places(),
    FAULTY,
    st.data(),
)
def test_nothing_is_taken_for_absent_or_deleted_that_nobody_could_look_at(
    states: dict[Place, str], faults: dict[tuple[str, int], str], data: st.DataObject
) -> None:
    api, inventory = stocked(states)
    there = {resource.id_of(place, name) for (resource, place, name), state in states.items() if state != "absent"}
    ours = {resource.id_of(place, name) for (resource, place, name), state in states.items() if state == "ours"}

    async def story() -> None:
        client = memory_client(api, Flaky(api, faults))
        try:
            live, discovery, owned = await looked_up(client, inventory)
        except SluiceError:
            event("could not look")
            return
        assert {key for key, found in live.items() if found is not None} == there
        plan = build_plan(OWNER, (), inventory, live.__getitem__, PlanOptions())
        assert {c.id for c in plan.changes() if c.action is Action.PRUNE} == ours
        taken = between(api, data)
        before = {path: each["metadata"]["uid"] for path, each in api.objects.items()}
        changes = tuple(c for batch in plan.prunes for c in batch.changes)
        answer = await Pruner(discovery, owned).prune_all(changes, Shares.of_one(OWNER), lambda key: client)
        told = {o.id: o.result for o in answer.outcomes}
        assert told.keys() | {p.subject for p in answer.problems} == {c.id for c in changes}
        for change in changes:
            path = path_of(change.id)
            still = path in api.objects and api.objects[path]["metadata"]["uid"] == change.uid
            assert told.get(change.id) != "deleted" or not still, "it leaves the inventory, and is there"
        for path in before.keys() - api.objects.keys():
            assert before[path] in {c.uid for c in changes}, "another object than the one that was planned was deleted"
            assert path not in taken, "what had become another's was deleted"

    run(story())


@given(places((0, 1)), st.dictionaries(st.tuples(st.just("list"), st.integers(1, 2)), FAULTS, min_size=1))
def test_a_namespace_is_never_said_to_hold_nothing_of_others_by_who_could_not_look(
    states: dict[Place, str], faults: dict[tuple[str, int], str]
) -> None:
    api, _ = stocked(states)
    foreign = any(place == "shop" and state in {"unlabelled", "another's"} for (_, place, _), state in states.items())

    async def story() -> None:
        client = memory_client(api, Flaky(api, faults))
        discovery = Discovery(client, asyncio.get_running_loop().time)
        try:
            await discovery.invalidate()
            told = await holds_foreign(client, discovery, NAMESPACES.id_of("", "shop"), Shares.of_one(OWNER))
        except SluiceError:
            event("could not look")
            return
        assert bool(told) == foreign

    run(story())


def run(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story)


def between(api: MemoryApi, data: st.DataObject) -> set[str]:
    """Other hands, after the plan: they delete, make anew, take over (told), touch, or hold with a finalizer."""
    taken = set()
    for path in data.draw(st.lists(st.sampled_from(sorted(api.objects)), unique=True, max_size=4)):
        found = api.objects[path]
        if found.get("kind") is None:
            continue
        meta = found["metadata"]
        match data.draw(st.sampled_from(["delete", "remake", "take", "touch", "hold"])):
            case "delete":
                del api.objects[path]
            case "remake":
                api.objects[path] = {**found, "metadata": {**meta, "uid": f"new {path}", "resourceVersion": "9999"}}
            case "take":
                taken.add(path)
                api.objects[path] = {
                    **found,
                    "metadata": {**meta, "labels": Owner("x", "y").labels(), "resourceVersion": "9999"},
                }
            case "touch":
                api.objects[path] = {**found, "metadata": {**meta, "resourceVersion": "9999"}}
            case "hold":
                api.objects[path] = {**found, "metadata": {**meta, "finalizers": ["x"]}}
    return taken


def path_of(key: ResourceId) -> str:
    resource = CONFIG_MAPS if key.kind == "ConfigMap" else GADGETS
    return resource.object_path(key.namespace, key.name)
