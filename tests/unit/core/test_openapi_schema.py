"""One field of a schema: found through references and lists, whatever strangers wrote into it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.openapi_schema import MAX_FIELDS, FieldPage, NoField, find_field, paths_of

SCHEMAS: dict[str, Any] = {
    "pod": {"properties": {"spec": {"allOf": [{"$ref": "#/components/schemas/spec"}], "description": "wanted"}}},
    "spec": {
        "required": ["containers"],
        "properties": {
            "containers": {"type": "array", "items": {"$ref": "#/components/schemas/container"}},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "again": {"$ref": "#/components/schemas/pod"},
        },
    },
    "container": {
        "description": "a process",
        "properties": {
            "port": {"x-kubernetes-int-or-string": True, "description": "where"},
            "pull": {"type": "string", "enum": ["Always", "Never"], "default": "Always"},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
        },
    },
    "loop": {"$ref": "#/components/schemas/loop"},
}


def page(*path: str, depth: int = 1) -> FieldPage:
    found = find_field(SCHEMAS["pod"], SCHEMAS, path, depth)
    assert isinstance(found, FieldPage)
    return found


@pytest.mark.parametrize(
    ("path", "type_", "required"),
    [
        (("spec",), "Object", False),
        (("spec", "containers"), "[]Object", True),
        (("spec", "labels"), "map[string]string", False),
        (("spec", "containers", "port"), "IntOrString", False),
        (("spec", "containers", "pull"), "string", False),
    ],
)
def test_a_field_is_found_behind_references_lists_and_maps(path: tuple[str, ...], type_: str, required: bool) -> None:
    found = page(*path)
    assert (found.name, found.type, found.required) == (path[-1], type_, required)


def test_words_stand_beside_a_reference_or_behind_it() -> None:
    assert page("spec").description == "wanted"
    assert page("spec", "containers").description == "a process"


def test_rules_are_told_in_words() -> None:
    assert page("spec", "containers", "pull").rules == ("one of Always, Never", "default Always")
    assert page("spec", "containers", "count").rules == ("at least 1", "at most 9")


def test_a_step_that_is_none_names_where_and_what_is_near() -> None:
    assert find_field(SCHEMAS["pod"], SCHEMAS, ["spec", "container"]) == NoField("spec", "container", ("containers",))
    assert find_field(SCHEMAS["pod"], SCHEMAS, ["spec", "labels", "a", "b"]) == NoField("spec.labels", "a", ())


def test_a_schema_that_contains_itself_is_unfolded_once() -> None:
    paths = list(paths_of(page(depth=12)))
    assert "spec.again" in paths
    assert "spec.again.spec" not in paths
    assert find_field(SCHEMAS["loop"], SCHEMAS, []) == FieldPage("", "Object")


def test_schemas_that_multiply_come_to_an_end() -> None:
    doubling: dict[str, Any] = {
        str(n): {"properties": {side: {"$ref": f"#/{n + 1}"} for side in ("left", "right")}} for n in range(40)
    }
    found = find_field(doubling["0"], doubling, [], depth=40)
    assert isinstance(found, FieldPage)
    assert len(list(paths_of(found))) == MAX_FIELDS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
SHAPES = st.recursive(
    st.fixed_dictionaries({}, optional={"type": st.sampled_from(["string", "array", "object"]), "default": JSON}),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "$ref": st.sampled_from(["#/a", "#/b", "nothing", ""]),
            "items": inner,
            "additionalProperties": inner | st.booleans(),
            "properties": st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
            "required": st.lists(st.sampled_from("xyz"), max_size=2),
            "allOf": st.lists(inner, max_size=2),
        },
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(SHAPES, SHAPES, st.lists(st.sampled_from("xyz"), max_size=4))
def test_any_schema_has_an_answer(one: dict[str, Any], other: dict[str, Any], path: list[str]) -> None:
    found = find_field(one, {"a": one, "b": other}, path, depth=4)
    assert isinstance(found, FieldPage | NoField)
