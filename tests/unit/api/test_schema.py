"""A struct becomes a structural schema."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from sluice.api.crds import crds
from sluice.api.kinds import ApiStruct
from sluice.api.schema import doc, not_served, schema_of


class Inner(ApiStruct, frozen=True, kw_only=True):
    """A part.

    More about it that people need not see.
    """

    name: str


class Outer(ApiStruct, frozen=True, kw_only=True):
    """A whole."""

    must: Annotated[str, doc("Needed.", pattern="^a$")]
    inner: Annotated[Inner | None, doc("Its part.")] = None
    several: Annotated[tuple[Inner, ...], doc("More parts.")] = ()
    words: dict[str, str] = {}  # noqa: RUF012 - msgspec copies mutable defaults
    hidden: Annotated[str, not_served("Not for the cluster.")] = ""
    from_: Annotated[int, doc("A word of Python's.")] = msgspec.field(default=0, name="from")
    anything: Any = None


def test_a_struct_becomes_an_object_with_its_required_fields() -> None:
    schema = schema_of(Outer)
    assert schema["required"] == ["must"]
    assert schema["description"] == "A whole."
    assert set(schema["properties"]) == {"must", "inner", "several", "words", "from", "anything"}


def test_a_field_carries_its_sentence_and_its_constraints() -> None:
    properties = schema_of(Outer)["properties"]
    assert properties["must"] == {"type": "string", "description": "Needed.", "pattern": "^a$"}
    assert properties["inner"]["description"] == "Its part."
    assert properties["several"]["items"]["description"] == "A part."
    assert properties["words"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert properties["from"] == {"type": "integer", "format": "int64", "description": "A word of Python's."}


def test_a_type_that_no_crd_can_hold_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="no schema"):
        schema_of(float)


def descriptions(schema: dict[str, Any], path: str) -> list[tuple[str, str]]:
    found = [(path, schema.get("description", ""))] if "type" in schema and not path.endswith("[]") else []
    for name, inner in schema.get("properties", {}).items():
        found += descriptions(inner, f"{path}.{name}")
    if isinstance(schema.get("items"), dict):
        found += descriptions(schema["items"], f"{path}[]")
    return found


@pytest.mark.parametrize("crd", crds("1"), ids=lambda crd: crd["spec"]["names"]["kind"])
def test_every_field_that_people_can_write_is_explained_in_a_sentence(crd: dict[str, Any]) -> None:
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for path, text in descriptions(root, ""):
        if path != ".metadata":
            assert text.endswith("."), path
            assert len(text) < 160, path


@pytest.mark.parametrize("crd", crds("1"), ids=lambda crd: crd["spec"]["names"]["kind"])
def test_substitution_leaves_a_crd_alone(crd: dict[str, Any]) -> None:
    assert crd["metadata"]["annotations"] == {"kustomize.toolkit.fluxcd.io/substitute": "disabled"}
