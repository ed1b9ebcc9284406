"""Members of a group that are deleted while git has moved an object: nothing that was theirs is left behind."""

from __future__ import annotations

import pytest

from tests.integration.engine.groups import Group, group
from tests.operator_fixture import FAILING_JOB, Bench, config_map, poll

LABEL = "kustomize.toolkit.fluxcd.io/name"
BASE: dict[str, str | None] = {
    "a/a.yaml": config_map("a"),
    "a/x.yaml": config_map("x"),
    "b/b.yaml": config_map("b"),
}
MOVE: dict[str, str | None] = {"a/x.yaml": None, "b/x.yaml": config_map("x", "2")}


def undone(bench: Bench) -> Group:
    """A group whose last revision moves x from a to b, and was undone."""
    made = group(bench, BASE, wait=True)
    bad = made.push({**MOVE, "b/job.yaml": FAILING_JOB})
    for member in made.members.values():
        member.wait_failed(bad, reason="Undone")
    return made


def delete(made: Group, folders: str) -> None:
    """Ask for the deletion of these members."""
    for folder in folders:
        made.source.bench.api.delete(made[folder].path)


def events(made: Group, folder: str, reason: str) -> list[str]:
    """What the events of that reason say of a member."""
    bench = made.source.bench
    where = f"/api/v1/namespaces/{bench.namespace}/events"
    found = bench.api.get(f"{where}?fieldSelector=reason={reason},involvedObject.name={made[folder].name}")
    return [str(item["message"]) for item in (found or {})["items"]]


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_all_members_of_an_undone_group_take_what_git_had_moved_with_them_in_whichever_order(
    bench: Bench, order: str
) -> None:
    made = undone(bench)
    first, second = tuple(order)
    delete(made, first)
    if first == "b":
        made["b"].wait_gone()  # nobody is to have what a has, so that nothing holds it up
    else:
        poll("a looks whether b takes it", lambda: events(made, "a", "HandOver"))
    delete(made, second)
    for member in made.members.values():
        member.wait_gone()
    assert made.values == {}


def test_all_members_that_are_deleted_while_the_operator_is_away_take_it_with_them(bench: Bench) -> None:
    made = undone(bench)
    bench.operator.stop()
    delete(made, "ab")
    bench.operator.start()
    for member in made.members.values():
        member.wait_gone()
    assert made.values == {}


def test_a_member_that_alone_is_deleted_holds_what_moved_until_the_other_has_taken_it(bench: Bench) -> None:
    made = undone(bench)
    uid = made["a"].config("x")["metadata"]["uid"]
    delete(made, "a")
    told = poll("it says what holds it up", lambda: events(made, "a", "HandOver"))[0]
    assert "[E341]" in told
    assert made["b"].name in told
    poll("the rest is pruned", lambda: "a" not in made.values)
    bench.operator.restart()
    made["a"].wait("it is still there", lambda k: k["metadata"]["deletionTimestamp"])
    # b, which is the group by now, tries the revision once more, and is undone once more
    poll("a has it", lambda: made["a"].config("x")["metadata"]["labels"][LABEL] == made["a"].name)
    good = made.push({"b/job.yaml": None})
    made["a"].wait_gone()
    made["b"].wait_ready(good)
    live = made["b"].config("x")
    assert (live["metadata"]["uid"], live["metadata"]["labels"][LABEL]) == (uid, made["b"].name)


def test_a_member_that_alone_is_deleted_and_was_to_have_it_leaves_it_to_be_pruned_by_the_other(bench: Bench) -> None:
    made = undone(bench)
    delete(made, "b")
    made["b"].wait_gone()
    poll("nobody is to have it", lambda: made.values == {"a": "1"})
    entry = f"{made.source.target}_x__ConfigMap"
    made["a"].wait("it is let go", lambda k: entry not in made["a"].inventory())


def test_a_member_that_waits_for_a_hand_over_goes_at_once_when_its_objects_are_to_be_left(bench: Bench) -> None:
    made = undone(bench)
    delete(made, "a")
    poll("it waits", lambda: events(made, "a", "HandOver"))
    made["a"].edit(deletionPolicy="Orphan")
    made["a"].wait_gone()
    assert "x" in made.values


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_members_that_are_deleted_during_the_undo_take_everything_with_them(bench: Bench, order: str) -> None:
    made = group(bench, BASE, wait=True)
    held = config_map("held", extra="finalizers: [example.com/hold]")
    made.push({**MOVE, "a/held.yaml": held, "b/job.yaml": FAILING_JOB})
    target = made.source
    poll("the undo is under way", lambda: (target.live("configmaps", "held") or {}).get("metadata", {}).get(
        "deletionTimestamp"))  # fmt: skip
    delete(made, order)
    bench.api.patch(target.at("configmaps", "held"), {"metadata": {"finalizers": None}})
    for member in made.members.values():
        member.wait_gone()
    assert made.values == {}


def outside(bench: Bench) -> Group:
    """A group, and c which is none of it: git has moved x from a to c, and c's revision was undone."""
    made = group(bench, {**BASE, "c/c.yaml": config_map("c")}, wait=True)
    made.join("c", grouped=False, wait=True, retryInterval="1s")
    made.wait_ready(made["a"].status["lastAppliedRevision"])
    bad = made.push({"a/x.yaml": None, "c/x.yaml": config_map("x", "2"), "c/job.yaml": FAILING_JOB})
    made["c"].wait_failed(bad, reason="Undone")
    made["a"].wait_ready(bad)
    return made


@pytest.mark.parametrize("order", ["abc", "cba"])
def test_what_moved_out_of_the_group_and_came_back_with_an_undo_goes_with_its_old_owner(
    bench: Bench, order: str
) -> None:
    made = outside(bench)
    assert made.values["x"] == "1"
    assert made["a"].config("x")["metadata"]["labels"][LABEL] == made["a"].name
    assert f"{made.source.target}_x__ConfigMap" in made["a"].inventory()
    delete(made, order)
    for member in made.members.values():
        member.wait_gone()
    assert made.values == {}


def test_what_moved_out_of_the_group_is_the_other_one_s_once_that_has_committed_it(bench: Bench) -> None:
    made = outside(bench)
    uid = made["a"].config("x")["metadata"]["uid"]
    made["c"].wait_ready(made.push({"c/job.yaml": None}))
    live = made["c"].config("x")
    assert (live["metadata"]["uid"], live["metadata"]["labels"][LABEL]) == (uid, made["c"].name)
    entry = f"{made.source.target}_x__ConfigMap"
    made["a"].wait("it is let go", lambda k: entry not in made["a"].inventory())
    delete(made, "ab")
    for folder in "ab":
        made[folder].wait_gone()
    assert made.values == {"c": "1", "x": "2"}
