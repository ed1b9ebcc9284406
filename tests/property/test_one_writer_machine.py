"""Two replicas, one record: requests on their way for as long as they like, answers lost, the lease run out meanwhile.

Lease, fence and record store are the ones that the operator runs, over an API server in memory. A request is carried
out, and answered, when the machine says so: long after whoever sent it has lost the lease, or in another order.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sluice.core.errors import SluiceError
from sluice.core.inventory import Inventory
from sluice.core.record import Record, decode_record
from sluice.core.transaction_messages import Phase
from sluice.kube.lease import LEASES, Candidate, LeaseName, acquire_all
from sluice.kube.well_known import SECRETS
from sluice.runtime.record_secret import head_name
from sluice.runtime.record_store import RecordStore
from tests.memory_api import MemoryApi, Reply, Request, VirtualLoop, memory_client
from tests.plans import entry, manifest

HOME, OWNER = "sluice-system", "shop/web"


@dataclass
class Flight:
    """A request on its way; `reply` is there when it was carried out, and its answer is on its way."""

    request: Request
    answer: asyncio.Future[Reply]
    is_lease: bool
    reply: Reply | None = None

    @property
    def is_of_the_record(self) -> bool:
        """A write that the machine itself brings there; what else is sent goes through unless the way is cut."""
        return self.request.writes and not self.is_lease


@dataclass
class Replica:
    """One process. `term` is the how-manyth leader it is, 0 while it is none; `saved` counts its records.

    `cut` says that nothing it sends arrives ("out"), or that no answer comes back ("back"). `known` are the records
    that it has loaded or sent.
    """

    candidate: Candidate
    store: RecordStore
    flights: list[Flight] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    term: int = 0
    saved: int = 0
    cut: str = ""
    known: set[str] = field(default_factory=set)


class OneWriter(RuleBasedStateMachine):
    """The machine."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        self.api = MemoryApi((LEASES,))
        self.replicas: list[Replica] = []
        self.dead: list[Replica] = []
        self.terms = self.born = 0
        self.acknowledged = (0, 0)
        self.broken: list[AssertionError] = []

    # --- processes ----------------------------------------------------------------------------------------------

    @initialize()
    def two(self) -> None:
        """The first leads, and has recorded something."""
        for _ in range(2):
            self.start()
        self.step_of(self.replicas[0], is_held=False)

    @precondition(lambda self: len(self.replicas) < 3)
    @rule()
    def start(self) -> None:
        """A replica comes up, and stands for election."""
        self.born += 1

        def sending(*, is_lease: bool) -> Any:
            async def send(request: Request) -> Reply:
                fenced = request.writes and not is_lease
                assert not fenced or candidate.holds(), "it writes, and knows that another may lead by now"
                flight = Flight(request, self.loop.create_future(), is_lease)
                replica.flights.append(flight)
                if flight.is_of_the_record and request.call.body:
                    replica.known.add(msgspec.json.decode(request.call.body)["data"]["record"])
                return await flight.answer

            return send

        standing = memory_client(self.api, sending(is_lease=True))
        name = LeaseName(HOME, "sluice", f"replica-{self.born}")
        candidate = Candidate(standing, name, clock=self.loop.time)
        client = memory_client(self.api, sending(is_lease=False), may_write=candidate.holds)
        replica = Replica(candidate, RecordStore(client, HOME))
        self.replicas.append(replica)
        self.begin(replica, self.lead(replica))

    async def lead(self, replica: Replica) -> None:
        await acquire_all([replica.candidate])
        await replica.store.load()
        replica.known = {each["data"]["record"] for each in self.heads()}
        self.terms += 1
        replica.term = self.terms
        await replica.candidate.keep()
        replica.term = 0  # the process ends here; what it has sent does not

    def begin(self, replica: Replica, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            try:
                with suppress(SluiceError):
                    await work
            except AssertionError as broken:
                self.broken.append(broken)

        replica.tasks.append(self.loop.create_task(run()))
        self.settle()

    @precondition(lambda self: len(self.replicas) > 1)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """Killed: what it has sent is still on its way."""
        self.bury(data.draw(st.sampled_from(self.replicas)))

    def bury(self, replica: Replica) -> None:
        self.replicas.remove(replica)
        self.dead.append(replica)
        for task in replica.tasks:
            task.cancel()
        self.settle()

    # --- what leaders do ----------------------------------------------------------------------------------------

    @rule(data=st.data(), is_held=st.booleans())
    def save(self, data: st.DataObject, is_held: bool) -> None:
        """Whoever leads records the next step; it is carried out and answered at once, or held on its way."""
        leaders = [r for r in self.replicas if r.term and len([t for t in r.tasks if not t.done()]) < 2]
        if not leaders:
            return
        self.step_of(data.draw(st.sampled_from(leaders)), is_held=is_held)

    def step_of(self, replica: Replica, *, is_held: bool) -> None:
        replica.saved += 1
        self.begin(replica, self.record(replica, (replica.term, replica.saved)))
        if not is_held:
            self.bring(replica)

    def bring(self, replica: Replica) -> None:
        for flight in [f for f in replica.flights if f.is_of_the_record]:
            self.end(replica, flight)

    async def record(self, replica: Replica, place: tuple[int, int]) -> None:
        inventory = Inventory([entry(manifest("ConfigMap", "a"), f"{place}")])
        await replica.store.save(Record(OWNER, place[1], Phase.APPLYING, f"{place[0]} {place[1]}", inventory))
        assert place > self.acknowledged, "an older leader was told that its record is the one that counts"
        self.acknowledged = place

    # --- the network and the clock ------------------------------------------------------------------------------

    @precondition(lambda self: any(self.held()))
    @rule(data=st.data(), ending=st.sampled_from(["answered", "answered", "lost before", "lost after"]))
    def arrive(self, data: st.DataObject, ending: str) -> None:
        """A write of the record is carried out, or not, and answered, or not."""
        replica, flight = data.draw(st.sampled_from(self.held()))
        self.end(replica, flight, ending)

    def held(self) -> list[tuple[Replica, Flight]]:
        return [(r, f) for r in (*self.replicas, *self.dead) for f in r.flights if f.is_of_the_record]

    def end(self, replica: Replica, flight: Flight, ending: str = "answered") -> None:
        replica.flights.remove(flight)
        if ending != "lost before":
            flight.reply = flight.reply or self.carry_out(replica, flight)
        if not flight.answer.done():
            if ending == "answered" and flight.reply is not None:
                flight.answer.set_result(flight.reply)
            else:
                flight.answer.set_exception(aiohttp.ServerDisconnectedError())
        self.settle()

    def carry_out(self, replica: Replica, flight: Flight) -> Reply:
        before = [each["data"]["record"] for each in self.heads()]
        reply = self.api.reply(flight.request)
        if flight.is_of_the_record and reply[0] < 300:
            assert set(before) <= replica.known, "a record was overwritten by who has not read it"
        return reply

    @rule(data=st.data(), cut=st.sampled_from(["out", "back"]), seconds=st.sampled_from([0, 12, 20, 32, 40]))
    def cut_off(self, data: st.DataObject, cut: str, seconds: int) -> None:
        """For so long nothing that one sends arrives, or no answer comes back; with 0 until it is changed again."""
        replica = data.draw(st.sampled_from([r for r in self.replicas if r.candidate.holds()] or self.replicas))
        replica.cut = cut
        if seconds:
            self.wait(seconds)
            replica.cut = ""
            self.settle()

    @rule(seconds=st.sampled_from([4, 16, 40]))
    def wait(self, seconds: int) -> None:
        """Time passes."""
        for _ in range(seconds // 4):
            self.loop.run_until_complete(asyncio.sleep(4))
            self.settle()
            self.at_most_one_may_write()

    def settle(self) -> None:
        """Let everybody go on as far as that goes without the writes of records."""

        async def steps() -> None:
            for _ in range(8):
                await asyncio.sleep(0)

        while True:
            self.loop.run_until_complete(steps())
            for broken in self.broken:
                raise broken
            # All that is on its way arrives before the first answer comes back.
            moving = [(r, f) for r in self.replicas for f in r.flights if not f.is_of_the_record and r.cut != "out"]
            for replica, flight in moving:
                flight.reply = flight.reply or self.carry_out(replica, flight)
            back = [(r, f) for r, f in moving if r.cut != "back"]
            if not back:
                return
            for replica, flight in back:
                replica.flights.remove(flight)
                if not flight.answer.done():
                    assert flight.reply is not None
                    flight.answer.set_result(flight.reply)

    def heads(self) -> list[dict[str, Any]]:
        head = self.api.get(SECRETS, HOME, head_name(OWNER))
        return [head] if head is not None else []

    # --- what has to be true ------------------------------------------------------------------------------------

    @invariant()
    def at_most_one_may_write(self) -> None:
        """I9: whatever is on its way."""
        held = [(r.term, r.cut, r.candidate.seconds_left()) for r in self.replicas if r.candidate.holds()]
        assert len(held) <= 1

    @invariant()
    def what_an_older_leader_had_on_its_way_has_no_lasting_effect(self) -> None:
        """I9: what the newest leader has recorded stays, or is followed by what it, or a newer one, wrote."""
        held = (0, 0)
        for head in self.heads():
            term, number = decode_record(base64.b64decode(head["data"]["record"])).revision.split()
            held = int(term), int(number)
        assert held >= self.acknowledged

    def teardown(self) -> None:
        """L1: once the network is well, one of them leads, and can record."""
        try:
            while self.replicas:
                self.bury(self.replicas[0])
            for replica, flight in self.held():
                self.end(replica, flight)
                self.what_an_older_leader_had_on_its_way_has_no_lasting_effect()
            self.start()
            self.wait(60)
            (last,) = self.replicas
            assert last.candidate.holds()
            before = self.acknowledged
            self.save_as(last)
            assert self.acknowledged > before
        finally:
            while self.replicas:
                self.bury(self.replicas[0])
            self.loop.close()

    def save_as(self, last: Replica) -> None:
        self.begin(last, self.record(last, (last.term, 1)))
        self.bring(last)


TestOneWriter = OneWriter.TestCase
TestOneWriter.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
