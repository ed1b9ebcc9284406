"""Who is to have an object changes between the look at it and the write that follows from the look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults.conftest import Faulty
from tests.faults.fault_proxy import Asked, Fault
from tests.faults.oracle import record_of
from tests.integration.engine.groups import group
from tests.operator_fixture import FAILING_JOB, config_map, poll

BASE: dict[str, str | None] = {
    "a/a.yaml": config_map("a"),
    "a/x.yaml": config_map("x"),
    "b/b.yaml": config_map("b"),
}
MOVE: dict[str, str | None] = {"a/x.yaml": None, "b/x.yaml": config_map("x", "2")}


@pytest.fixture(autouse=True)
def unharmed(faulty: Faulty) -> Iterator[None]:
    yield
    faulty.proxy.arm()


class Gates:
    """Holds the taking of x, its deletion and its giving back, each until the test lets it go on."""

    def __init__(self, faulty: Faulty) -> None:
        self._proxy = faulty.proxy
        self._gates = {what: asyncio.Event() for what in ("take", "delete", "give back")}
        self.reached: list[str] = []
        faulty.proxy.arm(self._decide)

    def _decide(self, asked: Asked) -> Fault | None:
        if not asked.path.endswith("/configmaps/x") or asked.dry_run:
            return None
        if asked.method == "GET":
            return Fault(edit=self._look) if self._gates["delete"].is_set() else None
        what = "delete" if asked.method == "DELETE" else "give back" if "take" in self.reached else "take"
        self.reached.append(what)
        return Fault(hold=self._gates[what])

    def _look(self, answer: bytes) -> bytes:
        """Whoever was refused the deletion looks why."""
        self.reached.append("look")
        return answer

    def wait(self, what: str) -> None:
        """Until the operator comes there."""
        poll(what, lambda: what in self.reached)

    def open(self, *what: str) -> None:
        """Let it go on."""
        for each in what:
            self._proxy.set(self._gates[each])


def test_an_object_that_is_taken_while_its_going_owner_deletes_it_and_then_given_back_goes_with_that(
    faulty: Faulty,
) -> None:
    made = group(faulty.bench, BASE, wait=True)
    bad = made.push({**MOVE, "b/job.yaml": FAILING_JOB})
    for member in made.members.values():
        member.wait_failed(bad, reason="Undone")
    gates = Gates(faulty)
    faulty.bench.api.delete(made["a"].path)
    gates.wait("take")  # b, which is the group by now, tries the revision once more
    faulty.bench.api.delete(made["b"].path)
    gates.wait("delete")  # b is going, so that nobody is to have x any more
    gates.open("take")
    gates.wait("give back")  # b has left its group in the middle of the transaction
    gates.open("delete")
    gates.wait("look")
    gates.open("give back")
    for member in made.members.values():
        member.wait_gone()
    assert made.values == {}
    assert [record_of(faulty.bench.api, member) for member in made.members.values()] == [None, None]
