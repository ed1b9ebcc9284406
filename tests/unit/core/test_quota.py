"""Quotas computed ahead, and quantities."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Live, Plan, PlanOptions, build_plan
from sluice.core.quantity import parse_quantity
from sluice.core.quota import Quota, check_quotas, created
from tests.plans import OWNER, entry, manifest

PLURALS = {"ConfigMap": "configmaps", "Deployment": "deployments", "Pod": "pods", "Secret": "secrets"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("2", 2),
        (3, 3),
        ("100m", Fraction(1, 10)),
        ("1.5Gi", 3 * 2**29),
        (".5k", 500),
        ("1e3", 1000),
        ("2E-1", Fraction(1, 5)),
        ("-1", -1),
        ("4E", 4 * 10**18),
        ("1Ki", 1024),
        ("5n", Fraction(5, 10**9)),
    ],
)
def test_a_quantity_is_exact(text: object, number: Any) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1gi", "--1", "1e", "1e999999999", "9" * 99, None, True, [], "1\n"])
def test_what_is_no_quantity_is_none(text: object) -> None:
    assert parse_quantity(text) is None


@given(st.text(max_size=20))
def test_no_text_breaks_a_quantity(text: str) -> None:
    parse_quantity(text)


def plan_of(*desired: Manifest, gone: tuple[Manifest, ...] = (), live: tuple[Manifest, ...] = ()) -> Plan:
    there = {m.id for m in (*gone, *live)}
    inventory = Inventory(entry(m) for m in gone)

    def look(resource: ResourceId) -> Live | None:
        return Live("uid-1", "1", "g1", OWNER) if resource in there else None

    return build_plan(OWNER, desired, inventory, look, PlanOptions())


def plural(resource: ResourceId) -> str:
    return PLURALS.get(resource.kind, "")


def quota(hard: dict[str, str], used: dict[str, str]) -> Quota:
    return Quota("shop", "q", hard, used)


def maps(number: int) -> list[Manifest]:
    return [manifest("ConfigMap", f"c{n}") for n in range(number)]


@pytest.mark.parametrize("what", ["configmaps", "count/configmaps"])
def test_each_object_beyond_a_count_is_named_with_its_place(what: str) -> None:
    refused, warned = check_quotas(plan_of(*maps(4)), [quota({what: "5"}, {what: "3"})], plural)
    assert [p.code for p in refused] == [codes.QUOTA_EXCEEDED] * 2
    assert [(str(p.subject), str(p.origin)) for p in refused] == [
        ("ConfigMap shop/c2", "c2.yaml:1"),
        ("ConfigMap shop/c3", "c3.yaml:1"),
    ]
    assert f"{what}: hard 5, used 3, and this revision wants 4 more" in refused[0].cause
    assert warned == ()


def test_what_fits_exactly_and_what_is_there_already_is_no_problem() -> None:
    full = quota({"count/configmaps": "3"}, {"count/configmaps": "1"})
    assert check_quotas(plan_of(*maps(2)), [full], plural) == ((), ())
    assert check_quotas(plan_of(*maps(5), live=tuple(maps(5))), [full], plural) == ((), ())


def test_another_namespace_group_or_kind_is_not_counted() -> None:
    none = [
        quota({"count/secrets": "0", "secrets": "0", "count/configmaps.example.com": "0"}, {"count/secrets": "0"}),
        Quota("other", "q", {"configmaps": "0"}, {"configmaps": "0"}),
        quota({"configmaps": "0"}, {}),
    ]
    assert check_quotas(plan_of(*maps(2)), none, plural) == ((), ())


def test_a_group_is_part_of_the_count_s_name() -> None:
    web = manifest("Deployment", "web", spec={"spec": {}})
    full = quota({"count/deployments.apps": "1"}, {"count/deployments.apps": "1"})
    assert len(check_quotas(plan_of(web), [full], plural)[0]) == 1


def test_room_that_only_pruning_makes_is_explained() -> None:
    full = quota({"configmaps": "1"}, {"configmaps": "1"})
    refused, _ = check_quotas(
        plan_of(manifest("ConfigMap", "new"), gone=(manifest("ConfigMap", "old"),)), [full], plural
    )
    assert "pruning comes last" in refused[0].fix


def test_a_namespace_that_the_plan_creates_has_no_quota_to_ask_for() -> None:
    assert created(plan_of(manifest("Namespace", "shop"), manifest("ConfigMap", "a"))) == []


def pods_of(replicas: Any, *requests: dict[str, Any], init: dict[str, Any] | None = None) -> Manifest:
    pod: dict[str, Any] = {"containers": [{"name": "c", "resources": r} for r in requests]}
    if init is not None:
        pod["initContainers"] = [{"name": "i", "resources": init}]
    return manifest("Deployment", "web", spec={"spec": {"replicas": replicas, "template": {"spec": pod}}})


CPU = {"requests.cpu": "1"}


@pytest.mark.parametrize(
    ("web", "warned"),
    [
        (pods_of(2, {"requests": {"cpu": "300m"}}, {"requests": {"cpu": "300m"}}), True),
        (pods_of(2, {"requests": {"cpu": "250m"}}, {"requests": {"cpu": "250m"}}), False),
        (pods_of(2, {"limits": {"cpu": "600m"}}), True),
        (pods_of(2, {"requests": {"cpu": "1m"}, "limits": {"cpu": "600m"}}), False),
        (pods_of(2, {"requests": {"cpu": "1m"}}, init={"requests": {"cpu": "600m"}}), True),
        (pods_of(2, {}), False),
        (pods_of("many", {"requests": {"cpu": "9"}}), False),
        (pods_of(2, {"requests": {"cpu": "much"}}), False),
        (manifest("Deployment", "web", spec={"spec": "none"}), False),
    ],
)
def test_what_pods_will_ask_for_is_a_warning(web: Manifest, warned: bool) -> None:
    refused, warnings = check_quotas(plan_of(web), [quota(CPU, {"requests.cpu": "0"})], plural)
    assert refused == ()
    assert [p.code for p in warnings] == ([codes.QUOTA_TIGHT] if warned else [])
