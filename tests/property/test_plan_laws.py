"""Laws of the plan, for any desired state, inventory and cluster."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Manifest
from sluice.core.order import order_of
from sluice.core.plan import Action, Live, PlanOptions, build_plan, needs_live
from tests.plans import IDS, OWNER, desired, inventories, lives

OPTIONS = st.builds(PlanOptions, prune=st.booleans(), suspects=st.frozensets(IDS, max_size=3))
WANTED, KNOWN, CLUSTER = desired(), inventories(), lives()


@given(WANTED, KNOWN, CLUSTER, OPTIONS)
def test_only_what_is_in_the_inventory_undesired_labelled_as_ours_and_has_the_recorded_uid_is_pruned(
    wanted: tuple[Manifest, ...], known: Inventory, cluster: dict[ResourceId, Live], options: PlanOptions
) -> None:
    plan = build_plan(OWNER, wanted, known, cluster.get, options)
    for change in (c for batch in plan.prunes for c in batch.changes):
        recorded, found = known.get(change.id), cluster[change.id]
        assert options.prune
        assert recorded is not None
        assert change.id not in {m.id for m in wanted}
        assert found.owner == OWNER
        assert recorded.uid in {"", found.uid}
        assert found.directives.prune
        assert found.directives.reconcile
        assert change.uid == found.uid


@given(WANTED, KNOWN, CLUSTER, OPTIONS)
def test_the_inventory_during_holds_every_object_of_before_and_after(
    wanted: tuple[Manifest, ...], known: Inventory, cluster: dict[ResourceId, Live], options: PlanOptions
) -> None:
    plan = build_plan(OWNER, wanted, known, cluster.get, options)
    assert plan.during.ids() == plan.before.ids() | plan.after.ids()
    assert {m.id for m in wanted} <= plan.after.ids()
    written = {c.id for batch in (*plan.applies, *plan.prunes) for c in batch.changes}
    assert written <= plan.during.ids()


@given(WANTED, KNOWN, CLUSTER, OPTIONS)
def test_a_plan_names_every_object_of_git_and_inventory_exactly_once(
    wanted: tuple[Manifest, ...], known: Inventory, cluster: dict[ResourceId, Live], options: PlanOptions
) -> None:
    changes = [c.id for c in build_plan(OWNER, wanted, known, cluster.get, options).changes()]
    assert sorted(changes) == sorted({m.id for m in wanted} | known.ids())


@given(WANTED, KNOWN, CLUSTER, OPTIONS)
def test_only_what_was_asked_for_is_looked_up(
    wanted: tuple[Manifest, ...], known: Inventory, cluster: dict[ResourceId, Live], options: PlanOptions
) -> None:
    asked = {i: cluster.get(i) for i in needs_live(wanted, known, options)}
    # A KeyError here would be a look-up that nobody made, taken for an absence.
    plan = build_plan(OWNER, wanted, known, asked.__getitem__, options)
    assert plan.digest() == build_plan(OWNER, wanted, known, cluster.get, options).digest()


@given(WANTED, KNOWN, CLUSTER, OPTIONS, st.randoms(use_true_random=False))
def test_equal_inputs_give_equal_plans_whatever_their_order(
    wanted: tuple[Manifest, ...],
    known: Inventory,
    cluster: dict[ResourceId, Live],
    options: PlanOptions,
    chance: object,
) -> None:
    shuffled = list(wanted)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    first = build_plan(OWNER, wanted, known, cluster.get, options)
    second = build_plan(OWNER, tuple(shuffled), Inventory(reversed(list(known))), cluster.get, options)
    assert (first.applies, first.prunes, first.during) == (second.applies, second.prunes, second.during)


@given(WANTED, KNOWN, CLUSTER)
def test_after_a_plan_has_run_the_next_one_writes_nothing(
    wanted: tuple[Manifest, ...], known: Inventory, cluster: dict[ResourceId, Live]
) -> None:
    plan = build_plan(OWNER, wanted, known, cluster.get, PlanOptions())
    after, inventory = dict(cluster), {e.id: e for e in plan.after}
    for batch in plan.applies:
        for change in batch.changes:
            assert change.manifest is not None
            found = cluster.get(change.id)
            uid = found.uid if found else "fresh"
            after[change.id] = Live(uid, "200", "g2", OWNER, change.manifest.directives)
            inventory[change.id] = Entry(change.id, change.api_version, uid, change.manifest.digest, "g2")
    for batch in plan.prunes:
        for change in batch.changes:
            del after[change.id]
    again = build_plan(OWNER, wanted, Inventory(inventory.values()), after.get, PlanOptions())
    assert again.writes == 0
    assert again.during == again.before == again.after
    assert {c.action for c in again.kept} <= {Action.KEEP, Action.SKIP}


@given(WANTED, KNOWN, CLUSTER, OPTIONS)
def test_applies_follow_the_order_of_kinds_and_prunes_its_reverse(
    wanted: tuple[Manifest, ...], known: Inventory, cluster: dict[ResourceId, Live], options: PlanOptions
) -> None:
    plan = build_plan(OWNER, wanted, known, cluster.get, options)
    applied = [order_of(c.id.group_kind, c.manifest.directives.wave if c.manifest else 0)
               for b in plan.applies for c in b.changes]  # fmt: skip
    pruned = [order_of(c.id.group_kind) for b in plan.prunes for c in b.changes]
    assert applied == sorted(applied)
    assert pruned == sorted(pruned, reverse=True)


@given(WANTED, KNOWN, CLUSTER, OPTIONS)
def test_an_object_that_may_be_sent_has_no_digest_in_the_record_meanwhile(
    wanted: tuple[Manifest, ...], known: Inventory, cluster: dict[ResourceId, Live], options: PlanOptions
) -> None:
    plan = build_plan(OWNER, wanted, known, cluster.get, options)
    for change in (c for batch in plan.applies for c in batch.changes):
        recorded = plan.during.get(change.id)
        assert recorded is not None
        assert recorded.digest == b""
