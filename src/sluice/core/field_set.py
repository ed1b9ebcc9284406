"""Paths of `managedFields` (FieldsV1, KEP-555): list them, and read, write or remove what they point to.

A path is a tuple of FieldsV1's own steps: `f:name` a map's key, `k:{…}` the list item with these keys, `v:…` the item
of a set with this value, `i:n` an index. A field set is a tree of them; `.` in a node means the item itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

FieldSet = dict[str, Any]
Path = tuple[str, ...]
MAX_DEPTH = 200


def leaves(fields: FieldSet, above: Path = ()) -> Iterator[Path]:
    """Every path with nothing below it: values, and maps and lists that are owned as a whole.

    >>> list(leaves({"f:a": {".": {}, "f:b": {}}}))
    [('f:a', 'f:b')]
    """
    if len(above) > MAX_DEPTH:
        raise ValueError("a field set is nested too deep")
    for step, below in fields.items():
        if step == ".":
            continue
        if any(deeper != "." for deeper in below):
            yield from leaves(below, (*above, step))
        else:
            yield (*above, step)


def containers(fields: FieldSet, above: Path = ()) -> Iterator[Path]:
    """Every path that is owned as such and has owned paths below it, outermost first.

    >>> list(containers({"f:a": {".": {}, "f:b": {}}}))
    [('f:a',)]
    """
    if len(above) > MAX_DEPTH:
        raise ValueError("a field set is nested too deep")
    for step, below in fields.items():
        if step != "." and any(deeper != "." for deeper in below):
            if "." in below:
                yield (*above, step)
            yield from containers(below, (*above, step))


def contains(fields: FieldSet, path: Path) -> bool:
    """True when the set owns exactly that path."""
    node = fields
    for step in path:
        if step not in node:
            return False
        node = node[step]
    return not node or "." in node


def covers(fields: FieldSet, path: Path) -> bool:
    """True when the set owns that path, something above it as a whole, or something below it.

    >>> covers({"f:a": {}}, ("f:a", "f:b")), covers({"f:a": {"f:b": {}}}, ("f:a",)), covers({"f:a": {}}, ("f:b",))
    (True, True, False)
    """
    node = fields
    for step in path:
        if step not in node:
            return not node and node is not fields
        node = node[step]
    return True


def union(first: FieldSet, second: FieldSet) -> FieldSet:
    """All paths of both."""
    merged = dict(first)
    for step, below in second.items():
        merged[step] = union(merged[step], below) if step in merged else below
    return merged


def add(fields: FieldSet, path: Path) -> FieldSet:
    """The set with that path."""
    node: FieldSet = {}
    for step in reversed(path):
        node = {step: node}
    return union(fields, node)


def without(fields: FieldSet, path: Path) -> FieldSet:
    """The set without that path; what lies below it stays."""
    if not path:
        return {step: below for step, below in fields.items() if step != "."}
    head, rest = path[0], path[1:]
    if head not in fields:
        return fields
    below = without(fields[head], rest)
    others = {step: node for step, node in fields.items() if step != head}
    return {**others, head: below} if below else others


def value_at(body: Any, path: Path) -> tuple[bool, Any]:
    """Whether the path is there, and its value."""
    node = body
    for step in path:
        found, node = _child(node, step)
        if not found:
            return False, None
    return True, node


def put(body: dict[str, Any], path: Path, value: Any) -> None:
    """Set the path to `value`, making what is missing above it. A set's or list's item is appended."""
    node: Any = body
    for step, following in pairwise(path):
        found, child = _child(node, step)
        if not found or child is None:
            child = _new_item(step) if step.startswith("k:") else ([] if following[0] in "kvi" else {})
            _set(node, step, child)
            _, child = _child(node, step)
        node = child
    _set(node, path[-1], value)


def remove(body: dict[str, Any], path: Path) -> None:
    """Remove the path; nothing happens when it is not there."""
    found, parent = value_at(body, path[:-1])
    if not found:
        return
    step = path[-1]
    if isinstance(parent, dict):
        parent.pop(step[2:], None)
    elif isinstance(parent, list):
        index = index_of(parent, step)
        if index is not None:
            del parent[index]


def readable(path: Path) -> str:
    """The path as people write it: `spec.containers[name=web].image`."""
    text = ""
    for step in path:
        kind, rest = step[:1], step[2:]
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = msgspec.json.decode(rest, type=dict[str, Any])
            text += "[" + ",".join(f"{k}={v}" for k, v in keys.items()) + "]"
        else:
            text += f"[{rest}]"
    return text.removeprefix(".")


def _child(node: Any, step: str) -> tuple[bool, Any]:
    if isinstance(node, dict) and step.startswith("f:"):
        return (True, node[step[2:]]) if step[2:] in node else (False, None)
    if isinstance(node, list):
        index = index_of(node, step)
        return (True, node[index]) if index is not None else (False, None)
    return False, None


def index_of(items: list[Any], step: str) -> int | None:
    """The place of the item that a step names, or None when there is none."""
    kind, rest = step[:1], step[2:]
    if kind == "i":
        number = int(rest)
        return number if number < len(items) else None
    wanted = msgspec.json.decode(rest)
    for number, item in enumerate(items):
        if kind == "v" and item == wanted:
            return number
        if kind == "k" and isinstance(item, dict) and all(item.get(k) == v for k, v in wanted.items()):
            return number
    return None


def _new_item(step: str) -> dict[str, Any]:
    return msgspec.json.decode(step[2:], type=dict[str, Any])


def _set(node: Any, step: str, value: Any) -> None:
    if isinstance(node, dict):
        node[step[2:]] = value
    elif isinstance(node, list):
        index = index_of(node, step)
        if index is None:
            node.append(value)
        else:
            node[index] = value
