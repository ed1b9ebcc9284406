"""Differences of two states of an object: laws, and the forms that people read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import GroupKind
from sluice.core.object_diff import ABSENT, MASK, diff_objects, masked

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "name"]), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.fixed_dictionaries({"spec": VALUES, "data": VALUES})


@given(OBJECTS)
def test_an_object_does_not_differ_from_itself(body: dict[str, Any]) -> None:
    assert diff_objects(body, body) == ()


@given(OBJECTS, OBJECTS)
def test_a_difference_is_always_told(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert bool(diff_objects(before, after)) == (before != after)


@given(OBJECTS, OBJECTS)
def test_the_difference_the_other_way_round_swaps_before_and_after(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    there = {(c.path, repr(c.before), repr(c.after)) for c in diff_objects(before, after)}
    back = {(c.path, repr(c.after), repr(c.before)) for c in diff_objects(after, before)}
    assert there == back


def test_list_items_are_matched_by_name() -> None:
    before = {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:1"}]}}
    after = {
        "spec": {
            "containers": [{"name": "new", "image": "z"}, {"name": "a", "image": "x:2"}, {"name": "b", "image": "y:1"}]
        }
    }
    assert [(c.path, c.action) for c in diff_objects(before, after)] == [
        ("spec.containers[new]", "add"),
        ("spec.containers[a].image", "change"),
    ]


def test_what_the_server_keeps_for_itself_is_no_difference() -> None:
    before = {"metadata": {"name": "a", "resourceVersion": "1", "generation": 1, "managedFields": []}, "status": {}}
    after = {"metadata": {"name": "a", "resourceVersion": "2", "generation": 2}, "status": {"x": 1}}
    assert diff_objects(before, after) == ()


def test_no_value_of_a_secret_is_shown() -> None:
    note = "kubectl.kubernetes.io/last-applied-configuration"
    before = {"data": {"a": "c2VjcmV0"}, "metadata": {"annotations": {note: "secret"}}}
    after = {"data": {"a": "b3RoZXI=", "b": "c2VjcmV0"}, "metadata": {"labels": {"x": "y"}}}
    changes = masked(diff_objects(before, after), GroupKind("", "Secret"))
    assert [(c.path, c.before, c.after) for c in changes] == [
        ("data.a", MASK, MASK),
        ("data.b", ABSENT, MASK),
        ("metadata.labels", ABSENT, {"x": "y"}),
        ("metadata.annotations", MASK, ABSENT),
    ]
