"""The YAML reader: what it makes of scalars, where documents start, and what it says about broken text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.yaml_position import locate
from sluice.core.yaml_read import MAX_FILE_BYTES, read_documents

GOLDEN: list[tuple[str, Any]] = [
    ("yes", True), ("No", False), ("on", True), ("OFF", False), ("y", True), ("tRue", "tRue"),
    ("", None), ("~", None), ("NULL", None), ("012", 10), ("0o12", 10), ("08", 8), ("0b11", 3), ("0x1F", 31),
    ("1_000", 1000), ("1e3", 1000), ("1.50", 1.5), (".5", 0.5), ("1.0", 1), ("1:30", "1:30"), ("12:30:45", "12:30:45"),
    ("2001-12-14", "2001-12-14"), ("'yes'", "yes"), ('"012"', "012"), ("!!str 5", "5"), ("! 5", "5"),
    ("!!binary aGk=", "hi"), ("-9223372036854775808", -(2**63)), ("9223372036854775807", 2**63 - 1), ("0.1.2", "0.1.2"),
]  # fmt: skip

FAULTS: list[tuple[str, str, str]] = [
    ("a:\n\tb: 1\n", "E202", "f.yaml:2:1"),
    ("image: a\nb: 1\nimage: c\n", "E209", "f.yaml:3:1"),
    ("a: !!python/object/apply:os.system [x]\n", "E210", "f.yaml:1:4"),
    ("a: !!python/name:os.system ''\n", "E210", "f.yaml:1:4"),
    ("[" * 10_000, "E212", "f.yaml:1:1001"),
    ("- " * 150 + "x", "E212", "f.yaml:1:201"),
    ("a: .nan\n", "E228", "f.yaml:1:4"),
    ("a:\n- 1\n- 1e999\n", "E228", "f.yaml:3:3"),
    ("a: 18446744073709551616\n", "E228", "f.yaml:1:4"),
    ("a: b: c\n", "E202", "f.yaml:1:5"),
    ("a: {{ x }}\n", "E202", "f.yaml:1:5"),
    ("a: 'x\n\nb: 1\n", "E202", "f.yaml:1:4"),
    ("a: *nope\n", "E202", "f.yaml:1:4"),
    ("a: &a [*a]\n", "E202", "f.yaml:1:8"),
    ("--- x\n", "E202", "f.yaml:1:4"),
    ("a: 1\n...\nb: 1\n", "E202", "f.yaml:3:1"),
    ("a: 1\n---\nb: 1\n---\nc: [\n", "E202", "f.yaml:6:1"),
]


def read(text: str | bytes) -> tuple[list[Any], list[str]]:
    documents, problems = read_documents(text.encode() if isinstance(text, str) else text, "f.yaml")
    return [document.value for document in documents], [f"{p.code.number} {p.origin}" for p in problems]


@pytest.mark.parametrize(("text", "value"), GOLDEN)
def test_a_scalar_has_the_type_that_the_api_server_gives_it(text: str, value: Any) -> None:
    [document], problems = read(f"a: {text}\n")
    assert problems == []
    assert document == {"a": value}
    assert type(document["a"]) is type(value)


@pytest.mark.parametrize(("text", "number", "place"), FAULTS)
def test_broken_text_is_refused_with_its_place(text: str, number: str, place: str) -> None:
    _, problems = read(text)
    assert problems == [f"{number} {place}"]


def test_a_tab_is_named_as_such() -> None:
    _, [problem] = read_documents(b"a:\n  b: 1\n\tc: 2\n", "app.yaml")
    assert "tab character used for indentation" in str(problem)


@pytest.mark.parametrize(
    ("text", "place", "cause", "fix"),
    [
        ("a:\n\tb: 1\n", "f.yaml:2:1", "tab character", "indent with spaces"),
        ("a: 1\n\tb: 2\n", "f.yaml:2:1", "tab character", "indent with spaces"),
        (
            "a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> feature\n",
            "f.yaml:2:1",
            "a merge conflict",
            "its two sides",
        ),
        ("a:\n  b: 1\n=======\n  b: 2\n>>>>>>> 9f3c\n", "f.yaml:3:1", "a merge conflict", "its two sides"),
        ("a: |\n  <<<<<<< HEAD\nb: ]\n", "f.yaml:3:4", "nothing has opened", "remove it"),
        ("url: http://x: y\n", "f.yaml:1:14", "a ': ' in an unquoted value", "quote the value"),
        ("a: 1\n  b: 2\n", "f.yaml:2:4", "or a wrong indent", "or indent the line"),
        ("a:\n  b: 1\n c: 2\n", "f.yaml:3:2", "indented differently from its neighbours", "align the keys"),
        ("a: [1, 2\nb: 3\n", "f.yaml:1:4", "the list that starts here", "']' after the last one"),
        ("a: {b: 1\nc: 2\n", "f.yaml:1:4", "the map that starts here", "'}' after the last one"),
        ("a: [1, 2}\n", "f.yaml:1:4", "the list that starts here", "']' after the last one"),
        ("a: [\n", "f.yaml:2:1", "is not closed", "close it with"),
        ("a: ]\n", "f.yaml:1:4", "nothing has opened", "remove it"),
        ("a: 'x\nb: 1\n", "f.yaml:1:4", "a quote is not closed", "close the quote"),
        ('a: ["b", "c]\n', "f.yaml:1:10", "a quote is not closed", "close the quote"),
        ("a: 'it's'\n", "f.yaml:1:8", "text after the end of a quoted value", "write '' for one quote"),
        ("a: {b: 1}}\n", "f.yaml:1:10", "or of a bracket", "quote the whole value"),
        ("a: @b\n", "f.yaml:1:4", "can't begin with this character", "quote the value"),
        ('a: "\\q"\n', "f.yaml:1:5", "starts no known escape", "use single quotes"),
        ("a: |x\n", "f.yaml:1:5", "text after '|'", "on the next line"),
        ("a: - b\n", "f.yaml:1:4", "where no list can begin", "on its own line"),
        ("a: &\n", "f.yaml:1:5", "while scanning an anchor", "correct the text there"),
    ],
)
def test_text_that_is_not_yaml_is_explained_with_one_fix(text: str, place: str, cause: str, fix: str) -> None:
    _, [problem] = read_documents(text.encode(), "f.yaml")
    assert str(problem.origin) == place
    assert cause in problem.cause
    assert fix in problem.fix


def test_a_key_given_twice_names_both_places() -> None:
    _, [problem] = read_documents(b"spec:\n  a:\n    image: x\n    b: 1\n    image: y\n", "f.yaml")
    assert str(problem.origin) == "f.yaml:5:5"
    assert problem.cause == "first at 3:5"
    assert problem.field == "spec.a.image"


def test_two_spellings_of_one_key_collide() -> None:
    assert read("on: 1\nyes: 2\n")[1] == ["E209 f.yaml:2:1"]


def test_every_problem_of_a_file_is_reported_not_only_the_first() -> None:
    _, problems = read("a: .inf\na: 2\nb: 1e999\n---\nc: d: e\n---\nf: 'x\n")
    assert [problem.split()[0] for problem in problems] == ["E228", "E209", "E228", "E202", "E202"]


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"\xff\xfea\x00", "byte 0 starts UTF-16 text"),
        (b"a: b\n\xffc", "byte 5 is not UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "byte 6 is not UTF-8"),
        (b"a: b\0", "byte 4 is NUL"),
    ],
)
def test_bytes_that_are_no_utf8_text_are_refused_with_their_offset(data: bytes, cause: str) -> None:
    _, [problem] = read_documents(data, "f.yaml")
    assert (problem.code.number, problem.cause) == ("E226", cause)


def test_a_byte_order_mark_and_crlf_are_accepted() -> None:
    assert read(b"\xef\xbb\xbfa: b\r\nc: d\r\n") == ([{"a": "b", "c": "d"}], [])


def test_a_file_over_the_limit_is_not_parsed() -> None:
    _, [problem] = read_documents(b"#" * (MAX_FILE_BYTES + 1), "f.yaml")
    assert problem.code.number == "E213"


def test_an_alias_bomb_is_refused() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    _, problems = read("\n".join(levels))
    assert [problem.split()[0] for problem in problems] == ["E211"]


def test_nesting_through_aliases_counts_as_nesting() -> None:
    levels = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 120)]
    assert read("\n".join(levels))[1][0].startswith("E212")


def test_more_documents_than_allowed_are_refused() -> None:
    assert read("---\n" * 10_002)[1] == ["E211 f.yaml:10000:1"]


def test_an_alias_is_a_copy() -> None:
    [document], _ = read("a: &x {b: [1]}\nc: *x\n")
    document["a"]["b"].append(2)
    assert document["c"] == {"b": [1]}


def test_merge_keys_follow_the_api_server_and_ambiguous_ones_are_refused() -> None:
    assert read("a: &a {x: 1, z: 1}\nb: &b {x: 2}\nc: {<<: [*b, *a], z: 3}\n")[0][0]["c"] == {"x": 2, "z": 3}
    assert read("a: &a {x: 1}\nb: {x: 2, <<: *a}\n")[1] == ["E209 f.yaml:2:15"]


def test_documents_know_where_they_start() -> None:
    documents, _ = read_documents(b"# head\n---\n\n# c\na: 1\n---\n---\n# only a comment\n---\nb:\n  c: 2\n", "f.yaml")
    assert [(document.line, document.number) for document in documents] == [(5, 1), (10, 2)]


def test_empty_documents_are_skipped() -> None:
    assert read("---\n" * 1000 + "# nothing\n") == ([], [])


def test_a_field_is_found_again() -> None:
    data = b"a: 1\n---\nspec:\n  list:\n  - name: x\n    k.with/dots: 1\n  - {name: y}\n"
    assert str(locate(data, 3, "spec.list[0].k.with/dots")) == "6:5"
    assert str(locate(data, 3, "spec.list[1].name")) == "7:6"
    assert str(locate(data, 3, "spec.list[1].missing.field")) == "7:5"
    assert locate(data, 99, "spec") is None


def test_an_item_of_a_list_is_not_the_list_that_begins_with_it() -> None:
    data = b"items:\n- kind: A\n  data: {x: 1}\n- kind: B\n  data: {z: 2}\n"
    assert str(locate(data, 2, "data.x")) == "3:10"
    assert str(locate(data, 4, "data.z")) == "5:10"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ('spec.list[name="y"].port', "4:15"),
        ('spec.list[name="y",port=2].name', "4:6"),
        ('spec.list[port=2,protocol="TCP"].port', "4:15"),
        ('spec.list[name="a]=.,b"].port', "5:22"),
        ('spec.list[name="absent"].port', "2:3"),
        ('spec.list[protocol="TCP"].port', "2:3"),
        ('spec.set[="two"]', "6:14"),
        ("spec.list[9].port", "2:3"),
    ],
)
def test_an_item_is_found_by_what_names_it(path: str, place: str) -> None:
    items = '  - {name: x, port: 1}\n  - {name: y, port: 2}\n  - {name: "a]=.,b", port: 3}\n'
    assert str(locate(f"spec:\n  list:\n{items}  set: [one, two]\n".encode(), 1, path)) == place


YAML_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="ascii", min_codepoint=32)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=12,
)


@given(YAML_VALUES)
def test_json_is_yaml(value: Any) -> None:
    text = json.dumps({"root": value})
    documents, problems = read_documents(text.encode(), "f.yaml")
    assert problems == []
    assert documents[0].value == {"root": value}


@given(st.text(max_size=200))
def test_any_text_gives_documents_or_problems_and_never_an_exception(text: str) -> None:
    _, problems = read_documents(text.encode("utf-8", "surrogatepass"), "f.yaml")
    assert all(problem.origin is not None and problem.origin.line >= 1 for problem in problems)


@given(st.binary(max_size=100))
def test_any_bytes_give_documents_or_problems_and_never_an_exception(data: bytes) -> None:
    read_documents(data, "f.yaml")
