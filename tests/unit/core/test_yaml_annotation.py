"""Annotations set and deleted in YAML text, in every place where they can stand."""

from __future__ import annotations

import pytest

from sluice.core.yaml_annotation import set_annotations
from sluice.core.yaml_text import Address, EditRefused, open_text

ON = {"fluxcd.io/automated": "true"}
OFF = {"fluxcd.io/automated": None}

SET: list[tuple[str, str]] = [
    (
        "kind: X\nmetadata: # close\n  name: n # d\n  # tail\nspec: {}\n",
        (
            "kind: X\nmetadata: # close\n  name: n # d\n"
            "  annotations:\n    fluxcd.io/automated: 'true'\n  # tail\nspec: {}\n"
        ),
    ),
    ("metadata:\n  name: n", "metadata:\n  name: n\n  annotations:\n    fluxcd.io/automated: 'true'"),
    (
        "metadata:\r\n    name: n\r\nspec: {}\r\n",
        "metadata:\r\n    name: n\r\n    annotations:\r\n        fluxcd.io/automated: 'true'\r\nspec: {}\r\n",
    ),
    (
        "metadata:\n  name: n\n  annotations:\n      a: b # c\n\nspec: {}\n",
        "metadata:\n  name: n\n  annotations:\n      a: b # c\n      fluxcd.io/automated: 'true'\n\nspec: {}\n",
    ),
    (
        "metadata:\n  labels:\n    a: |+\n      x\n\nspec: {}\n",
        "metadata:\n  labels:\n    a: |+\n      x\n\n  annotations:\n    fluxcd.io/automated: 'true'\nspec: {}\n",
    ),
    (
        "metadata:\n  annotations: # none\n  name: n\n",
        "metadata:\n  annotations: # none\n    fluxcd.io/automated: 'true'\n  name: n\n",
    ),
    ("metadata:\n  annotations: {} # none\n", "metadata:\n  annotations: {fluxcd.io/automated: 'true'} # none\n"),
    ("metadata:\n  annotations: null\n", "metadata:\n  annotations: {fluxcd.io/automated: 'true'}\n"),
    ("metadata: {annotations: , a: b}\n", "metadata: {annotations: {fluxcd.io/automated: 'true'}, a: b}\n"),
    ("metadata: {name: n}\n", "metadata: {name: n, annotations: {fluxcd.io/automated: 'true'}}\n"),
    (
        "metadata:\n  annotations: {a: b,} # c\n",
        "metadata:\n  annotations: {a: b, fluxcd.io/automated: 'true',} # c\n",
    ),
    ('{"metadata":{"name":"n"}}', '{"metadata":{"name":"n", "annotations": {"fluxcd.io/automated": "true"}}}'),
    (
        '{\n  "metadata": {\n    "name": "n"\n  }\n}\n',
        '{\n  "metadata": {\n    "name": "n",\n    "annotations": {"fluxcd.io/automated": "true"}\n  }\n}\n',
    ),
    ('{"metadata": {"annotations": {}}}', '{"metadata": {"annotations": {"fluxcd.io/automated": "true"}}}'),
    (
        "metadata:\n  annotations:\n    fluxcd.io/automated: true # bare\n",
        "metadata:\n  annotations:\n    fluxcd.io/automated: 'true' # bare\n",
    ),
    (
        'metadata:\n  annotations:\n    fluxcd.io/automated: "false"\n',
        'metadata:\n  annotations:\n    fluxcd.io/automated: "true"\n',
    ),
    (
        "metadata:\n  annotations:\n    fluxcd.io/automated: |-\n      no\n      way\n    a: b\n",
        "metadata:\n  annotations:\n    fluxcd.io/automated: 'true'\n    a: b\n",
    ),
    (
        "metadata:\n  annotations:\n    <<: &x {a: b}\n",
        "metadata:\n  annotations:\n    <<: &x {a: b}\n    fluxcd.io/automated: 'true'\n",
    ),
]

DELETED: list[tuple[str, str]] = [
    (
        "metadata:\n  name: n\n  annotations:\n    fluxcd.io/automated: 'true'\nspec: {}\n",
        "metadata:\n  name: n\nspec: {}\n",
    ),
    (
        "metadata:\n  annotations:\n    # one\n    fluxcd.io/automated: 'true' # two\n    # three\n    a: b\n",
        "metadata:\n  annotations:\n    # one\n    # three\n    a: b\n",
    ),
    (
        "metadata:\n  name: n\n  annotations:\n    a: b\n    fluxcd.io/automated: |-\n      x\n\n      y\n\nspec: {}\n",
        "metadata:\n  name: n\n  annotations:\n    a: b\n\nspec: {}\n",
    ),
    ("metadata:\n  annotations: {fluxcd.io/automated: 'true'}\n  name: n", "metadata:\n  name: n"),
    ("metadata: {annotations: {a: b, fluxcd.io/automated: x}}\n", "metadata: {annotations: {a: b}}\n"),
    ("metadata: {annotations: {fluxcd.io/automated: x, a: b}}\n", "metadata: {annotations: {a: b}}\n"),
    ("metadata: {name: n, annotations: {fluxcd.io/automated: x}, a: b}\n", "metadata: {name: n, a: b}\n"),
    (
        '{"metadata": {\n  "name": "n",\n  "annotations": {\n    "fluxcd.io/automated": "x",\n    "a": "b"\n  }\n}}\n',
        '{"metadata": {\n  "name": "n",\n  "annotations": {\n    "a": "b"\n  }\n}}\n',
    ),
    (
        '{"metadata": {\n  "annotations": {\n    "a": "b",\n    "fluxcd.io/automated": "x"\n  }\n}}\n',
        '{"metadata": {\n  "annotations": {\n    "a": "b"\n  }\n}}\n',
    ),
    ("metadata:\n  name: n\n", "metadata:\n  name: n\n"),
    ("metadata:\n  annotations: {}\n", "metadata:\n  annotations: {}\n"),
]

REFUSED: list[tuple[str, dict[str, str | None], str]] = [
    ("metadata:\n  annotations: &x {a: b}\nspec: *x\n", {"c": "d"}, "E550"),
    ("a: &x {b: c}\nmetadata:\n  annotations: *x\n", {"c": "d"}, "E550"),
    ("metadata:\n  annotations:\n    <<: &x {fluxcd.io/automated: b}\n    c: d\n", dict(OFF), "E550"),
    ("metadata: []\n", dict(ON), "E562"),
    ("metadata:\n  annotations: [a]\n", dict(ON), "E562"),
    ("metadata:\n  annotations:\n    fluxcd.io/automated: {a: b}\n", dict(ON), "E551"),
    ("metadata:\n  annotations:\n    fluxcd.io/automated: |- # why\n      no\n", dict(ON), "E551"),
    ("metadata:\n  annotations:\n    a: b\n", {"a": None}, "E562"),
    ("kind: X\n", dict(ON), "E551"),
]


@pytest.mark.parametrize(("before", "after"), SET)
def test_an_annotation_is_set(before: str, after: str) -> None:
    assert set_annotations(open_text(before.encode(), "a.yaml"), Address(1, ()), ON).decode() == after
    assert set_annotations(open_text(after.encode(), "a.yaml"), Address(1, ()), ON).decode() == after


@pytest.mark.parametrize(("before", "after"), DELETED)
def test_an_annotation_is_deleted_and_with_the_last_one_their_block(before: str, after: str) -> None:
    assert set_annotations(open_text(before.encode(), "a.yaml"), Address(1, ()), OFF).decode() == after


@pytest.mark.parametrize(("before", "changes", "code"), REFUSED)
def test_metadata_that_can_not_be_edited_alone_is_refused(
    before: str, changes: dict[str, str | None], code: str
) -> None:
    with pytest.raises(EditRefused) as refused:
        set_annotations(open_text(before.encode(), "a.yaml"), Address(1, ()), changes)
    assert refused.value.problems[0].code.number == code


def test_an_item_of_a_list_is_edited_among_its_neighbours() -> None:
    before = "kind: List\nitems:\n- metadata: {name: a}\n- metadata:\n    name: b\n  kind: X\n"
    edited = set_annotations(open_text(before.encode(), "a.yaml"), Address(1, ("items", 1)), ON)
    after = "    name: b\n    annotations:\n      fluxcd.io/automated: 'true'\n"
    assert edited.decode() == before.replace("    name: b\n", after)


def test_several_annotations_are_set_and_deleted_in_one_edit() -> None:
    before = "metadata:\n  annotations:\n    a: b\n    c: d\n"
    changes = {"a": None, "e": "it's\ntwo lines", "c": "semver:~1.0", "f": "regexp:^v(.*)$"}
    edited = set_annotations(open_text(before.encode(), "a.yaml"), Address(1, ()), changes)
    expected = 'metadata:\n  annotations:\n    c: semver:~1.0\n    e: "it\'s\\ntwo lines"\n    f: regexp:^v(.*)$\n'
    assert edited.decode() == expected
