"""Generates YAML files as people write them, with the values that they hold: for laws about reading and editing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from sluice.core.yaml_quote import is_plain, quoted

WORDS = st.sampled_from(
    ["web", "nginx:1.27", "ghcr.io/acme/web:v2", "1.10", "true", "on", "0777", "1e3", "2024-01-02", "a: b", "x # y",
     "é ü", "it's", 'say "hi"', "", " padded ", "-", "- a", "~", "null", "#", "&a", "*a", "{x", "a,b", "a\nb", "\t",
     "😀", "semver:~1.0", "glob:1.*", "regexp:^v(.*)$", "1:30", "@x", "%d", "`t`", "=", "<<", "!t", "a:",
     ":a", "?", "? b"]
)  # fmt: skip
KEYS = st.sampled_from(["image", "name", "tag", "a", "b", "c", "fluxcd.io/automated", "x y", "1", "on", "metadata"])
COMMENTS = st.sampled_from(["", "", "", " # why", "  # {\"a\": 'b'}", " #"])


@dataclass(frozen=True)
class Leaf:
    """A string and the style in which it is written."""

    text: str
    style: str


@st.composite
def leaves(draw: st.DrawFn) -> Leaf:
    text = draw(WORDS)
    style = draw(st.sampled_from(["", "'", '"', "|-", ">-"]))
    if style in {"|-", ">-"} and (text != text.strip() or not text or not text.isprintable() or text[0] in " \t"):
        style = '"'
    if style == "" and not is_plain(text, in_flow=True):
        style = "'"
    return Leaf(text, style)


TREES = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        st.dictionaries(KEYS, inner, min_size=1, max_size=4), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)


@dataclass(frozen=True)
class Text:
    """A file's bytes, and for each document the path of every string in it."""

    data: bytes
    leaves: tuple[tuple[int, tuple[str | int, ...]], ...]


@st.composite
def texts(draw: st.DrawFn) -> Text:
    """Files of one to three documents with all that an edit has to leave alone."""
    documents = draw(st.lists(st.dictionaries(KEYS, TREES, min_size=1, max_size=4), min_size=1, max_size=3))
    lines: list[str] = draw(st.sampled_from([[], ["---"], ["# head", "", "--- # first"]]))
    places: list[tuple[int, tuple[str | int, ...]]] = []
    for number, document in enumerate(documents, 1):
        lines = [*lines, *(["---"] if number > 1 else []), *_block(draw, document, 0)]
        places += [(number, path) for path in paths(document)]
    text = draw(st.sampled_from(["\n", "\r\n"])).join(lines) + draw(st.sampled_from(["", "\n", "\n\n"]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    return Text((mark + text).encode(), tuple(places))


def paths(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, Leaf):
        return [at]
    steps = value.items() if isinstance(value, dict) else enumerate(value)
    return [path for step, item in steps for path in paths(item, (*at, step))]


def _block(draw: st.DrawFn, value: Any, indent: int) -> list[str]:
    space = " " * indent
    lines: list[str] = []
    for step, item in value.items() if isinstance(value, dict) else enumerate(value):
        if draw(st.integers(0, 7)) == 0:
            lines += draw(st.sampled_from([[""], [space + "# own line"], ["# outdented"]]))
        start = f"{space}{_key(step)}:" if isinstance(value, dict) else f"{space}-"
        lines += _entry(draw, start, item, indent + draw(st.sampled_from([2, 4])))
    return lines


def _entry(draw: st.DrawFn, start: str, item: Any, inner: int) -> list[str]:
    comment = draw(COMMENTS)
    if isinstance(item, Leaf) and item.style in {"|-", ">-"}:
        return [f"{start} {item.style}{comment}", " " * inner + item.text, *draw(st.sampled_from([[], [""]]))]
    if isinstance(item, Leaf):
        anchor = draw(st.sampled_from(["", "", "", "&here ", "!!str "]))
        return [f"{start} {anchor}{_scalar(item)}{comment}"]
    if draw(st.booleans()):
        return [start + comment, *_block(draw, item, inner)]
    return [f"{start} {_flow(item)}{comment}"]


def _flow(value: Any) -> str:
    if isinstance(value, Leaf):
        return _scalar(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    return "[ " + ", ".join(_flow(item) for item in value) + "]"


def _scalar(leaf: Leaf) -> str:
    return leaf.text if leaf.style == "" else quoted(leaf.text, '"' if leaf.style == '"' else "'")


def _key(key: object) -> str:
    text = str(key)
    return text if is_plain(text, in_flow=True) else quoted(text, '"')
