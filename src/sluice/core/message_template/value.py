"""The values of a template as Go has them: their kinds, what counts as true, how they are written, how they compare.

Texts, booleans and floats are Python's; an integer is an `int`, or an `Int64` where Go's is 64 bits by type, which it
does not take for an `int`. Lists and maps are Python's and never changed. None is Go's nil, and what is not there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sluice.core.message_template.fault import Failure, TooMuch

MAX_TEXT = 1_000_000
MAX_ITEMS = 10_000


class Int64(int):
    """An integer of Go's type int64."""


class TypedMap(dict[Any, Any]):
    """A map whose values are all of one type, which Go does not take for one of any values."""


class TextMap(TypedMap):
    """A map from text to text."""


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct: `fields` can be asked for, `methods` called; `shown` is what is written out, in order.

    Where `text` is not None, the value has its own way to be written (Go's `String`).
    """

    type_name: str
    fields: Mapping[str, Any]
    shown: tuple[Any, ...]
    methods: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    text: str | None = None
    key: tuple[str, ...] = ()
    removed: Mapping[str, str] = field(default_factory=dict)  # fields that there once were, and what to use instead

    def __hash__(self) -> int:
        return hash((self.type_name, self.key))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Struct) and (self.type_name, self.key, self.shown) == (
            other.type_name,
            other.key,
            other.shown,
        )


def type_name(value: Any) -> str:
    """Go's name for the type of a value."""
    if isinstance(value, Struct):
        return value.type_name
    for python, name in _TYPES:
        if isinstance(value, python):
            return name
    return "nil"


_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"), (str, "string"), (Int64, "int64"), (int, "int"), (float, "float64"), (list, "[]interface {}"),
    (TextMap, "map[string]string"), (TypedMap, "map"), (dict, "map[string]interface {}"),
)  # fmt: skip


def kind(value: Any) -> str:
    """Go's name for the kind of a value."""
    if isinstance(value, Struct):
        return "struct"
    return {
        "[]interface {}": "slice",
        "map[string]string": "map",
        "map[string]interface {}": "map",
        "nil": "invalid",
    }.get(type_name(value), type_name(value))


def is_true(value: Any) -> bool:
    """What `if` takes for true: all but false, 0, nil and what is empty."""
    return True if isinstance(value, Struct) else bool(value)


def is_integer(value: Any) -> bool:
    """True for an integer, of whatever type, but not for a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def sorted_items(value: dict[Any, Any]) -> list[tuple[Any, Any]]:
    """The entries of a map in the order of their keys, which is the order in which Go ranges over it."""
    return sorted(value.items(), key=lambda item: item[0].key if isinstance(item[0], Struct) else (item[0],))


def show(value: Any) -> str:
    """Write a value as `%v` does. Raises TooMuch when it would be too long."""
    parts: list[str] = []
    _show(value, parts, [0])
    return "".join(parts)


def _show(value: Any, parts: list[str], size: list[int]) -> None:
    if isinstance(value, Struct) and value.text is None:
        _show_all(value.shown, "{", "}", parts, size)
    elif isinstance(value, list):
        _show_all(value, "[", "]", parts, size)
    elif isinstance(value, dict):
        parts.append("map[")
        for index, (key, item) in enumerate(sorted_items(value)):
            parts.append(" " if index else "")
            _show(key, parts, size)
            parts.append(":")
            _show(item, parts, size)
        parts.append("]")
    else:
        text = _scalar(value)
        parts.append(text)
        size[0] += len(text) + 1
        if size[0] > MAX_TEXT:
            raise TooMuch(f"a text of more than {MAX_TEXT:,} characters")


def _show_all(
    values: list[Any] | tuple[Any, ...], opening: str, closing: str, parts: list[str], size: list[int]
) -> None:
    parts.append(opening)
    for index, item in enumerate(values):
        parts.append(" " if index else "")
        _show(item, parts, size)
    parts.append(closing)


def _scalar(value: Any) -> str:
    if isinstance(value, Struct):
        return value.text or ""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return show_float(value) if isinstance(value, float) else str(int(value))


def show_float(value: float) -> str:
    """The shortest text that is this float, with an exponent where Go's `%v` has one."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    minus, digits, point = _digits(value)
    power = point - 1
    if not value or -4 <= power < 6:
        return plain_float(value)
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{minus}{digits[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"


def plain_float(value: float) -> str:
    """The shortest text that is this finite float, without an exponent."""
    minus, digits, point = _digits(value)
    if not value:
        return f"{minus}0"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    whole = digits[:point].ljust(point, "0")
    return f"{minus}{whole}.{digits[point:]}" if len(digits) > point else f"{minus}{whole}"


def _digits(value: float) -> tuple[str, str, int]:
    """The sign, the digits that are needed, and where the point is among them."""
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  the value is finite
    return "-" if sign else "", "".join(map(str, digits)).rstrip("0") or "0", len(digits) + exponent


def are_equal(one: Any, other: Any) -> bool:
    """What `eq` says of two values. Raises Failure for values that Go does not compare."""
    if one is None or other is None:
        return one is None and other is None
    kinds = [_basic(value) for value in (one, other)]
    if kinds[0] != kinds[1]:
        raise Failure(f"incompatible types for comparison: {type_name(one)} and {type_name(other)}")
    if kinds[0] == "other" and any(isinstance(value, list | dict) or _holds_map(value) for value in (one, other)):
        raise Failure(f"values of type {type_name(one)} can't be compared")
    return type_name(one) == type_name(other) and bool(one == other) if kinds[0] == "other" else bool(one == other)


def is_less(one: Any, other: Any) -> bool:
    """What `lt` says of two values. Raises Failure for values that have no order."""
    kinds = [_basic(value) for value in (one, other)]
    if "other" in kinds or kinds[0] == "bool":
        raise Failure("values of this type have no order")
    if kinds[0] != kinds[1]:
        raise Failure(f"incompatible types for comparison: {type_name(one)} and {type_name(other)}")
    return bool(one.encode() < other.encode() if isinstance(one, str) else one < other)


def deep_equal(one: Any, other: Any) -> bool:
    """Go's `reflect.DeepEqual`: same types, same content."""
    if type_name(one) != type_name(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(deep_equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(deep_equal(item, other[key]) for key, item in one.items())
    return bool(one == other)


def _basic(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if is_integer(value):
        return "integer"
    return "float" if isinstance(value, float) else "text" if isinstance(value, str) else "other"


def _holds_map(value: Any) -> bool:
    return isinstance(value, Struct) and any(isinstance(item, dict | list) for item in value.shown)
