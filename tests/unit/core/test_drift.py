"""What differs of an object that is ours, in words: which field, how, by whom and when; and never a value."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sluice.core.drift import Drifted, DriftMode, expires, find_drift, mode_of, pointer_of, warned
from sluice.core.ids import ResourceId
from sluice.core.manifest import DEFAULT_DIRECTIVES, Directives, Manifest
from sluice.core.problem import Origin

OURS = "kustomize-controller"
WEB = ResourceId("apps", "Deployment", "shop", "web")
Json = dict[str, Any]


def manifest(body: Json | None = None, key: ResourceId = WEB) -> Manifest:
    return Manifest(key, "apps/v1", json.dumps(body or {}).encode(), Origin("web.yaml", 1), b"1")


def manager(name: str, fields: Json, *, operation: str = "Update", time: str = "T1", subresource: str = "") -> Json:
    entry = {"manager": name, "operation": operation, "time": time, "fieldsV1": fields}
    return entry | ({"subresource": subresource} if subresource else {})


def ours(fields: Json) -> Json:
    return manager(OURS, fields, operation="Apply", time="T0")


def item(spec: Json, *managers: Json) -> bytes:
    return json.dumps({"metadata": {"name": "web", "managedFields": list(managers)}, "spec": spec}).encode()


REPLICAS: Json = {"f:spec": {"f:replicas": {}}}
WANTED = item({"replicas": 1}, ours(REPLICAS))
CONTAINERS: Json = {"f:spec": {"f:containers": {'k:{"name":"main"}': {".": {}, "f:name": {}, "f:image": {}}}}}
WITH_CONTAINER = item({"containers": [{"name": "main", "image": "a"}]}, ours(CONTAINERS))

CASES = [
    ("nothing differs", item({"replicas": 1}, ours(REPLICAS)), WANTED, None),
    ("another has set the same value", item({"replicas": 1}, manager("hpa", REPLICAS)), WANTED, None),
    ("what others put beside it is theirs", item({"replicas": 1, "x": 2}, ours(REPLICAS)), WANTED, None),
    (
        "a changed value",
        item({"replicas": 3}, manager("kubectl-edit", REPLICAS)),
        WANTED,
        "field .spec.replicas of Deployment shop/web changed by kubectl-edit at T1",
    ),
    (
        "through a subresource",
        item({"replicas": 3}, manager("kube-controller-manager", REPLICAS, subresource="scale")),
        WANTED,
        "field .spec.replicas of Deployment shop/web changed by kube-controller-manager (through scale) at T1",
    ),
    (
        "the latest of several owners",
        item({"replicas": 3}, manager("old", REPLICAS, time="T1"), manager("new", REPLICAS, time="T2")),
        WANTED,
        "field .spec.replicas of Deployment shop/web changed by new at T2",
    ),
    (
        "somebody in our name",
        item({"replicas": 3}, manager(OURS, REPLICAS)),
        WANTED,
        f"field .spec.replicas of Deployment shop/web changed by {OURS} at T1",
    ),
    (
        "a removed field has no owner any more",
        item({}, manager("kubectl-edit", {"f:spec": {}})),
        WANTED,
        "field .spec.replicas of Deployment shop/web removed by somebody",
    ),
    (
        "a removed list item is one field, not each of its own",
        item({"containers": []}),
        WITH_CONTAINER,
        "field .spec.containers[name=main] of Deployment shop/web removed by somebody",
    ),
    (
        "an item of a list, by its key",
        item(
            {"containers": [{"name": "side", "image": "s"}, {"name": "main", "image": "b"}]},
            manager("kubectl-set", {"f:spec": {"f:containers": {'k:{"name":"main"}': {"f:image": {}}}}}),
        ),
        WITH_CONTAINER,
        "field .spec.containers[name=main].image of Deployment shop/web changed by kubectl-set at T1",
    ),
]


@pytest.mark.parametrize(("case", "live", "wanted", "text"), CASES, ids=[case[0] for case in CASES])
def test_what_differs_is_said_with_field_manager_and_time(
    case: str, live: bytes, wanted: bytes, text: str | None
) -> None:
    found = find_drift(manifest(), live, wanted, OURS)
    assert (str(found) if found is not None else None) == text


def test_when_we_looked_is_told_where_the_object_does_not_say_when_it_was_changed() -> None:
    undated = manager("kubectl", REPLICAS, subresource="scale", time="")
    found = find_drift(manifest(), item({"replicas": 3}, undated), WANTED, OURS)
    assert found is not None
    assert str(replace(found, seen="T9")).endswith("changed by kubectl (through scale), seen at T9")
    dated = find_drift(manifest(), item({"replicas": 3}, manager("kubectl", REPLICAS)), WANTED, OURS)
    assert dated is not None
    assert str(replace(dated, seen="T9")).endswith("changed by kubectl at T1")


def test_fields_of_one_hand_stand_together_and_many_are_counted() -> None:
    fields: Json = {"f:spec": {f"f:{number:02}": {} for number in range(30)}}
    then = item({f"{number:02}": 1 for number in range(30)}, ours(fields))
    now = item({f"{number:02}": 2 for number in range(30)}, manager("bulk", fields))
    found = find_drift(manifest(), now, then, OURS)
    assert found is not None
    assert len(found.fields) == 10
    assert str(found).startswith("fields .spec.00, .spec.01, ")
    assert str(found).endswith("by bulk at T1; and 20 more fields")


def test_no_value_is_kept() -> None:
    found = find_drift(manifest(), item({"replicas": "hunter2"}), item({"replicas": "hunter1"}, ours(REPLICAS)), OURS)
    assert found is not None
    assert "hunter" not in repr(found) + str(warned(found))


def test_a_hostile_manager_name_is_clipped() -> None:
    found = find_drift(manifest(), item({"replicas": 3}, manager("x" * 5000, REPLICAS)), WANTED, OURS)
    assert found is not None
    assert len(str(found)) < 400


def test_the_pointer_of_a_list_item_is_its_place() -> None:
    body = {"spec": {"containers": [{"name": "side"}, {"name": "main", "image": "a"}]}}
    path = ("f:spec", "f:containers", 'k:{"name":"main"}', "f:image")
    assert pointer_of(path, body) == "/spec/containers/1/image"


def test_a_deletion_and_what_can_not_be_compared_have_words_too() -> None:
    assert str(Drifted(WEB, deleted=True, seen="T9")) == "Deployment shop/web was deleted, seen at T9"
    assert str(Drifted(WEB, deleted=True)) == "Deployment shop/web was deleted"
    assert str(Drifted(WEB, why="denied")) == "Deployment shop/web can't be compared: denied"


@pytest.mark.parametrize(
    ("spec", "in_git", "live", "mode"),
    [
        ("", "", "", DriftMode.CORRECT),
        ("Warn", "", "", DriftMode.WARN),
        ("Ignore", "", "", DriftMode.IGNORE),
        ("Warn", "correct", "", DriftMode.CORRECT),
        ("", "", "warn", DriftMode.WARN),
        ("", "warn", "ignore", DriftMode.WARN),
        ("Ignore", "", "correct", DriftMode.CORRECT),
    ],
)
def test_git_goes_before_the_live_object_and_that_before_the_sync(
    spec: str, in_git: str, live: str, mode: DriftMode
) -> None:
    assert mode_of(spec, Directives(drift=in_git), Directives(drift=live)) is mode
    assert mode_of(spec, None, None) is mode_of(spec, DEFAULT_DIRECTIVES, DEFAULT_DIRECTIVES)


@pytest.mark.parametrize(
    ("key", "spec", "expected"),
    [
        (ResourceId("batch", "Job", "shop", "once"), {"ttlSecondsAfterFinished": 0}, True),
        (ResourceId("batch", "Job", "shop", "once"), {}, False),
        (ResourceId("example.com", "Job", "shop", "once"), {"ttlSecondsAfterFinished": 0}, False),
        (WEB, {"ttlSecondsAfterFinished": 0}, False),
    ],
)
def test_only_a_job_with_a_ttl_is_expected_to_go(key: ResourceId, spec: Json, expected: bool) -> None:
    assert expires(manifest({"spec": spec}, key)) is expected
