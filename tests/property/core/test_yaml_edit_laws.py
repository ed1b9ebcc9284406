"""Laws of editing: exactly the chosen strings differ, every byte outside them is equal, and twice is once."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.yaml_annotation import set_annotations
from sluice.core.yaml_edit import set_scalars
from sluice.core.yaml_quote import plain_or_quoted, quoted
from sluice.core.yaml_read import read_documents
from sluice.core.yaml_text import Address, EditRefused, open_text
from tests.yaml_texts import WORDS, Text, texts

IMAGES = st.sampled_from(
    ["nginx:1.28", "1.20", "v3", "on", "0x10", "ghcr.io/acme/web@sha256:" + "0" * 64, "2024-02-03"]
)


def values(data: bytes) -> list[Any]:
    documents, problems = read_documents(data, "a.yaml")
    assert not problems
    return [document.value for document in documents]


def replaced(documents: list[Any], at: Address, value: str) -> list[Any]:
    copied = copy.deepcopy(documents)
    holder = copied[at.document - 1]
    for step in at.path[:-1]:
        holder = holder[step]
    holder[at.path[-1]] = value
    return copied


@given(texts(), st.data(), st.one_of(IMAGES, WORDS))
def test_an_edit_changes_exactly_the_chosen_value(text: Text, data: st.DataObject, value: str) -> None:
    at = Address(*data.draw(st.sampled_from(text.leaves)))
    file = open_text(text.data, "a.yaml")
    if file.branch(at)[-1].style in {"|", ">"} and (value != value.strip() or not value.isprintable() or not value):
        with pytest.raises(EditRefused, match="block scalar"):
            set_scalars(file, {at: value})
        return
    edited = set_scalars(file, {at: value})
    assert values(edited) == replaced(values(text.data), at, value)
    assert set_scalars(open_text(edited, "a.yaml"), {at: value}) == edited


@given(texts(), st.data(), IMAGES)
def test_an_edit_keeps_every_byte_outside_the_value(text: Text, data: st.DataObject, value: str) -> None:
    file = open_text(text.data, "a.yaml")
    at = Address(*data.draw(st.sampled_from(text.leaves)))
    node = file.branch(at)[-1]
    start = len(file.text[: file.document(at).chunk.start + node.start].encode()) + (3 if file.has_mark else 0)
    end = len(file.text[: file.document(at).chunk.start + node.end].encode()) + (3 if file.has_mark else 0)
    edited = set_scalars(file, {at: value})
    behind = text.data[end:]
    assert edited.startswith(text.data[:start])
    assert edited.endswith(behind)
    written = edited[start : len(edited) - len(behind)].decode()
    allowed = {value, quoted(value, "'"), quoted(value, '"')}
    # A block scalar keeps its header and its indentation.
    assert written in allowed or (node.style in {"|", ">"} and written.split("\n")[1].strip() == value)


@given(texts(), IMAGES)
def test_every_value_of_a_file_can_be_changed_at_once(text: Text, value: str) -> None:
    wanted = {Address(*leaf): value for leaf in text.leaves}
    expected = values(text.data)
    for at in wanted:
        expected = replaced(expected, at, value)
    assert values(set_scalars(open_text(text.data, "a.yaml"), wanted)) == expected


@given(WORDS, st.sampled_from(["'", '"']), st.booleans())
def test_a_written_string_reads_back_as_that_string(text: str, quote: str, in_flow: bool) -> None:
    written = plain_or_quoted(text, quote, in_flow=in_flow)
    line = f"k: {{k: {written}, l: m}}" if in_flow else f"k:\n  k: {written}\n  l: m\n"
    assert values(line.encode()) == [{"k": {"k": text, "l": "m"}}]


@given(st.text(), st.sampled_from(["'", '"']))
def test_any_text_can_be_quoted(text: str, quote: str) -> None:
    text = text.replace("\0", "").encode("utf-8", "ignore").decode()
    assert values(f"k: {quoted(text, quote)}\n".encode()) == [{"k": text}]


ANNOTATIONS = st.dictionaries(
    st.sampled_from(["fluxcd.io/automated", "fluxcd.io/locked", "fluxcd.io/tag.web", "a", "b"]),
    st.one_of(st.none(), WORDS),
    min_size=1,
    max_size=3,
)


@st.composite
def objects(draw: st.DrawFn) -> tuple[bytes, Address]:
    """Objects with their metadata in every form: block and flow, with and without annotations, in a List or not."""
    held = draw(st.dictionaries(st.sampled_from(["fluxcd.io/automated", "a", "b"]), WORDS, max_size=3))
    entries = [f"{key}: {plain_or_quoted(value, chr(39), in_flow=True)}" for key, value in held.items()]
    block = ["annotations:", *("    " + entry + draw(st.sampled_from(["", " # c"])) for entry in entries)]
    flow = [f"annotations: {{{', '.join(entries)}}}"]
    shape = draw(st.sampled_from(["block", "flow", "inline", "null"]))
    comment = draw(st.sampled_from(["", " # note"]))
    after = draw(
        st.sampled_from([[], ["labels: {a: b}"], ["labels:", "  a: |+", "    x", ""], ["# own line", "labels:", "- x"]])
    )
    if shape == "inline":
        lines = [f"metadata: {{name: web, {flow[0]}}}{comment}"]
    else:
        inner = {"block": block if held else [], "flow": flow, "null": block}[shape]
        is_first = draw(st.booleans())
        inner = [*(["name: web"] if is_first else []), *inner, *([] if is_first else ["name: web"]), *after]
        lines = [f"metadata:{comment}", *("  " + line if line else "" for line in inner)]
    lines = ["kind: Deployment", *lines, "spec:", "  x: y"]
    if draw(st.booleans()):
        first, *rest = lines
        lines = ["kind: List", "items:", f"- {first}", *("  " + line if line else "" for line in rest)]
        path: tuple[str | int, ...] = ("items", 0)
    else:
        path = ()
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n"]))
    return text.encode(), Address(1, path)


@given(objects(), ANNOTATIONS)
def test_annotations_are_set_and_nothing_else(made: tuple[bytes, Address], changes: dict[str, str | None]) -> None:
    data, at = made
    edited = set_annotations(open_text(data, "a.yaml"), at, changes)
    expected = values(data)
    holder = expected[0]["items"][0] if at.path else expected[0]
    before = holder["metadata"].get("annotations") or {}
    wanted = before | {key: value for key, value in changes.items() if value is not None}
    wanted = {key: value for key, value in wanted.items() if changes.get(key, "") is not None}
    if wanted != before:
        holder["metadata"]["annotations"] = wanted
        if not wanted:
            del holder["metadata"]["annotations"]
        assert values(edited) == expected
    else:
        assert edited == data
    assert set_annotations(open_text(edited, "a.yaml"), at, changes) == edited


@given(objects(), WORDS)
def test_what_is_inserted_and_deleted_again_leaves_the_old_bytes(made: tuple[bytes, Address], value: str) -> None:
    data, at = made
    held = open_text(data, "a.yaml").document(at).value
    metadata = (held["items"][0] if at.path else held)["metadata"]
    edited = set_annotations(open_text(data, "a.yaml"), at, {"sluice.dev/x": value})
    restored = set_annotations(open_text(edited, "a.yaml"), at, {"sluice.dev/x": None})
    if metadata.get("annotations") or "annotations" not in metadata:
        assert restored == data
