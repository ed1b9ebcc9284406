"""Fields that a rule leaves to the cluster: what is sent of an object that exists, so that none of them changes.

Of a field that is named so, what we own is sent as it is in the cluster, and what we do not own is not sent. So an
apply neither changes it nor gives it up: server-side apply removes what its last owner stops sending. A field is sent
as git has it only when the object is created.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.core.field_set import FieldSet, index_of
from sluice.core.managed_fields import applied_fields
from sluice.core.manifest import Manifest
from sluice.core.selector import EVERYTHING, ObjectSelector

_FORBIDDEN = ("/apiVersion", "/kind", "/metadata/name", "/metadata/namespace", "/metadata/uid")


@dataclass(frozen=True, slots=True)
class IgnoredFields:
    """One rule: JSON pointers, and the objects that it is about."""

    paths: tuple[str, ...]
    target: ObjectSelector = EVERYTHING


class _Metadata(msgspec.Struct, frozen=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _WithMetadata(msgspec.Struct, frozen=True):
    metadata: _Metadata


def parse_pointer(text: str) -> tuple[str, ...]:
    """The parts of a JSON pointer (RFC 6901). Raises ValueError when it is none, or names what no rule may.

    >>> parse_pointer("/metadata/annotations/a~1b")
    ('metadata', 'annotations', 'a/b')
    """
    if not text.startswith("/"):
        raise ValueError("a JSON pointer begins with /")
    if text in {"/", "/metadata"} or any(text == f or text.startswith(f + "/") for f in _FORBIDDEN):
        raise ValueError("it would leave out what makes the object")
    parts = text[1:].split("/")
    for part in parts:
        if "~" in part.replace("~0", "").replace("~1", ""):
            raise ValueError("~ is written ~0, and / inside a key ~1")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def ignored_in(manifest: Manifest, rules: Iterable[IgnoredFields]) -> tuple[str, ...]:
    """The pointers of every rule that is about this object."""
    version = manifest.api_version.rpartition("/")[2]
    metadata: _Metadata | None = None
    found: dict[str, None] = {}
    for rule in rules:
        if rule.target.needs_metadata and metadata is None:
            metadata = msgspec.json.decode(manifest.body, type=_WithMetadata).metadata
        labels, annotations = (metadata.labels, metadata.annotations) if metadata else ({}, {})
        if rule.target.matches(manifest.id, version, labels, annotations):
            found.update(dict.fromkeys(rule.paths))
    return tuple(found)


def leave_ignored(body: bytes, live: bytes, pointers: tuple[str, ...], ours: str) -> bytes:
    """The body to apply to the live object: at each pointer what we own now, as it is now, and nothing else."""
    wanted = msgspec.json.decode(body, type=dict[str, Any])
    now = msgspec.json.decode(live, type=dict[str, Any])
    owned = applied_fields(now.get("metadata", {}).get("managedFields", []), ours)
    for parts in sorted(map(parse_pointer, pointers), key=_from_the_end, reverse=True):
        _leave(wanted, now, owned, parts)
    return msgspec.json.encode(wanted)


def _from_the_end(parts: tuple[str, ...]) -> list[tuple[int, str]]:
    """Later items of a list first: taking one out moves those behind it."""
    return [(int(part) if part.isdecimal() and len(part) < 10 else -1, part) for part in parts]


_NOTHING = object()


def _leave(wanted: Any, now: Any, owned: FieldSet | None, parts: tuple[str, ...]) -> None:
    """Walk to what the pointer names. `owned` None is "not ours", an empty set all of it."""
    for part in parts[:-1]:
        owned = _below(owned, now, part)
        now, wanted = _at(now, part), _at(wanted, part)
        if not isinstance(wanted, dict | list):
            return
    last = parts[-1]
    owned, value = _below(owned, now, last), _at(now, last)
    if owned is None or value is _NOTHING:
        _take_out(wanted, last)
    elif _at(wanted, last) is not _NOTHING:
        wanted[int(last) if isinstance(wanted, list) else last] = _part(value, owned)


def _at(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        return node.get(part, _NOTHING)
    if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        return node[int(part)]
    return _NOTHING


def _below(owned: FieldSet | None, node: Any, part: str) -> FieldSet | None:
    if owned is None or not any(step != "." for step in owned):
        return owned  # not ours, or ours as a whole
    if isinstance(node, dict):
        return owned.get(f"f:{part}")
    if isinstance(node, list) and part.isdecimal():
        steps = (step for step in owned if step != "." and index_of(node, step) == int(part))
        found = next(steps, None)
        return owned[found] if found is not None else None
    return None


def _part(value: Any, owned: FieldSet) -> Any:
    """What of a value the set owns."""
    steps = [step for step in owned if step != "."]
    if not steps:
        return copy.deepcopy(value) if "." not in owned else type(value)() if isinstance(value, dict | list) else value
    if isinstance(value, dict):
        return {s[2:]: _part(value[s[2:]], owned[s]) for s in steps if s[2:] in value}
    items = []
    for step in steps:
        place = index_of(value, step) if isinstance(value, list) else None
        if place is None:
            continue
        item = _part(value[place], owned[step])
        keys = msgspec.json.decode(step[2:]) if step.startswith("k:") else {}
        items.append({**keys, **item} if keys else value[place])
    return items


def _take_out(node: dict[str, Any] | list[Any], part: str) -> None:
    if isinstance(node, dict):
        node.pop(part, None)
    elif _at(node, part) is not _NOTHING:
        del node[int(part)]
