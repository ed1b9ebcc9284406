"""Steps into lists, as the API server writes them in its refusals.

`[0]` is the item at that index, `[name="web"]` the item of an associative list with these keys, `[="x"]` the item of a
set with that value; keys and values are JSON, so that a value may hold brackets (structured-merge-diff's path syntax).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

_STRING = r'"(?:[^"\\]|\\.)*"'
_ITEM = re.compile(rf'\[((?:{_STRING}|[^"\]])*)\]')
_KEY = re.compile(rf"([^=,]*)=({_STRING}|[^,]*)(?:,|$)")


@dataclass(frozen=True, slots=True)
class ItemStep:
    """One item of a list: by `index`, else by the `keys` that it has, as text; the key of a set's value is empty."""

    index: int | None = None
    keys: Mapping[str, str] = field(default_factory=dict)


def take_item(path: str) -> tuple[ItemStep, str] | None:
    """The step into a list that `path` begins with, and what comes behind it; None when it begins with no such step.

    >>> take_item('[name="web"].image')
    (ItemStep(index=None, keys={'name': 'web'}), '.image')
    """
    found = _ITEM.match(path)
    if found is None:
        return None
    inside, rest = found[1], path[found.end() :]
    if inside.isdecimal() and inside.isascii() and len(inside) < 10:
        return ItemStep(index=int(inside)), rest
    return ItemStep(keys={key: _text(value) for key, value in _KEY.findall(inside)}), rest


def names_of(path: str) -> tuple[str, ...]:
    """The steps of a path by name, `[]` for each step into a list. A name with a dot in it gives several.

    >>> names_of('spec.containers[name="a.b"].image')
    ('spec', 'containers', '[]', 'image')
    """
    return tuple(name for name in _ITEM.sub(".[]", path).split(".") if name)


def _text(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.MsgspecError:
        return value
