"""Several syncs as one transaction: whose an object is, where the group goes back to, what the others say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.core import codes
from sluice.core.group import compose, echo, entered, group_inputs, group_owner, joint_target, mine
from sluice.core.history import Past
from sluice.core.inventory import Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Action, Live, Owner, Plan, PlanOptions, build_plan
from sluice.core.problem import Problem
from sluice.core.record import FailedRevision, Record
from sluice.core.shares import Shares
from sluice.core.transaction_messages import Phase, UndoTarget
from tests.plans import OTHER, OWNER, entry, live, manifest, rid

GROUP = group_owner("flux-system", "all")
A, B, X = (manifest("ConfigMap", name) for name in "abx")


def plan_of(owner: Owner, wanted: tuple[Manifest, ...], *had: Manifest, cluster: dict[str, Live] | None = None) -> Plan:
    known = cluster if cluster is not None else {m.id.name: live(owner=owner) for m in had}
    return build_plan(owner, wanted, Inventory(map(entry, had)), lambda key: known.get(key.name), PlanOptions())


def test_an_object_that_moves_is_adopted_by_the_one_and_not_released_by_the_other() -> None:
    there = {"x": live(owner=OWNER)}
    plan, shares = compose(
        GROUP,
        [plan_of(OWNER, (), X, cluster=there), plan_of(OTHER, (X,), cluster=there)],
    )
    (change,) = plan.changes()
    assert change.action is Action.ADOPT
    assert shares.owner_of(X.id) == OTHER
    assert shares.was_of(X.id) == OWNER
    assert shares.part(OTHER, plan.after).ids() == {X.id}
    assert shares.settled(plan.before, undone=True).part(OWNER, plan.before).ids() == {X.id}


def test_an_object_that_both_members_know_after_a_move_stays_with_who_wants_it() -> None:
    there = {"x": live(owner=OTHER)}
    plan, shares = compose(
        GROUP,
        [plan_of(OWNER, (), X, cluster=there), plan_of(OTHER, (X,), X, cluster=there)],
    )
    assert [c.action for c in plan.changes()] == [Action.KEEP]
    assert shares.was_of(X.id) == OTHER


def test_two_members_that_want_one_object_are_never_planned() -> None:
    with pytest.raises(ValueError, match="both want"):
        compose(GROUP, [plan_of(OWNER, (X,)), plan_of(OTHER, (X,))])


def test_a_group_goes_back_to_where_each_member_s_open_transaction_began() -> None:
    had, has = Inventory([entry(A)]), Inventory([entry(A), entry(X)])
    other = Inventory([entry(B)])
    assert joint_target([(has, None), (other, None)]) is None
    assert joint_target([(has, UndoTarget(had, {})), (other, None)]) == UndoTarget(had.union(other), {})


def test_what_failed_is_the_same_for_every_order_of_members_and_another_without_one_of_them() -> None:
    both = {OWNER: "1", OTHER: "2"}
    assert group_inputs(both) == group_inputs(dict(reversed(both.items())))
    assert group_inputs(both) != group_inputs({OWNER: "1"})
    assert group_inputs(both) != group_inputs({OWNER: "2", OTHER: "1"})


BAD = Problem(codes.HEALTH_FAILED, "Job migrate failed", rid("ConfigMap", "b"))
SPEC = Problem(codes.API_UNAVAILABLE, "it did not answer")


def test_a_member_s_problems_are_those_of_its_objects_and_those_of_all() -> None:
    owners = {A.id: OWNER, B.id: OTHER}
    assert mine((BAD, SPEC), OWNER, owners) == (SPEC,)
    assert mine((BAD, SPEC), OTHER, owners) == (BAD, SPEC)


def test_the_others_say_who_failed_and_why_in_one_line() -> None:
    told = echo((BAD, SPEC), OTHER, GROUP, rid("ConfigMap", "a"))
    assert told.code is codes.GROUP_FAILED
    assert "Kustomization flux-system/other of group 'all' failed" in told.title
    assert told.cause == "Job migrate failed (and 1 more)"


def test_each_member_remembers_the_failure_and_its_own_history() -> None:
    shares = Shares((OWNER, OTHER), {A.id: OWNER, B.id: OTHER})
    ended = Record(
        str(GROUP),
        9,
        Phase.FAILED,
        "main@sha1:2",
        Inventory([entry(A), entry(B)]),
        failed=FailedRevision("inputs", (BAD,)),
        history=(Past("main@sha1:2", "da", "Undone"), Past("main@sha1:2", "db", "Undone")),
        shares=shares,
    )
    old = Record(str(OWNER), 3, Phase.DONE, "main@sha1:1", Inventory(), history=(Past("main@sha1:1", "d1"),))
    first, second = entered(ended, {OWNER: old})
    assert (first.epoch, second.epoch) == (9, 9)
    assert first.failed == second.failed == ended.failed
    assert [p.digest for p in first.history] == ["da", "d1"]
    assert [p.digest for p in second.history] == ["db"]
    assert replace(first, owner="").inventory.ids() == {A.id}
