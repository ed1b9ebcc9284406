"""Who is to have an object changes between the look at it and the write that follows from the look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sluice.core.record import Record
from tests.faults.conftest import Faulty
from tests.faults.fault_proxy import Asked, Fault
from tests.faults.oracle import record_of
from tests.integration.engine.groups import Group, group
from tests.integration.engine.test_moves import MOVE as MOVE_FOLDERS
from tests.integration.engine.test_moves import pair
from tests.integration.engine.test_moves_to_new import family, into_new, kustomization, moved, wait_unmade
from tests.operator_fixture import FAILING_JOB, Api, config_map, poll

BASE: dict[str, str | None] = {
    "a/a.yaml": config_map("a"),
    "a/x.yaml": config_map("x"),
    "b/b.yaml": config_map("b"),
}
MOVE: dict[str, str | None] = {"a/x.yaml": None, "b/x.yaml": config_map("x", "2")}
HELD = "finalizers: [example.com/hold]"
LABEL = "kustomize.toolkit.fluxcd.io/name"


@pytest.fixture(autouse=True)
def unharmed(faulty: Faulty) -> Iterator[None]:
    yield
    faulty.proxy.arm()


class Gates:
    """Holds the taking of x, its deletion and its giving back, each until the test lets it go on.

    With `holds_looks`, looks at another object, too.
    """

    def __init__(self, faulty: Faulty) -> None:
        self._proxy = faulty.proxy
        self._gates = {what: asyncio.Event() for what in ("take", "delete", "give back", "other")}
        self.reached: list[str] = []
        self.holds_looks = False
        faulty.proxy.arm(self._decide)

    def _decide(self, asked: Asked) -> Fault | None:
        if self.holds_looks and asked.method == "GET" and asked.path.endswith("/configmaps/held"):
            self.reached.append("other")
            return Fault(hold=self._gates["other"])
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


def joint_record(api: Api, made: Group) -> Record | None:
    """The record of the group's transaction, while one is under way."""
    record = record_of(api, made.source, f"group:{made.name}")
    return record if record is not None and record.shares is not None else None


def undone(faulty: Faulty, files: dict[str, str | None]) -> Group:
    """A group whose last revision moves x from a to b, and was undone."""
    made = group(faulty.bench, files, wait=True)
    bad = made.push({**MOVE, "b/job.yaml": FAILING_JOB})
    for member in made.members.values():
        member.wait_failed(bad, reason="Undone")
    return made


def test_an_object_that_is_taken_while_its_going_owner_deletes_it_and_then_given_back_goes_with_that(
    faulty: Faulty,
) -> None:
    made = undone(faulty, BASE)
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


def test_an_object_that_is_given_back_while_its_going_owner_looks_whose_it_is_goes_with_that(faulty: Faulty) -> None:
    made, api = undone(faulty, {**BASE, "a/held.yaml": config_map("held", extra=HELD)}), faulty.bench.api
    held = made.source.at("configmaps", "held")
    gates = Gates(faulty)
    gates.open("take", "delete")
    api.delete(made["a"].path)
    gates.wait("give back")  # b has tried the revision once more, and x carries its labels
    poll("a has pruned", lambda: "a" not in made.values)
    # What carries no owner label no watch tells of: it is asked for.
    api.patch(held, {"metadata": {"labels": {LABEL: None}}})
    gates.holds_looks = True
    made["a"].edit(interval="2h")
    gates.wait("other")  # a has seen that b has x, and looks at what else it has
    gates.open("give back")
    poll("b's transaction has ended", lambda: joint_record(api, made) is None)
    gates.open("other")
    api.patch(held, {"metadata": {"finalizers": None}})
    api.delete(made["b"].path)
    for member in made.members.values():
        member.wait_gone()
    assert made.values == {}


def test_an_object_that_may_be_wanted_by_one_that_is_deleted_at_that_very_look_is_not_held_for_it(
    faulty: Faulty,
) -> None:
    api, home = faulty.bench.api, f"/api/v1/namespaces/{faulty.bench.namespace}/configmaps"
    api.create(home, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vars"}, "data": {"colour": "red"}})
    variables = {"substituteFrom": [{"kind": "ConfigMap", "name": "vars"}]}
    first, second = pair(faulty.bench, {"old/x.yaml": config_map("x")}, new={"postBuild": variables})
    second.edit(suspend=True)
    first.edit(interval="2h")  # the watch tells of it after the other
    first.wait("the edits are seen", lambda k: k["status"]["observedGeneration"] == k["metadata"]["generation"])
    looks, gate = [0], asyncio.Event()

    def decide(asked: Asked) -> Fault | None:
        if asked.method != "GET" or asked.path != f"{home}/vars":
            return None
        looks[0] += 1
        return Fault(hold=gate)

    faulty.proxy.arm(decide)
    revision = first.push(MOVE_FOLDERS)
    poll("the first one looks what the suspended one would want", lambda: looks[0])
    api.delete(second.path)
    second.wait_gone()
    faulty.proxy.set(gate)
    first.wait_ready(revision)
    poll("it is pruned", lambda: first.live("configmaps", "x") is None)
    first.wait("nothing is held", lambda k: "E374" not in first.message)


def test_one_that_is_made_while_its_parent_is_being_asked_what_it_makes_is_asked_too(faulty: Faulty) -> None:
    api, home = faulty.bench.api, f"/api/v1/namespaces/{faulty.bench.namespace}/configmaps"
    api.create(home, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "of-parent"}, "data": {"a": "b"}})
    variables = {"substituteFrom": [{"kind": "ConfigMap", "name": "of-parent"}]}
    parent, first, second = family(faulty.bench, {}, postBuild=variables)
    uid, entry = first.config("x")["metadata"]["uid"], f"{first.target}_x__ConfigMap"
    wait_unmade(parent)
    looks, gate = [0], asyncio.Event()

    def decide(asked: Asked) -> Fault | None:
        if asked.method != "GET" or asked.path != f"{home}/of-parent":
            return None
        looks[0] += 1
        return Fault(hold=gate) if looks[0] == 1 else None

    faulty.proxy.arm(decide)
    waiting = kustomization(parent, "new", dependsOn=[{"name": "never-there"}])
    revision = parent.push({**into_new(parent), "clusters/new.yaml": waiting})
    poll("the old owner asks the parent", lambda: looks[0])
    parent.edit(dependsOn=None)
    parent.wait_ready(revision)
    poll("the new owner is seen", lambda: second.status.get("conditions"))
    faulty.proxy.set(gate)
    first.wait_ready(revision)
    assert entry in first.inventory()
    assert first.config("x")["metadata"]["uid"] == uid
    parent.push({"clusters/new.yaml": kustomization(parent, "new")})
    moved(first, second, uid)
