"""Sprig's functions of lists, maps, numbers and defaults. None changes a value that it is given."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from sluice.core.message_template.fault import Failure, TooMuch
from sluice.core.message_template.function import Callee
from sluice.core.message_template.json_text import json_text
from sluice.core.message_template.sprig_text import texts
from sluice.core.message_template.value import (
    MAX_ITEMS,
    Int64,
    Struct,
    deep_equal,
    kind,
    show,
    type_name,
)

MAX_COMPOSITES = 200

_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]*|[1-9][0-9_]*)")
_INT64 = 2**63


def is_empty(value: Any) -> bool:
    """What Sprig takes for not given: nil, false, 0 and what has no content."""
    return not isinstance(value, Struct) and not value


def _default(fallback: Any, *given: Any) -> Any:
    return fallback if not given or is_empty(given[0]) else given[0]


def _coalesced(*values: Any) -> Any:
    return next((value for value in values if not is_empty(value)), None)


def to_int64(value: Any) -> Int64:
    """A value as an integer; what is none is 0."""
    if isinstance(value, str):
        text = re.sub(r"\.0*$", "", value) if re.fullmatch(r"[^.]+\.0*", value) else value
        match = _INTEGER.fullmatch(text)
        if match is None or not any(one.isdigit() for one in text) or len(text) > 100:
            return Int64(0)
        digits = text.replace("_", "")
        bare = digits.lstrip("+-")
        old = len(bare) > 1 and bare[0] == "0" and bare[1].isdigit()
        number = int(digits, 8 if old else 0)
        return Int64(number) if -_INT64 <= number < _INT64 else Int64(0)
    if isinstance(value, float):
        return _wrapped(int(value)) if math.isfinite(value) else Int64(-_INT64)
    return Int64(value) if isinstance(value, int) else Int64(0)


def to_float(value: Any) -> float:
    """A value as a float; what is none is 0."""
    if isinstance(value, str):
        try:
            return float(value.replace("_", "x").strip(" ") if value.strip() == value else "x")
        except ValueError:
            return 0.0
    return float(value) if isinstance(value, int | float) else 0.0


def _wrapped(number: int) -> Int64:
    """Integers of 64 bits start over where they end."""
    return Int64((number + _INT64) % 2**64 - _INT64)


def _atoi(text: str) -> int:
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text, re.ASCII) else 0


def _added(*values: Any) -> Int64:
    return _wrapped(sum(to_int64(value) for value in values))


def _multiplied(first: Any, *values: Any) -> Int64:
    number = int(to_int64(first))
    for value in values:
        number = int(_wrapped(number * to_int64(value)))
    return Int64(number)


def _divided(one: Any, other: Any, *, rest: bool) -> Int64:
    dividend, divisor = int(to_int64(one)), int(to_int64(other))
    if divisor == 0:
        raise Failure("integer divide by zero")
    quotient = abs(dividend) // abs(divisor) * (1 if (dividend < 0) == (divisor < 0) else -1)
    return _wrapped(dividend - quotient * divisor if rest else quotient)


def _rounded(value: Any, places: int, *given: float) -> float:
    if abs(places) > 300:
        raise Failure(f"{places} places are too many")
    power = math.pow(10, places)
    digit = power * to_float(value)
    if not math.isfinite(digit):
        raise Failure("the number is too large")
    up = math.modf(digit)[0] >= (given[0] if given else 0.5)
    return _whole(math.ceil if up else math.floor, digit) / power


def _whole(direction: Callable[[float], int], value: float) -> float:
    """The next whole number, which keeps the sign of a zero."""
    return math.copysign(float(direction(value)), value) if math.isfinite(value) else value


def _count(start: int, stop: int, step: int) -> list[int]:
    if (stop < start) != (step < 0) or step == 0:
        return []
    if len(range(start, stop, step)) > MAX_ITEMS:
        raise TooMuch(f"a list of more than {MAX_ITEMS:,} values")
    return list(range(start, stop, step))


def _sequence(*numbers: int) -> str:
    if not 1 <= len(numbers) <= 3:
        return ""
    start, end = (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[-1])
    direction = -1 if end < start else 1
    step = numbers[1] if len(numbers) == 3 else direction
    if len(numbers) == 3 and direction < 0 < step:
        return ""
    return " ".join(map(str, _count(start, end + direction, step)))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Failure(f"a list is expected, not a {type_name(value)}")
    return value


def _sorted(value: Any) -> list[str]:
    return sorted(texts(value), key=str.encode) if isinstance(value, list) else [show(value)]


def _end(value: Any, place: int) -> Any:
    return _list(value)[place] if _list(value) else None


def _unique(value: Any) -> list[Any]:
    found: list[Any] = []
    scalars: set[tuple[str, Any]] = set()
    composites: list[Any] = []
    for item in _list(value):
        if not isinstance(item, list | dict):
            is_known = (type_name(item), item) in scalars
            scalars.add((type_name(item), item))
        else:
            is_known = any(deep_equal(item, held) for held in composites)
            composites += [] if is_known else [item]
            if len(composites) > MAX_COMPOSITES:
                raise TooMuch(f"a list of more than {MAX_COMPOSITES} different lists and maps")
        found += [] if is_known else [item]
    return found


def _without(value: Any, *left_out: Any) -> list[Any]:
    return [item for item in _list(value) if not any(deep_equal(item, other) for other in left_out)]


def _has(needle: Any, value: Any) -> bool:
    return value is not None and any(deep_equal(needle, item) for item in _list(value))


def _sliced(value: Any, *bounds: Any) -> Any:
    held = _list(value)
    start = int(to_int64(bounds[0])) if bounds else 0
    stop = int(to_int64(bounds[1])) if len(bounds) > 1 else len(held)
    if not held:
        return None
    if not 0 <= start <= stop <= len(held):
        raise Failure(f"the slice {start}:{stop} is out of range")
    return held[start:stop]


def _chunks(size: int, value: Any) -> list[Any]:
    held = _list(value)
    if size < 0 and (len(held) - 1) // size == -1:
        return []
    if size < 1:
        raise Failure("the size has to be 1 or more")
    return [held[start : start + size] for start in range(0, len(held), size)]


def _dict(*pairs: Any) -> dict[str, Any]:
    return {show(pairs[at]): pairs[at + 1] if at + 1 < len(pairs) else "" for at in range(0, len(pairs), 2)}


def _dig(*arguments: Any) -> Any:
    *keys, fallback, value = arguments
    for place, key in enumerate(keys):
        if not isinstance(key, str) or type(value) is not dict:
            raise Failure("keys and maps are expected")
        if key not in value:
            return fallback
        value = value[key]
        if place == len(keys) - 1:
            return value
    return value


def _failed(message: str) -> NoReturn:
    raise Failure(message)


def _extreme(choose: Callable[..., Any], convert: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda first, *rest: choose([convert(first), *map(convert, rest)])


DATA: dict[str, Callee] = {
    "default": Callee(_default, "aa*"),
    "empty": Callee(is_empty, "a"),
    "coalesce": Callee(_coalesced, "a*"),
    "all": Callee(lambda *values: not any(map(is_empty, values)), "a*"),
    "any": Callee(lambda *values: not all(map(is_empty, values)), "a*"),
    "ternary": Callee(lambda one, other, which: one if which else other, "aab"),
    "fail": Callee(_failed, "s"),
    "kindOf": Callee(kind, "a"),
    "kindIs": Callee(lambda wanted, value: kind(value) == wanted, "sa"),
    "deepEqual": Callee(deep_equal, "aa", 10),
    "toJson": Callee(lambda value: json_text(value, escapes=True), "a"),
    "toRawJson": Callee(lambda value: json_text(value, escapes=False), "a"),
    "toPrettyJson": Callee(lambda value: json_text(value, escapes=True, indent="  "), "a"),
    "atoi": Callee(_atoi, "s"),
    "int": Callee(lambda value: int(to_int64(value)), "a"),
    "int64": Callee(to_int64, "a"),
    "float64": Callee(to_float, "a"),
    "add1": Callee(lambda value: _added(value, 1), "a"),
    "add": Callee(_added, "a*"),
    "sub": Callee(lambda one, other: _wrapped(to_int64(one) - to_int64(other)), "aa"),
    "mul": Callee(_multiplied, "aa*"),
    "div": Callee(lambda one, other: _divided(one, other, rest=False), "aa"),
    "mod": Callee(lambda one, other: _divided(one, other, rest=True), "aa"),
    "max": Callee(_extreme(max, to_int64), "aa*", 10),
    "biggest": Callee(_extreme(max, to_int64), "aa*"),
    "min": Callee(_extreme(min, to_int64), "aa*"),
    "maxf": Callee(_extreme(max, to_float), "aa*"),
    "minf": Callee(_extreme(min, to_float), "aa*"),
    "floor": Callee(lambda value: _whole(math.floor, to_float(value)), "a"),
    "ceil": Callee(lambda value: _whole(math.ceil, to_float(value)), "a"),
    "round": Callee(_rounded, "aif*"),
    "until": Callee(lambda count: _count(0, count, -1 if count < 0 else 1), "i"),
    "untilStep": Callee(_count, "iii"),
    "seq": Callee(_sequence, "i*"),
    "list": Callee(lambda *values: list(values), "a*"),
    "tuple": Callee(lambda *values: list(values), "a*"),
    "toStrings": Callee(lambda value: [] if value is None else texts(value), "a"),
    "sortAlpha": Callee(_sorted, "a", 10),
    "first": Callee(lambda value: _end(value, 0), "a"),
    "last": Callee(lambda value: _end(value, -1), "a"),
    "rest": Callee(lambda value: _list(value)[1:], "a"),
    "initial": Callee(lambda value: _list(value)[:-1], "a"),
    "append": Callee(lambda value, item: [*_list(value), item], "aa"),
    "push": Callee(lambda value, item: [*_list(value), item], "aa"),
    "prepend": Callee(lambda value, item: [item, *_list(value)], "aa"),
    "concat": Callee(lambda *values: [item for value in values for item in _list(value)], "a*"),
    "reverse": Callee(lambda value: _list(value)[::-1], "a"),
    "compact": Callee(lambda value: [item for item in _list(value) if not is_empty(item)], "a", 10),
    "uniq": Callee(_unique, "a", 10),
    "without": Callee(_without, "aa*", 10),
    "has": Callee(_has, "aa", 10),
    "slice": Callee(_sliced, "aa*"),
    "chunk": Callee(_chunks, "ia"),
    "dict": Callee(_dict, "a*"),
    "get": Callee(lambda held, key: (held or {}).get(key, ""), "ms"),
    "hasKey": Callee(lambda held, key: key in (held or {}), "ms"),
    "keys": Callee(lambda *maps: [key for held in maps for key in sorted(held or {})], "m*"),
    "values": Callee(lambda held: [held[key] for key in sorted(held or {})], "m"),
    "pick": Callee(lambda held, *keys: {key: held[key] for key in keys if held and key in held}, "ms*"),
    "omit": Callee(lambda held, *keys: {key: (held or {})[key] for key in held or {} if key not in keys}, "ms*"),
    "pluck": Callee(lambda key, *maps: [held[key] for held in maps if held and key in held], "sm*"),
    "dig": Callee(_dig, "aaaa*"),
}  # fmt: skip
