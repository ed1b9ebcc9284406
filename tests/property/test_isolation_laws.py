"""What becomes of one sync is the same whatever becomes of another: its turns, objects, record and outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core import codes
from sluice.core.errors import NotReady, SluiceError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Inventory
from sluice.core.live import LiveObject
from sluice.core.plan import Live, Owner, PlanOptions, build_plan
from sluice.core.problem import Problem
from sluice.core.transaction_messages import OnFailure
from sluice.kube.discovery import Discovery
from sluice.kube.well_known import CONFIG_MAPS, SECRETS
from sluice.runtime.controller import Controller
from sluice.runtime.executor import Execution, Executor
from sluice.runtime.identities import Identities
from sluice.runtime.owned import OwnedObjects, live_of
from sluice.runtime.queue import Turn
from sluice.runtime.record_secret import head_name
from sluice.runtime.record_store import RecordStore
from tests.memory_api import MemoryApi, Reply, Request, VirtualLoop, memory_client, refused
from tests.plans import manifest

WE, NEIGHBOUR = Owner("shop", "web"), Owner("shop", "noisy")
OBJECTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)
Desired = dict[str, str]


def run(story: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)


# --- turns ------------------------------------------------------------------------------------------------------

MISBEHAVES = st.sampled_from(["ends", "refuses", "crashes", "hangs", "waits", "again"])
BAD = Problem(codes.API_UNAVAILABLE, "no")


async def turns_of(ours: list[float], scripts: dict[str, list[str]]) -> list[float]:
    """When our turns began, beside neighbours that do what their scripts say, turn by turn."""
    loop = asyncio.get_running_loop()
    began: list[float] = []
    left = {name: iter(script) for name, script in scripts.items()}
    pauses = iter(ours)

    async def reconcile(turn: Turn[NamespacedName]) -> float | None:
        if turn.key.name == WE.name:
            began.append(loop.time())
            return next(pauses, None)
        match next(left[turn.key.name], "ends"):
            case "refuses":
                raise NotReady(BAD)
            case "crashes":
                raise ZeroDivisionError
            case "hangs":
                await asyncio.Event().wait()
            case "waits":
                async with turn.waiting():
                    await asyncio.sleep(1000)
            case "again":
                controller.queue.add(turn.key, 0.1)
                return 0.5
        return None

    # A neighbour that hangs keeps its slot, and no other does: there are as many as hang, and one more.
    hanging = sum("hangs" in script for script in scripts.values())
    controller = Controller("Kustomization", reconcile, slots=hanging + 1, name="laws")
    task = asyncio.create_task(controller.run())
    for name in (*scripts, WE.name):
        controller.queue.add(NamespacedName("shop", name))
    await asyncio.sleep(300)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return began


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([0.5, 3.0, 20.0]), max_size=6),
    st.dictionaries(st.sampled_from(["n1", "n2", "n3"]), st.lists(MISBEHAVES, max_size=6)),
)
def test_our_turns_come_when_they_would_without_neighbours(ours: list[float], scripts: dict[str, list[str]]) -> None:
    assert run(turns_of(ours, scripts)) == run(turns_of(ours, {}))


# --- transactions -----------------------------------------------------------------------------------------------

FAULTS = st.sampled_from(["", "", "refused", "lost", "denied", "hangs"])
DOINGS = st.lists(st.tuples(OBJECTS, FAULTS, st.integers(1, 5), st.booleans()), max_size=3)
Doing = tuple[Desired, str, int, bool]


@dataclass
class World:
    """One operator and two syncs. What goes wrong does so on the way of the neighbour's objects, and in its record."""

    api: MemoryApi = field(default_factory=lambda: MemoryApi((CONFIG_MAPS,)))
    fault: str = ""
    countdown: int = 0

    def __post_init__(self) -> None:
        self.client = memory_client(self.api, self.answer)
        self.records = RecordStore(self.client, "sluice-system")

    async def answer(self, request: Request) -> Reply:
        if f"/{NEIGHBOUR.name}-" in request.call.path or head_name(str(NEIGHBOUR)) in request.call.path:
            self.countdown -= 1
            if self.countdown == 0:
                match self.fault:
                    case "refused":
                        return refused(422, "Invalid")
                    case "denied":
                        return refused(403, "Forbidden")
                    case "hangs":
                        await asyncio.Event().wait()
                    case "lost":
                        self.api.reply(request)
                        raise aiohttp.ServerDisconnectedError
        return self.api.reply(request)

    def live(self, key: ResourceId) -> Live | None:
        found = self.api.get(CONFIG_MAPS, key.namespace, key.name)
        return live_of(msgspec.convert(found, LiveObject).metadata) if found is not None else None

    def corrupt(self) -> None:
        """Somebody edits the neighbour's record."""
        head = self.api.get(SECRETS, "sluice-system", head_name(str(NEIGHBOUR)))
        if head is not None:
            head["data"]["record"] = "AAAA"
            head["metadata"]["resourceVersion"] = "99999"


async def turn(world: World, executor: Executor, owner: Owner, desired: Desired, revision: str) -> str:
    """One turn, told in a word."""
    try:
        record = world.records.get(str(owner))
        known = record.inventory if record is not None else Inventory()
        labelled = {"labels": owner.labels()}
        wanted = tuple(
            manifest("ConfigMap", f"{owner.name}-{name}", data, spec={"metadata": {**named(owner, name), **labelled}})
            for name, data in desired.items()
        )
        plan = build_plan(owner, wanted, known, world.live, PlanOptions(suspects=known.ids()))
        execution = Execution(owner, revision, 60.0, silent, on_failure=OnFailure.UNDO)
        return (await executor.run(plan, execution)).reason
    except SluiceError as error:
        return error.problems[0].code.name


def named(owner: Owner, name: str) -> dict[str, str]:
    return {"name": f"{owner.name}-{name}", "namespace": "shop"}


async def silent(message: str) -> None:
    pass


async def outcome(ours: list[Desired], doings: list[Doing]) -> tuple[Any, ...]:
    """What has become of us, beside a neighbour that does these things."""
    world = World()
    discovery = Discovery(world.client, asyncio.get_running_loop().time)
    async with asyncio.TaskGroup() as group:
        owned = OwnedObjects(world.client, group, lambda owner, resource: None)
        executor = Executor(world.client, discovery, owned, world.records, Identities(world.client))
        told, others = [], []
        for number in range(max(len(ours), len(doings))):
            if number < len(doings):
                desired, world.fault, world.countdown, corrupts = doings[number]
                if corrupts:
                    world.corrupt()
                others.append(group.create_task(turn(world, executor, NEIGHBOUR, desired, f"n{number}")))
            if number < len(ours):
                told.append(await turn(world, executor, WE, ours[number], f"main@sha1:{number}"))
        for other in others:
            other.cancel()
    record = world.records.get(str(WE))
    tracked = {e.id: e.digest for e in record.inventory} if record is not None else {}
    objects = {path: body["data"] for path, body in world.api.objects.items() if f"/{WE.name}-" in path}
    return told, tracked, objects, record.epoch if record is not None else 0


@settings(max_examples=40)
@given(st.lists(OBJECTS, min_size=1, max_size=3), DOINGS)
def test_our_objects_our_record_and_our_outcomes_are_as_without_a_neighbour(
    ours: list[Desired], doings: list[Doing]
) -> None:
    assert run(outcome(ours, doings)) == run(outcome(ours, []))
