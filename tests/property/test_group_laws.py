"""Laws of a group: its plan is its members' plans, each object once; its record is theirs, nothing twice or lost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.core.group import closed, compose, entered, group_owner
from sluice.core.history import Past
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.order import order_of
from sluice.core.plan import Action, Live, Owner, Plan, PlanOptions, build_plan
from sluice.core.record import Record, decode_record, encode_record
from sluice.core.shares import Shares
from sluice.core.transaction_messages import Phase, UndoTarget
from tests.plans import OTHER, OWNER, desired, inventories, lives

GROUP = group_owner("flux-system", "all")


@dataclass(frozen=True)
class Joint:
    """Two members' plans, and the one made of them."""

    members: tuple[Plan, Plan]
    plan: Plan
    shares: Shares

    @property
    def wanted(self) -> dict[ResourceId, Owner]:
        """Who wants what."""
        return {c.id: plan.owner for plan in self.members for c in plan.changes() if c.manifest is not None}


@st.composite
def joints(draw: st.DrawFn) -> Joint:
    """Any two desired states without a common object, any two inventories, any cluster."""
    cluster: dict[ResourceId, Live] = draw(lives())
    first = draw(desired())
    taken = {m.id for m in first}
    second = tuple(m for m in draw(desired()) if m.id not in taken)
    options = PlanOptions(prune=draw(st.booleans()))
    plans = (
        build_plan(OWNER, first, draw(inventories()), cluster.get, options),
        build_plan(OTHER, second, draw(inventories()), cluster.get, options),
    )
    return Joint(plans, *compose(GROUP, plans))


JOINTS = joints()
# Two plans take long to draw on a machine that others use, too: how long says nothing about the laws.
lawful = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@lawful
@given(JOINTS)
def test_every_object_of_any_member_is_in_the_plan_exactly_once(joint: Joint) -> None:
    ids = [c.id for c in joint.plan.changes()]
    assert sorted(ids) == sorted({c.id for plan in joint.members for c in plan.changes()})


@lawful
@given(JOINTS)
def test_what_one_member_wants_no_other_prunes_or_lets_go(joint: Joint) -> None:
    for change in joint.plan.changes():
        if change.id in joint.wanted:
            assert change.manifest is not None
            assert joint.shares.owner_of(change.id) == joint.wanted[change.id]


@lawful
@given(JOINTS)
def test_only_what_a_member_would_prune_is_pruned_and_as_that_member_s(joint: Joint) -> None:
    would = {c.id: plan.owner for plan in joint.members for b in plan.prunes for c in b.changes}
    pruned = {c.id: joint.shares.owner_of(c.id) for b in joint.plan.prunes for c in b.changes}
    assert pruned == {key: owner for key, owner in would.items() if key not in joint.wanted}


@lawful
@given(JOINTS)
def test_stages_and_kinds_are_in_order_over_all_members_and_pruning_is_the_reverse(joint: Joint) -> None:
    applied = [order_of(c.id.group_kind, c.wave) for b in joint.plan.applies for c in b.changes]
    pruned = [order_of(c.id.group_kind, c.wave) for b in joint.plan.prunes for c in b.changes]
    assert applied == sorted(applied)
    assert pruned == sorted(pruned, reverse=True)


@lawful
@given(JOINTS)
def test_the_record_holds_everything_of_before_and_after_and_knows_whose_it_is(joint: Joint) -> None:
    plan = joint.plan
    assert plan.before.ids() == joint.members[0].before.ids() | joint.members[1].before.ids()
    assert plan.during.ids() == plan.before.ids() | plan.after.ids()
    assert joint.shares.after.keys() == plan.during.ids()
    assert joint.shares.before.keys() == plan.before.ids()


def record_of(joint: Joint, inventory: Inventory, *, undone: bool) -> Record:
    """The group's record at its end."""
    pasts = (Past("main@sha1:2", "one"), Past("main@sha1:2", "two"))
    phase = Phase.FAILED if undone else Phase.DONE
    return Record(
        str(GROUP),
        4,
        phase,
        "main@sha1:2",
        inventory,
        history=pasts,
        shares=joint.shares.settled(inventory, undone=undone),
    )


@lawful
@given(JOINTS, st.booleans())
def test_what_the_group_s_record_holds_at_the_end_is_in_exactly_one_member_s(joint: Joint, undone: bool) -> None:
    ended = record_of(joint, joint.plan.before if undone else joint.plan.after, undone=undone)
    parts = entered(ended, {})
    found = [entry for part in parts for entry in part.inventory]
    assert sorted(found, key=lambda e: e.id) == list(ended.inventory)
    assert {part.owner for part in parts} == {str(OWNER), str(OTHER)}
    assert all(part.shares is None and part.target is None for part in parts)


@lawful
@given(JOINTS)
def test_a_committed_group_leaves_each_member_what_it_wants_and_an_undone_one_what_it_had(joint: Joint) -> None:
    done = entered(record_of(joint, joint.plan.after, undone=False), {})
    for plan, part in zip(joint.members, done, strict=True):
        assert {c.id for c in plan.changes() if c.manifest is not None} <= part.inventory.ids()
    back = entered(record_of(joint, joint.plan.before, undone=True), {})
    for plan, other, part in zip(joint.members, reversed(joint.members), back, strict=True):
        assert plan.before.ids() - other.before.ids() <= part.inventory.ids() <= plan.before.ids()


@lawful
@given(JOINTS)
def test_entering_the_end_again_after_a_crash_changes_nothing(joint: Joint) -> None:
    ended = record_of(joint, joint.plan.after, undone=False)
    once = {Owner(*r.owner.split("/")): r for r in entered(ended, {})}
    assert entered(ended, once) == tuple(once.values())
    first = {OWNER: once[OWNER]}
    assert entered(ended, first) == tuple(once.values())
    assert closed(ended).epoch == ended.epoch
    assert closed(ended).shares is None


@lawful
@given(JOINTS)
def test_a_group_s_record_under_way_is_read_back_as_it_was(joint: Joint) -> None:
    target = UndoTarget(joint.plan.before, {})
    record = Record(str(GROUP), 4, Phase.APPLYING, "r", joint.plan.during, target, shares=joint.shares)
    assert decode_record(encode_record(record)) == record


@lawful
@given(JOINTS)
def test_no_member_deletes_more_than_alone(joint: Joint) -> None:
    for change in (c for b in joint.plan.prunes for c in b.changes):
        owner = joint.shares.owner_of(change.id)
        plan = next(plan for plan in joint.members if plan.owner == owner)
        assert replace(change) in [c for b in plan.prunes for c in b.changes]
        assert change.action is Action.PRUNE
