"""Who else seems to own an object, and what each value of spec.adopt takes."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.core import codes
from sluice.core.adoption import Adopt, owner_mark
from sluice.core.guard import GuardOptions, guard
from sluice.core.inventory import Inventory
from sluice.core.live import LiveMeta, LiveOwner
from sluice.core.plan import Live, Plan, PlanOptions, build_plan
from sluice.core.problem import Problem
from tests.plans import OTHER, OWNER, entry, live, manifest

HELM = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"}
MARKS: list[tuple[str, dict[str, Any], str]] = [
    ("nothing is on it", {}, ""),
    ("Helm released it", {"annotations": HELM}, "Helm release shop/web"),
    ("a chart was rendered into git", {"labels": {"app.kubernetes.io/managed-by": "Helm"}}, ""),
    (
        "Flux's helm-controller released it",
        {"labels": {"helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "shop"}},
        "HelmRelease shop/web",
    ),
    (
        "Argo CD tracks it by annotation",
        {"annotations": {"argocd.argoproj.io/tracking-id": "guestbook:apps/Deployment:shop/web"}},
        "Argo CD application guestbook",
    ),
    (
        "Argo CD tracks it by label",
        {"labels": {"argocd.argoproj.io/instance": "guestbook"}},
        "Argo CD application guestbook",
    ),
    ("fluxd applied it", {"labels": {"fluxcd.io/sync-gc-mark": "sha256.abc"}}, "fluxd"),
    ("a controller made it", {"owner_references": (LiveOwner("u", "ReplicaSet", "web", True),)}, "ReplicaSet web"),
    ("it only goes with another object", {"owner_references": (LiveOwner("u", "ConfigMap", "base"),)}, ""),
    ("a sync's labels are on it", {"labels": OWNER.labels()}, ""),
]


@pytest.mark.parametrize(("case", "meta", "mark"), MARKS, ids=[m[0] for m in MARKS])
def test_an_object_seems_to_belong_to(case: str, meta: dict[str, Any], mark: str) -> None:
    assert owner_mark(LiveMeta("web", "shop", **meta)) == mark, case


A = manifest("ConfigMap", "a")


def plan(found: Live, adopt: Adopt, known: Inventory | None = None) -> Plan:
    return build_plan(OWNER, (A,), known or Inventory(), {A.id: found}.get, PlanOptions(adopt=adopt))


def refused(found: Live, adopt: Adopt, *, syncs: bool = False, known: Inventory | None = None) -> tuple[Problem, ...]:
    return guard(plan(found, adopt, known), GuardOptions(is_sync=lambda _: syncs), lambda _: None)


FREE, HELD, LABELLED = live(owner=None), Live("uid-1", "1", "g1", mark="fluxd"), live(owner=OTHER)


@pytest.mark.parametrize(
    ("adopt", "found", "allowed"),
    [
        (Adopt.ALWAYS, FREE, True),
        (Adopt.ALWAYS, HELD, True),
        (Adopt.ALWAYS, LABELLED, True),
        (Adopt.IF_UNOWNED, FREE, True),
        (Adopt.IF_UNOWNED, HELD, False),
        (Adopt.IF_UNOWNED, LABELLED, False),
        (Adopt.NEVER, FREE, False),
        (Adopt.NEVER, HELD, False),
        (Adopt.NEVER, LABELLED, False),
    ],
)
def test_each_value_takes_what_it_says(adopt: Adopt, found: Live, allowed: bool) -> None:
    problems = refused(found, adopt)
    assert (problems == ()) is allowed
    for problem in problems:
        assert (problem.code, problem.subject, problem.field) == (codes.NOT_ADOPTED, A.id, "spec.adopt")
        assert problem.origin == A.origin
        who = {id(FREE): "nobody", id(HELD): "fluxd", id(LABELLED): f"Kustomization {OTHER}"}[id(found)]
        assert who in problem.cause
        assert f"spec.adopt: {Adopt.IF_UNOWNED if found is FREE else Adopt.ALWAYS}" in problem.fix


def test_what_another_sync_lets_go_is_handed_over_whatever_adopt_says() -> None:
    assert refused(LABELLED, Adopt.NEVER, syncs=True) == ()


@pytest.mark.parametrize("found", [live(owner=None), live(owner=OTHER)])
def test_an_object_of_ours_whose_labels_somebody_changed_is_not_adopted_but_put_right(found: Live) -> None:
    assert refused(found, Adopt.NEVER, known=Inventory([entry(manifest("ConfigMap", "a", "old"))])) == ()


def test_an_object_that_somebody_recreated_is_theirs() -> None:
    again = Live("uid-2", "1", "g1")
    assert [
        p.code for p in refused(again, Adopt.NEVER, known=Inventory([entry(manifest("ConfigMap", "a", "old"))]))
    ] == [codes.NOT_ADOPTED]
