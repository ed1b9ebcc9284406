"""What is sent of an object whose fields are partly left to the cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import ResourceId
from sluice.core.ignored_fields import IgnoredFields, ignored_in, leave_ignored, parse_pointer
from sluice.core.manifest import Manifest
from sluice.core.problem import Origin
from sluice.core.selector import ObjectSelector, parse_labels, parse_pattern

OURS = "kustomize-controller"
Json = dict[str, Any]


def sent(wanted: Json, live: Json, fields: Json, *pointers: str) -> Json:
    managed = [{"manager": OURS, "operation": "Apply", "fieldsV1": fields}]
    raw = json.dumps({**live, "metadata": {"managedFields": managed}}).encode()
    found: Json = json.loads(leave_ignored(json.dumps(wanted).encode(), raw, pointers, OURS))
    return found


MAIN: Json = {'k:{"name":"main"}': {".": {}, "f:name": {}, "f:image": {}}}
CASES = [
    ("ours: as it is now", {"s": {"n": 1}}, {"s": {"n": 2}}, {"f:s": {"f:n": {}}}, "/s/n", {"s": {"n": 2}}),
    ("not ours: not sent", {"s": {"n": 1, "m": 1}}, {"s": {"n": 2}}, {"f:s": {"f:m": {}}}, "/s/n", {"s": {"m": 1}}),
    ("gone: not sent", {"s": {"n": 1}}, {"s": {}}, {"f:s": {"f:n": {}}}, "/s/n", {"s": {}}),
    ("not in git: nothing to do", {"s": {}}, {"s": {"n": 2}}, {"f:s": {"f:n": {}}}, "/s/n", {"s": {}}),
    ("nothing there at all", {"a": 1}, {}, {}, "/spec/deep/n", {"a": 1}),
    (
        "a map: what is ours of it",
        {"data": {"a": "1", "b": "1"}},
        {"data": {"a": "2", "b": "2", "theirs": "x"}},
        {"f:data": {".": {}, "f:a": {}}},
        "/data",
        {"data": {"a": "2"}},
    ),
    (
        "an item's field, by its place",
        {"c": [{"name": "main", "image": "git"}]},
        {"c": [{"name": "main", "image": "live"}]},
        {"f:c": MAIN},
        "/c/0/image",
        {"c": [{"name": "main", "image": "live"}]},
    ),
    (
        "a list: our items, with their keys",
        {"c": [{"name": "main", "image": "git"}]},
        {"c": [{"name": "side"}, {"name": "main", "image": "live", "theirs": 1}]},
        {"f:c": {'k:{"name":"main"}': {".": {}, "f:image": {}}}},
        "/c",
        {"c": [{"name": "main", "image": "live"}]},
    ),
    ("a list owned as a whole", {"c": [1]}, {"c": [2, 3]}, {"f:c": {}}, "/c", {"c": [2, 3]}),
    ("a set's items", {"c": ["a"]}, {"c": ["a", "x"]}, {"f:c": {'v:"a"': {}}}, "/c", {"c": ["a"]}),
    ("a key with a slash", {"m": {"a/b": 1}}, {"m": {"a/b": 2}}, {"f:m": {"f:a/b": {}}}, "/m/a~1b", {"m": {"a/b": 2}}),
]  # fmt: skip


@pytest.mark.parametrize(("case", "wanted", "live", "fields", "pointer", "expected"), CASES, ids=[c[0] for c in CASES])
def test_what_is_ours_is_sent_as_it_is_and_nothing_else(
    case: str, wanted: Json, live: Json, fields: Json, pointer: str, expected: Json
) -> None:
    assert sent(wanted, live, fields, pointer) == expected


def test_items_taken_out_of_a_list_do_not_move_those_that_other_pointers_name() -> None:
    wanted = {"c": ["a", "b", "c"]}
    assert sent(wanted, {"c": []}, {"f:d": {}}, "/c/0", "/c/2") == {"c": ["b"]}


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), min_size=1),
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)),
    st.sets(st.sampled_from("abcd"), min_size=1),
)
def test_an_ignored_field_is_never_sent_with_gits_value_and_others_always_are(
    git: dict[str, int], live: dict[str, int], owned: set[str]
) -> None:
    fields: Json = {"f:data": {f"f:{key}": {} for key in owned}}
    found = sent({"data": git}, {"data": live}, fields, "/data/a", "/data/b")["data"]
    for key in "cd":
        assert found.get(key) == git.get(key)
    for key in "ab":
        expected = live.get(key) if key in owned and key in git else None
        assert found.get(key) == expected


@pytest.mark.parametrize(
    "pointer", ["", "spec", "/", "/kind", "/apiVersion", "/metadata", "/metadata/name", "/metadata/uid/x", "/a~2b"]
)
def test_a_pointer_that_no_rule_may_use_is_refused(pointer: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_pointer(pointer)


def test_rules_are_chosen_by_what_an_object_is_and_by_its_labels() -> None:
    body = json.dumps({"metadata": {"labels": {"tier": "front"}}}).encode()
    web = Manifest(ResourceId("apps", "Deployment", "shop", "web"), "apps/v1", body, Origin("a"), b"1")
    deployments = ObjectSelector(names=(("kind", parse_pattern("Deployment")), ("version", parse_pattern("v1"))))
    front, back = (ObjectSelector(labels=parse_labels(f"tier={tier}")) for tier in ("front", "back"))
    rules = [
        IgnoredFields(("/a",)),
        IgnoredFields(("/b",), deployments),
        IgnoredFields(("/c",), front),
        IgnoredFields(("/d",), back),
        IgnoredFields(("/a",), ObjectSelector(names=(("name", parse_pattern("we")),))),
    ]
    assert ignored_in(web, rules) == ("/a", "/b", "/c")
