"""Desired manifests and live objects to ordered changes."""

from __future__ import annotations

import pytest

from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Directives, Manifest
from sluice.core.plan import Action, Change, Live, Owner, Plan, PlanOptions, build_plan, needs_live
from tests.plans import OTHER, OWNER, entry, live, manifest

A = manifest("ConfigMap", "a")
A2 = manifest("ConfigMap", "a", "2")


def plan_of(
    desired: list[Manifest],
    inventory: list[Entry],
    cluster: dict[ResourceId, Live],
    options: PlanOptions = PlanOptions(),  # noqa: B008
) -> Plan:
    return build_plan(OWNER, tuple(desired), Inventory(inventory), cluster.get, options)


def only(plan: Plan) -> Change:
    (change,) = plan.changes()
    return change


# What becomes of one desired object: (known entry, live object, action, words of the reason).
DESIRED = [
    ("it is nowhere", A, None, None, Action.CREATE, ""),
    ("it is unchanged", A, entry(A), live(), Action.KEEP, "unchanged"),
    ("its text changed", A2, entry(A), live(), Action.UPDATE, ""),
    ("its apply was never confirmed", A, Entry(A.id, "v1", "uid-1"), live(), Action.UPDATE, ""),
    ("its UID is not known", A, Entry(A.id, "v1", "", A.digest), live(), Action.UPDATE, ""),
    ("it was deleted", A2, entry(A), None, Action.CREATE, ""),
    ("it exists without an owner", A, None, live(owner=None), Action.ADOPT, "no owner"),
    ("another sync's labels are on it", A, None, live(owner=OTHER), Action.ADOPT, "flux-system/other"),
    (
        "git says reconcile: disabled",
        manifest("ConfigMap", "a", wants=Directives(reconcile=False)),
        entry(A),
        live(),
        Action.SKIP,
        "reconcile: disabled",
    ),
    (
        "git says ssa: Ignore",
        manifest("ConfigMap", "a", wants=Directives(ssa="ignore")),
        None,
        None,
        Action.SKIP,
        "ssa: Ignore",
    ),
    (
        "the live object says reconcile: disabled",
        A2,
        entry(A),
        live(wants=Directives(reconcile=False)),
        Action.SKIP,
        "on the live object",
    ),
    (
        "it may only be created and is there",
        manifest("ConfigMap", "a", "2", wants=Directives(ssa="ifnotpresent")),
        entry(A),
        live(),
        Action.SKIP,
        "IfNotPresent",
    ),
    (
        "it may only be created and is not there",
        manifest("ConfigMap", "a", "2", wants=Directives(ssa="ifnotpresent")),
        entry(A),
        None,
        Action.CREATE,
        "",
    ),
]


@pytest.mark.parametrize(("case", "wanted", "known", "found", "action", "reason"), DESIRED, ids=[d[0] for d in DESIRED])
def test_what_becomes_of_a_desired_object_when(
    case: str, wanted: Manifest, known: Entry | None, found: Live | None, action: Action, reason: str
) -> None:
    plan = plan_of([wanted], [known] if known else [], {A.id: found} if found else {})
    assert only(plan).action is action, case
    assert reason in only(plan).reason
    assert A.id in plan.after
    assert A.id in plan.during


# What becomes of an object of the inventory that left the desired state.
LEFT = [
    ("it is ours", entry(A), live(), Action.PRUNE, "left the desired state"),
    ("its UID is not known but the labels are ours", Entry(A.id, "v1"), live(), Action.PRUNE, "left"),
    ("it is gone", entry(A), None, Action.RELEASE, "already gone"),
    ("it was recreated by somebody", entry(A), live("uid-2"), Action.RELEASE, "recreated"),
    ("it lost our labels", entry(A), live(owner=None), Action.RELEASE, "lost our owner labels"),
    ("another sync has it now", entry(A), live(owner=OTHER), Action.RELEASE, "flux-system/other"),
    ("it says prune: disabled", entry(A), live(wants=Directives(prune=False)), Action.RELEASE, "prune: disabled"),
    ("it says reconcile: disabled", entry(A), live(wants=Directives(reconcile=False)), Action.RELEASE, "reconcile"),
    ("it says ssa: Ignore", entry(A), live(wants=Directives(ssa="ignore")), Action.RELEASE, "ssa: Ignore"),
    ("a finalizer holds it", entry(A), live(deleting=True), Action.KEEP, "being deleted"),
]


@pytest.mark.parametrize(("case", "known", "found", "action", "reason"), LEFT, ids=[d[0] for d in LEFT])
def test_what_becomes_of_an_object_that_left_git_when(
    case: str, known: Entry, found: Live | None, action: Action, reason: str
) -> None:
    plan = plan_of([], [known], {A.id: found} if found else {})
    assert only(plan).action is action, case
    assert reason in only(plan).reason
    assert A.id in plan.during
    assert (A.id in plan.after) == (action is Action.KEEP)


def test_with_pruning_off_what_left_is_released() -> None:
    plan = plan_of([], [entry(A)], {A.id: live()}, PlanOptions(prune=False))
    assert only(plan).action is Action.RELEASE
    assert only(plan).reason == "pruning is off"


# What becomes of an object that left git, and that another sync is to have: it is held until that one has it.
MOVING = [
    ("it is ours still", entry(A), live(), Action.OFFER, "flux-system/other takes it over"),
    ("the other is taking it", entry(A), live(owner=OTHER), Action.OFFER, "flux-system/other is taking it over"),
    ("the other made it anew", entry(A), live("uid-2", owner=OTHER), Action.OFFER, "is taking it over"),
    ("it is gone", entry(A), None, Action.RELEASE, "already gone"),
    ("it lost our labels", entry(A), live(owner=None), Action.RELEASE, "lost our owner labels"),
    ("it was recreated by somebody", entry(A), live("uid-2"), Action.RELEASE, "recreated"),
    ("it may stay for ever", entry(A), live(wants=Directives(prune=False)), Action.RELEASE, "prune: disabled"),
    ("it is being deleted", entry(A), live(deleting=True), Action.KEEP, "being deleted"),
]


@pytest.mark.parametrize(("case", "known", "found", "action", "reason"), MOVING, ids=[d[0] for d in MOVING])
def test_what_becomes_of_an_object_that_another_sync_is_to_have_when(
    case: str, known: Entry, found: Live | None, action: Action, reason: str
) -> None:
    plan = plan_of([], [known], {A.id: found} if found else {}, PlanOptions(handed_over={A.id: (OTHER,)}))
    assert only(plan).action is action, case
    assert reason in only(plan).reason
    assert plan.writes == 0
    assert (A.id in plan.after) == (action is not Action.RELEASE)


def test_with_pruning_off_nothing_is_held_for_another_sync() -> None:
    plan = plan_of([], [entry(A)], {A.id: live()}, PlanOptions(prune=False, handed_over={A.id: (OTHER,)}))
    assert only(plan).action is Action.RELEASE


def test_what_may_be_for_another_sync_is_held_with_the_reason_why_nobody_knows() -> None:
    options = PlanOptions(handed_over={A.id: (OTHER,)}, unsure={A.id: "it can't be rendered"})
    plan = plan_of([], [entry(A)], {A.id: live()}, options)
    assert (only(plan).action, only(plan).reason) == (Action.OFFER, "it can't be rendered")
    assert A.id in plan.after


def test_a_suspect_is_sent_again_although_its_text_is_unchanged() -> None:
    plan = plan_of([A], [entry(A)], {A.id: live()}, PlanOptions(suspects=frozenset({A.id})))
    assert only(plan).action is Action.UPDATE


def test_looking_is_asked_for_exactly_what_may_change_or_has_left() -> None:
    same, changed, fresh, off, left = (manifest("ConfigMap", n) for n in ("same", "changed", "fresh", "off", "left"))
    desired = [
        same,
        manifest("ConfigMap", "changed", "2"),
        fresh,
        manifest("ConfigMap", "off", wants=Directives(reconcile=False)),
    ]
    inventory = Inventory([entry(same), entry(changed), entry(off), entry(left)])
    assert needs_live(desired, inventory, PlanOptions()) == {changed.id, fresh.id, left.id}


def test_a_failed_look_up_is_an_error_and_never_an_absence() -> None:
    def forbidden(resource: ResourceId) -> Live | None:
        raise PermissionError(str(resource))

    with pytest.raises(PermissionError):
        build_plan(OWNER, (), Inventory([entry(A)]), forbidden, PlanOptions())


def test_changes_run_in_order_and_prunes_in_reverse() -> None:
    kinds = ["Deployment", "Namespace", "ConfigMap", "CustomResourceDefinition"]
    wanted = [manifest(kind, "new") for kind in kinds]
    old = [manifest(kind, "old") for kind in kinds]
    plan = plan_of(wanted, [entry(m) for m in old], {m.id: live() for m in old})
    applied = [c.id.kind for batch in plan.applies for c in batch.changes]
    pruned = [c.id.kind for batch in plan.prunes for c in batch.changes]
    assert applied == ["CustomResourceDefinition", "Namespace", "ConfigMap", "Deployment"]
    assert pruned == list(reversed(applied))
    assert plan.writes == 8


def test_objects_of_one_rank_share_a_batch() -> None:
    plan = plan_of([manifest("ConfigMap", "a"), manifest("ConfigMap", "b"), manifest("Secret", "a")], [], {})
    assert [len(batch.changes) for batch in plan.applies] == [2, 1]


def test_an_entry_loses_its_digest_before_its_object_is_sent() -> None:
    plan = plan_of([A2], [entry(A)], {A.id: live()})
    assert plan.during.get(A.id) == Entry(A.id, "v1", "uid-1")


def test_an_object_recreated_under_the_same_name_gets_its_new_uid_into_the_inventory() -> None:
    plan = plan_of([A2], [entry(A, "old")], {A.id: live("new")})
    assert plan.during.get(A.id) == Entry(A.id, "v1", "new")
    assert only(plan).uid == "new"


def test_a_digest_names_what_would_be_done() -> None:
    first = plan_of([A], [], {})
    assert first.digest() == plan_of([A], [], {}).digest()
    assert first.digest() != plan_of([A2], [], {}).digest()
    assert first.digest() != plan_of([], [entry(A)], {A.id: live()}).digest()


def test_owner_labels_name_the_owner_and_are_read_back() -> None:
    assert Owner.of(OWNER.labels()) == OWNER
    assert Owner.of({}) is None
    assert Owner.of({"kustomize.toolkit.fluxcd.io/name": "apps"}) is None
    assert Owner.of({"kustomize.toolkit.fluxcd.io/name": "", "kustomize.toolkit.fluxcd.io/namespace": ""}) is None
    assert str(OWNER) == "flux-system/apps"
