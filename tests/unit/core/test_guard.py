"""Reasons to refuse a plan before anything is written."""

from __future__ import annotations

import pytest

from sluice.core import codes
from sluice.core.guard import GuardOptions, OwnParts, check_namespaces, guard
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Live, Owner, Plan, PlanOptions, build_plan
from tests.plans import OTHER, OWNER, entry, live, manifest, rid

TEN = [manifest("ConfigMap", f"c{n}") for n in range(10)]


def leaving(count: int) -> Plan:
    """A plan that keeps some of ten objects and prunes `count`."""
    cluster = {m.id: live() for m in TEN}
    return build_plan(OWNER, tuple(TEN[count:]), Inventory(map(entry, TEN)), cluster.get, PlanOptions())


NOWHERE: dict[ResourceId, Live] = {}


def unclaimed(resource: ResourceId) -> Owner | None:
    return None


def test_an_ordinary_plan_is_not_refused() -> None:
    assert guard(leaving(3), GuardOptions(), unclaimed) == ()


def test_a_revision_without_objects_is_refused_while_the_inventory_has_some() -> None:
    (problem,) = guard(leaving(10), GuardOptions(), unclaimed)
    assert problem.code is codes.EMPTY_RENDER
    assert "10 are in the cluster" in problem.title
    assert problem.field == "spec.allowEmpty"


def test_allow_empty_confirms_a_revision_without_objects() -> None:
    assert guard(leaving(10), GuardOptions(allow_empty=True), unclaimed) == ()


def test_an_empty_revision_is_refused_although_another_object_is_still_being_deleted() -> None:
    a, b = TEN[:2]
    cluster = {a.id: live(), b.id: live(deleting=True)}
    plan = build_plan(OWNER, (), Inventory([entry(a), entry(b)]), cluster.get, PlanOptions())
    assert [p.code for p in guard(plan, GuardOptions(), unclaimed)] == [codes.EMPTY_RENDER]


def test_an_empty_revision_that_deletes_nothing_is_fine() -> None:
    plan = build_plan(OWNER, (), Inventory(map(entry, TEN)), NOWHERE.get, PlanOptions())
    assert guard(plan, GuardOptions(), unclaimed) == ()


@pytest.mark.parametrize(("limit", "count", "refused"), [(30, 3, False), (30, 4, True), (0, 1, True), (100, 9, False)])
def test_more_prunes_than_the_limit_allows_are_refused(limit: int, count: int, refused: bool) -> None:
    problems = guard(leaving(count), GuardOptions(prune_limit=limit), unclaimed)
    assert [p.code for p in problems] == ([codes.PRUNE_LIMIT] if refused else [])


def test_a_prune_limit_names_the_first_twenty_objects_and_counts_the_rest() -> None:
    many = [manifest("ConfigMap", f"c{n:02}") for n in range(25)]
    plan = build_plan(
        OWNER,
        (manifest("Secret", "keep"),),
        Inventory(map(entry, many)),
        {m.id: live() for m in many}.get,
        PlanOptions(),
    )
    (problem,) = guard(plan, GuardOptions(prune_limit=10), unclaimed)
    assert "ConfigMap shop/c19" in problem.cause
    assert "ConfigMap shop/c20" not in problem.cause
    assert problem.cause.endswith("and 5 more")


def test_the_operators_own_parts_can_neither_be_changed_nor_pruned() -> None:
    own = GuardOptions(own=OwnParts(frozenset({TEN[0].id, TEN[9].id})))
    changed = manifest("ConfigMap", "c9", "2")
    plan = build_plan(
        OWNER, (*TEN[1:9], changed), Inventory(map(entry, TEN)), {m.id: live() for m in TEN}.get, PlanOptions()
    )
    problems = guard(plan, own, unclaimed)
    assert [(p.code, p.subject) for p in problems] == [
        (codes.SELF_PROTECT, TEN[9].id),
        (codes.SELF_PROTECT, TEN[0].id),
    ]


def test_the_operators_crds_and_namespace_may_be_in_git_but_are_never_pruned() -> None:
    own = GuardOptions(own=OwnParts(kept=frozenset({TEN[0].id, TEN[9].id})))
    changed = manifest("ConfigMap", "c9", "2")
    plan = build_plan(
        OWNER, (*TEN[1:9], changed), Inventory(map(entry, TEN)), {m.id: live() for m in TEN}.get, PlanOptions()
    )
    (problem,) = guard(plan, own, unclaimed)
    assert (problem.code, problem.subject) == (codes.SELF_PROTECT, TEN[0].id)
    assert "prune: disabled" in problem.fix


def test_no_commit_forges_a_record() -> None:
    forged = manifest("Secret", "sluice-record-0123")
    own = GuardOptions(own=OwnParts(home="shop"))
    plan = build_plan(OWNER, (forged, TEN[0]), Inventory(), NOWHERE.get, PlanOptions())
    assert [p.subject for p in guard(plan, own, unclaimed)] == [forged.id]
    assert guard(plan, GuardOptions(own=OwnParts(home="elsewhere")), unclaimed) == ()


def test_an_object_in_the_desired_state_of_another_sync_is_refused_by_name() -> None:
    plan = build_plan(OWNER, (TEN[0],), Inventory(), {TEN[0].id: live(owner=OTHER)}.get, PlanOptions())
    (problem,) = guard(plan, GuardOptions(), {TEN[0].id: OTHER}.get)
    assert problem.code is codes.OWNED_BY_ANOTHER
    assert "flux-system/other" in problem.title
    assert problem.origin == TEN[0].origin


def test_a_claim_of_its_own_is_no_reason() -> None:
    plan = build_plan(OWNER, (TEN[0],), Inventory(), NOWHERE.get, PlanOptions())
    assert guard(plan, GuardOptions(), {TEN[0].id: OWNER}.get) == ()


def test_a_namespace_must_be_there_where_the_kind_needs_one_and_nowhere_else() -> None:
    lost = Manifest(rid("ConfigMap", "a", ""), "v1", b"{}", TEN[0].origin, b"")
    placed = Manifest(ResourceId("", "Namespace", "shop", "x"), "v1", b"{}", TEN[0].origin, b"")
    scopes = {GroupKind("", "ConfigMap"): True, GroupKind("", "Namespace"): False}
    problems = check_namespaces([lost, placed, TEN[0], manifest("Gadget", "g")], scopes.get)
    assert [p.code for p in problems] == [codes.NAMESPACE_MISSING, codes.NAMESPACE_NOT_ALLOWED]
    assert all(p.origin and p.field == "metadata.namespace" for p in problems)


SHOP = manifest("Namespace", "shop", namespace="")
GADGETS = ResourceId("apiextensions.k8s.io", "CustomResourceDefinition", "", "gadgets.example.com")


@pytest.mark.parametrize(
    ("gone", "stays", "refused"),
    [
        (SHOP.id, manifest("ConfigMap", "c"), True),
        (SHOP.id, manifest("ConfigMap", "c", namespace="other"), False),
        (SHOP.id, manifest("Namespace", "other", namespace=""), False),
        (GADGETS, manifest("Gadget", "w"), True),
        (GADGETS, manifest("ConfigMap", "c"), False),
        (rid("ConfigMap", "shop"), manifest("ConfigMap", "c"), False),
    ],
)
def test_a_revision_that_deletes_what_it_needs_contradicts_itself(
    gone: ResourceId, stays: Manifest, refused: bool
) -> None:
    before = Inventory([Entry(gone, "v1", uid="uid-1"), entry(stays)])
    plan = build_plan(OWNER, (stays,), before, {gone: live(), stays.id: live()}.get, PlanOptions())
    assert [c.id for batch in plan.prunes for c in batch.changes] == [gone]
    options = GuardOptions(crd_of=lambda key: "gadgets.example.com" if key.kind == "Gadget" else "")
    problems = guard(plan, options, unclaimed)
    assert [(p.code, p.subject) for p in problems] == ([(codes.PRUNES_ITS_OWN, gone)] if refused else [])
    if refused:
        assert str(stays.id) in problems[0].cause
        assert problems[0].origin == stays.origin


def test_a_namespace_that_leaves_with_all_that_is_in_it_is_no_contradiction() -> None:
    inside = manifest("ConfigMap", "c")
    before = Inventory([Entry(SHOP.id, "v1", uid="uid-1"), entry(inside)])
    keep = manifest("ConfigMap", "k", namespace="other")
    cluster = {SHOP.id: live(), inside.id: live(), keep.id: live()}
    plan = build_plan(OWNER, (keep,), before, cluster.get, PlanOptions())
    assert guard(plan, GuardOptions(), unclaimed) == ()


def test_a_namespace_in_which_other_syncs_have_objects_is_not_pruned_and_all_of_them_are_named() -> None:
    keep = manifest("ConfigMap", "k", namespace="other")
    before = Inventory([Entry(SHOP.id, "v1", uid="uid-1"), entry(keep)])
    plan = build_plan(OWNER, (keep,), before, {SHOP.id: live(), keep.id: live()}.get, PlanOptions())
    others = {OTHER: rid("ConfigMap", "a"), Owner("flux-system", "third"): rid("Secret", "b")}
    options = GuardOptions(others_in=lambda namespace: others if namespace == "shop" else {})
    (problem,) = guard(plan, options, unclaimed)
    assert (problem.code, problem.subject) == (codes.PRUNES_OTHERS, SHOP.id)
    assert problem.cause == (
        "pruning it would delete ConfigMap shop/a of flux-system/other, Secret shop/b of flux-system/third"
    )
