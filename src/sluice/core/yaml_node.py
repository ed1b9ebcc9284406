"""A YAML document as its text has it: every value with its span, style, anchor and key, for errors and for edits.

Nothing is resolved here: an alias stays an alias, `<<` stays a key. What the values mean is `yaml_compose`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from sluice.core.yaml_compose import Chunk
from sluice.core.yaml_scalar import NotANumber, resolve_plain
from sluice.core.yaml_tag import key_text, tagged_value

MAP, LIST, SCALAR, ALIAS = "map", "list", "scalar", "alias"

_PROPERTY = re.compile(r"(?:[&!][^\s,\[\]{}]*|#[^\n]*|\s+)*")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text; both count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class Node:
    """A value's place. `at` is where the value starts, `named` where its key does (for an item: the value).

    `start` and `end` count characters of the chunk's text and leave anchor and tag out; a block scalar's span ends
    with its trailing line breaks. `style` is the quote or `|` `>` of a scalar, `{` or `[` of a flow map or list, else
    empty. `is_shared` says that an alias repeats the value. Small, for a file may have a hundred thousand of them.
    """

    __slots__ = ("column", "end", "is_shared", "items", "key", "keys", "kind", "line", "start", "style", "tag", "text")

    def __init__(self, line: int, column: int, start: int, end: int) -> None:
        self.line = line
        self.column = column
        self.start = start
        self.end = end
        self.kind = SCALAR
        self.style = ""
        self.text = ""
        self.tag: str | None = None
        self.is_shared = False
        self.key: Node | None = None
        self.keys: dict[str, Node] = _NO_KEYS
        self.items: list[Node] = _NO_ITEMS

    @property
    def at(self) -> Position:
        """Where the value starts."""
        return Position(self.line, self.column)

    @property
    def named(self) -> Position:
        """Where its key starts, or the value where it has none."""
        return self.at if self.key is None else self.key.at

    def child(self, step: str | int) -> Node | None:
        """The node one step below, by key or by index."""
        if isinstance(step, str):
            return self.keys.get(step)
        return self.items[step] if 0 <= step < len(self.items) else None

    def descend(self, path: tuple[str | int, ...]) -> Iterator[Node]:
        """This node and those below it along `path`, as far as the text itself has them."""
        node: Node | None = self
        yield self
        for step in path:
            node = None if node is None else node.child(step)
            if node is None:
                return
            yield node

    def is_null(self) -> bool:
        """True for a value that is left out, `~` or `null`."""
        return self.kind == SCALAR and not self.style and self.tag is None and self.text in {"", "~", "null", "Null"}


# What scalars have for children: nobody adds to these.
_NO_KEYS: dict[str, Node] = {}
_NO_ITEMS: list[Node] = []


def read_nodes(chunk: Chunk) -> Node | None:
    """Read the nodes of a document, as far as it can be read."""
    reader = _Reader(chunk)
    parser = CParser(chunk.text)
    try:
        while not isinstance(event := parser.get_event(), StreamEndEvent):
            if isinstance(event, MappingEndEvent | SequenceEndEvent):
                reader.close(event)
            elif isinstance(event, NodeEvent):
                reader.node(event)
    except yaml.YAMLError:
        return reader.root
    return reader.root


@dataclass(slots=True)
class _Open:
    """A map or list whose end is not read yet; `key` waits for its value."""

    node: Node
    is_map: bool
    key: tuple[str, Node] | None = None


class _Reader:
    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.root: Node | None = None
        self.open: list[_Open] = []
        self.anchors: dict[str, Node] = {}

    def node(self, event: NodeEvent) -> None:
        holder = self.open[-1] if self.open else None
        node = self.read(event)
        if holder is not None and holder.is_map and holder.key is None and node.kind in {SCALAR, ALIAS}:
            holder.key = (_key(event), node)
            return
        self.root = self.root or node
        if holder is not None and holder.is_map:
            if holder.key is not None:
                name, node.key = holder.key
                holder.node.keys.setdefault(name, node)
            holder.key = None
        elif holder is not None:
            holder.node.items.append(node)
        if isinstance(event, CollectionStartEvent):
            self.open.append(_Open(node, isinstance(event, MappingStartEvent)))

    def read(self, event: NodeEvent) -> Node:
        mark: Any = event.start_mark
        end: Any = event.end_mark
        node = Node(mark.line + self.chunk.line, mark.column + 1, mark.index, end.index)
        if isinstance(event, AliasEvent):
            node.kind, node.text = ALIAS, event.anchor or ""
            if node.text in self.anchors:
                self.anchors[node.text].is_shared = True
            return node
        node.tag = event.tag  # type: ignore[attr-defined]  # every node but an alias has one
        if event.anchor:
            self.anchors[event.anchor] = node
        if event.anchor or node.tag is not None:
            after = _PROPERTY.match(self.chunk.text, node.start, node.end)
            node.start = after.end() if after else node.start
        if isinstance(event, ScalarEvent):
            node.text, node.style = event.value, event.style or ""
        elif isinstance(event, CollectionStartEvent):
            if isinstance(event, MappingStartEvent):
                node.kind, node.keys = MAP, {}
            else:
                node.kind, node.items = LIST, []
            node.style = ("{" if node.kind == MAP else "[") if event.flow_style else ""
        return node

    def close(self, event: MappingEndEvent | SequenceEndEvent) -> None:
        node = self.open.pop().node
        if node.style:
            end: Any = event.end_mark
            node.end = end.index
            return
        inside = [*node.keys.values(), *node.items]
        node.end = max((child.end for child in inside), default=node.end)


def _key(event: yaml.Event) -> str:
    if not isinstance(event, ScalarEvent):
        return ""
    try:
        if event.tag is not None:
            value = tagged_value(event.tag, event.value)
        else:
            value = event.value if event.style else resolve_plain(event.value)
    except (NotANumber, ValueError):
        value = event.value
    return key_text(value) or ""
