"""Where a field stands in a YAML file: a document is read again, keeping positions, when an error needs one."""

from __future__ import annotations

from sluice.core.field_path import ItemStep, take_item
from sluice.core.yaml_compose import Chunk
from sluice.core.yaml_node import MAP, Node, Position, read_nodes
from sluice.core.yaml_read import decode, split


def locate(data: bytes, line: int, path: str) -> Position | None:
    """Find the field `path` (`spec.containers[0].image`, `spec.containers[name="web"].image`) of the object on `line`.

    A field that is not there gives its nearest parent's place; None means that no object starts on that line.
    """
    text, problem = decode(data, "")
    if problem is not None:
        return None
    chunks = [chunk for chunk in split(text, []) if chunk.line <= line]
    root = read_nodes(chunks[-1]) if chunks else None
    found = _starting_on(root, line) if root is not None else None
    return None if found is None else _walk(found, path).named


def first_position(chunk: Chunk, path: tuple[str | int, ...]) -> Position | None:
    """Find the first place that has this path, also in a document whose later part is broken."""
    node = read_nodes(chunk)
    for step in path:
        node = None if node is None else node.child(step)
    return None if node is None else node.named


def _starting_on(node: Node, line: int) -> Node | None:
    # A list begins where its first item does; an object is a map.
    if node.at.line == line and node.kind == MAP:
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
        step = take_item(rest) if node.items else None
        if step is not None:
            item = _item(node, step[0])
            if item is None:
                return node
            node, rest = item, step[1]
            continue
        fitting = [k for k in node.keys if k and rest.startswith(k) and rest[len(k) : len(k) + 1] in {"", ".", "["}]
        if not fitting:
            return node
        best = max(fitting, key=len)
        node, rest = node.keys[best], rest[len(best) :]
    return node


def _item(node: Node, step: ItemStep) -> Node | None:
    """A key that the file lacks fits: the API server names items by their defaults, too (`protocol="TCP"`)."""
    if step.index is not None:
        return node.child(step.index)
    for item in node.items:
        texts = {key: found.text for key in step.keys if (found := item.keys.get(key) if key else item) is not None}
        if texts and all(step.keys[key] == text for key, text in texts.items()):
            return item
    return None
