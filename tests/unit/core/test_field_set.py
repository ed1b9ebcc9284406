"""Paths of managedFields: what they point to, and what changes when it is written or removed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core import field_set

POD = {
    "spec": {
        "containers": [
            {"name": "web", "image": "web:1", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            {"name": "log", "image": "log:1"},
        ],
        "args": ["a", "b"],
    }
}
WEB = ("f:spec", "f:containers", 'k:{"name":"web"}')


@pytest.mark.parametrize(
    ("path", "found", "value"),
    [
        ((*WEB, "f:image"), True, "web:1"),
        ((*WEB, "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}', "f:protocol"), True, "TCP"),
        (("f:spec", "f:containers", 'k:{"name":"none"}', "f:image"), False, None),
        (("f:spec", "f:args", 'v:"b"'), True, "b"),
        (("f:spec", "f:args", "i:0"), True, "a"),
        (("f:spec", "f:args", "i:9"), False, None),
        (("f:spec", "f:nothing"), False, None),
    ],
)
def test_a_path_points_to_its_value(path: field_set.Path, found: bool, value: object) -> None:
    assert field_set.value_at(POD, path) == (found, value)


def test_putting_a_path_makes_what_is_missing_above_it() -> None:
    body: dict[str, Any] = {}
    field_set.put(body, (*WEB, "f:image"), "web:2")
    assert body == {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}


def test_removing_an_item_leaves_its_neighbours() -> None:
    body = {"items": [{"name": "a"}, {"name": "b"}]}
    field_set.remove(body, ("f:items", 'k:{"name":"a"}'))
    field_set.remove(body, ("f:items", 'k:{"name":"a"}'))
    field_set.remove(body, ("f:gone", "f:deeper"))
    assert body == {"items": [{"name": "b"}]}


def test_a_path_reads_as_people_write_it() -> None:
    assert field_set.readable((*WEB, "f:image")) == "spec.containers[name=web].image"


KEYS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "i:0"])
SETS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({}), lambda below: st.dictionaries(KEYS, below, max_size=3), max_leaves=8
)
PATHS = st.lists(KEYS, min_size=1, max_size=4).map(tuple)


@given(SETS, PATHS)
def test_an_added_path_is_contained(fields: dict[str, Any], path: field_set.Path) -> None:
    deeper = field_set.add(field_set.without(fields, path), path)
    assert path in set(field_set.leaves(deeper)) or any(p[: len(path)] == path for p in field_set.leaves(deeper))


@given(SETS, SETS)
def test_a_union_owns_the_leaves_of_both_that_nothing_lies_below(one: dict[str, Any], two: dict[str, Any]) -> None:
    merged = set(field_set.leaves(field_set.union(one, two)))
    for leaf in (*field_set.leaves(one), *field_set.leaves(two)):
        assert any(path[: len(leaf)] == leaf for path in merged)


@given(SETS, PATHS)
def test_a_path_taken_out_is_no_leaf_any_more(fields: dict[str, Any], path: field_set.Path) -> None:
    if path in set(field_set.leaves(fields)):
        assert path not in set(field_set.leaves(field_set.without(fields, path)))
