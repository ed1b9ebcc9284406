"""Edits of YAML text: what a value becomes, what stays, and what is refused."""

from __future__ import annotations

import pytest

from sluice.core.yaml_edit import set_scalars
from sluice.core.yaml_text import Address, EditRefused, Path, open_text

CHANGED: list[tuple[str, Path, str, str]] = [
    ("image: a:1 # why\nb: c\n", ("image",), "a:2", "image: a:2 # why\nb: c\n"),
    ("image:   'a:1'\n\n\nb: c", ("image",), "a:2", "image:   'a:2'\n\n\nb: c"),
    ('image: "a:1"\r\nb: c\r\n', ("image",), "a:2", 'image: "a:2"\r\nb: c\r\n'),
    ("\ufefftag: v1\n", ("tag",), "1.10", '\ufefftag: "1.10"\n'),
    ("tag: 1.10\n", ("tag",), "1.10", 'tag: "1.10"\n'),
    ("tag: v1\n", ("tag",), "on", 'tag: "on"\n'),
    ("tag: v1\n", ("tag",), "0x1F", 'tag: "0x1F"\n'),
    ("tag: v1\n", ("tag",), "1e3", 'tag: "1e3"\n'),
    ("tag: v1\n", ("tag",), "2024-01-02", 'tag: "2024-01-02"\n'),
    ("tag: v1\n", ("tag",), "1_000", 'tag: "1_000"\n'),
    ("tag: 'v1'\n", ("tag",), "it's", "tag: 'it''s'\n"),
    ('tag: "v1"\n', ("tag",), 'a"\\b\n', 'tag: "a\\"\\\\b\\n"\n'),
    ("tag: # not yet\n", ("tag",), "v1", "tag: v1 # not yet\n"),
    ("tag:\nb: c\n", ("tag",), "v1", "tag: v1\nb: c\n"),
    ("tag: ~\n", ("tag",), "v1", "tag: v1\n"),
    ("a: {tag: v1, b: c}\n", ("a", "tag"), "v2", "a: {tag: v2, b: c}\n"),
    ("a: [x, v1 , z] # list\n", ("a", 1), "v2", "a: [x, v2 , z] # list\n"),
    ("- - v1\n  - x\n", (0, 0), "v2", "- - v2\n  - x\n"),
    ("a: &here v1\nb: c\n", ("a",), "v2", "a: &here v2\nb: c\n"),
    ("a: &here !!str 1\nb: c\n", ("a",), "2", 'a: &here !!str "2"\nb: c\n'),
    ("a: >- # folded\n    v1\n\nb: c\n", ("a",), "v2", "a: >- # folded\n    v2\n\nb: c\n"),
    ("a: |-\n  v1\n", ("a",), "1.10", "a: |-\n  1.10\n"),
    ("a: v1\n  more\nb: c\n", ("a",), "v2", "a: v2\nb: c\n"),
    ("é: v1 # ü 😀\nb: c\n", ("é",), "v2", "é: v2 # ü 😀\nb: c\n"),
    ('{"a": "v1", "b": ["c"]}\n', ("b", 0), "v2", '{"a": "v1", "b": ["v2"]}\n'),
]

REFUSED: list[tuple[str, Path, str, str]] = [
    ("a: &x v1\nb: *x\n", ("a",), "E550", "a.yaml:1:1"),
    ("a: &x v1\nb: *x\n", ("b",), "E550", "a.yaml:2:1"),
    ("a: &x {tag: v1}\nb: *x\n", ("a", "tag"), "E550", "a.yaml:1:1"),
    ("a: &x {tag: v1}\nb:\n  <<: *x\n", ("b", "tag"), "E550", "a.yaml:2:1"),
    ("a: |\n  v1\n", ("a",), "E551", "a.yaml:1:1"),
    ("a: |-\n  v1\n  v2\n", ("a",), "E551", "a.yaml:1:1"),
    ("a: {b: c}\n", ("a",), "E551", "a.yaml:1:1"),
    ("a: [b]\n", ("a",), "E551", "a.yaml:1:1"),
    ("a: b\n", ("c",), "E551", "a.yaml:1:1"),
    ("a: !!binary aGk=\n", ("a",), "E551", "a.yaml:1:1"),
    ("- # empty\n", (0,), "E551", "a.yaml:1:2"),
    ("a: {b}\n", ("a", "b"), "E551", "a.yaml:1:5"),
]


@pytest.mark.parametrize(("before", "path", "value", "after"), CHANGED)
def test_a_value_is_changed_where_it_stands(before: str, path: Path, value: str, after: str) -> None:
    edited = set_scalars(open_text(before.encode(), "a.yaml"), {Address(1, path): value})
    assert edited.decode() == after


@pytest.mark.parametrize(("before", "path", "code", "place"), REFUSED)
def test_what_can_not_be_changed_alone_is_refused_with_its_place(
    before: str, path: Path, code: str, place: str
) -> None:
    with pytest.raises(EditRefused) as refused:
        set_scalars(open_text(before.encode(), "a.yaml"), {Address(1, path): "v9"})
    problem = refused.value.problems[0]
    assert (problem.code.number, str(problem.origin)) == (code, place)


def test_the_second_document_is_edited_without_touching_the_first() -> None:
    before = b"---\na: v1\n--- # two\n# nothing\n---\na: v1 # here\n"
    edited = set_scalars(open_text(before, "a.yaml"), {Address(2, ("a",)): "v2"})
    assert edited == b"---\na: v1\n--- # two\n# nothing\n---\na: v2 # here\n"


def test_a_value_that_is_there_already_changes_no_byte() -> None:
    before = b"a: 'v1' # x\r\n"
    assert set_scalars(open_text(before, "a.yaml"), {Address(1, ("a",)): "v1"}) == before


def test_a_file_with_a_fault_is_not_edited_and_all_its_faults_are_told() -> None:
    with pytest.raises(EditRefused) as refused:
        open_text(b"a: 1\na: 2\n---\nb: [\n", "a.yaml")
    assert [problem.code.number for problem in refused.value.problems] == ["E209", "E202"]


def test_an_edit_names_a_document_that_is_not_there() -> None:
    with pytest.raises(EditRefused, match="no such document"):
        set_scalars(open_text(b"a: b\n", "a.yaml"), {Address(2, ("a",)): "v2"})
