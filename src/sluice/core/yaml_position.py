"""Where a field stands in a YAML file: a document is read again, keeping positions, when an error needs one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.events import (
    CollectionStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from sluice.core.yaml_compose import Chunk
from sluice.core.yaml_read import decode, split
from sluice.core.yaml_scalar import NotANumber, resolve_plain
from sluice.core.yaml_tag import key_text, tagged_value


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text; both count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(slots=True)
class Node:
    """A value's place. `at` is where the value starts, `named` where its key does (for an item: the value)."""

    at: Position
    named: Position
    keys: dict[str, Node] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)

    def child(self, step: str | int) -> Node | None:
        """The node one step below, by key or by index."""
        if isinstance(step, str):
            return self.keys.get(step)
        return self.items[step] if step < len(self.items) else None


def locate(data: bytes, line: int, path: str) -> Position | None:
    """Find the field `path` (`spec.containers[0].image`) of the object that starts on `line`.

    A field that is not there gives its nearest parent's place; None means that no object starts on that line.
    """
    text, problem = decode(data, "")
    if problem is not None:
        return None
    chunks = [chunk for chunk in split(text, []) if chunk.line <= line]
    root = positions(chunks[-1]) if chunks else None
    found = _starting_on(root, line) if root is not None else None
    return None if found is None else _walk(found, path).named


def first_position(chunk: Chunk, path: tuple[str | int, ...]) -> Position | None:
    """Find the first place that has this path, also in a document whose later part is broken."""
    node = positions(chunk)
    for step in path:
        node = None if node is None else node.child(step)
    return None if node is None else node.named


def positions(chunk: Chunk) -> Node | None:
    """Read the positions of a document, as far as it can be read."""
    reader = _Reader(chunk)
    parser = CParser(chunk.text)
    try:
        while not isinstance(event := parser.get_event(), StreamEndEvent):
            if isinstance(event, MappingEndEvent | SequenceEndEvent):
                reader.open.pop()
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
    key: tuple[str, Position] | None = None


class _Reader:
    def __init__(self, chunk: Chunk) -> None:
        self.first_line = chunk.line
        self.root: Node | None = None
        self.open: list[_Open] = []

    def node(self, event: NodeEvent) -> None:
        mark: Any = event.start_mark
        at = Position(mark.line + self.first_line, mark.column + 1)
        holder = self.open[-1] if self.open else None
        if holder is not None and holder.is_map and holder.key is None and not isinstance(event, CollectionStartEvent):
            holder.key = (_key(event), at)
            return
        node = Node(at, at)
        self.root = self.root or node
        if holder is not None and holder.is_map:
            if holder.key is not None:
                name, node.named = holder.key
                holder.node.keys.setdefault(name, node)
            holder.key = None
        elif holder is not None:
            holder.node.items.append(node)
        if isinstance(event, CollectionStartEvent):
            self.open.append(_Open(node, isinstance(event, MappingStartEvent)))


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


def _starting_on(node: Node, line: int) -> Node | None:
    if node.at.line == line:
        return node
    for child in (*node.keys.values(), *node.items):
        found = _starting_on(child, line)
        if found is not None:
            return found
    return None


def _walk(node: Node, path: str) -> Node:
    """Follow a path whose keys may hold dots: at each map the longest key that fits is taken."""
    rest = path
    while rest:
        rest = rest.removeprefix(".")
        if rest.startswith("[") and node.items:
            number, _, tail = rest[1:].partition("]")
            item = node.child(int(number)) if number.isdecimal() else None
            if item is None:
                return node
            node, rest = item, tail
            continue
        fitting = [k for k in node.keys if k and rest.startswith(k) and rest[len(k) : len(k) + 1] in {"", ".", "["}]
        if not fitting:
            return node
        best = max(fitting, key=len)
        node, rest = node.keys[best], rest[len(best) :]
    return node
