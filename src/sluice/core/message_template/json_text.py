"""Values as JSON, written as Go writes it; what JSON can't hold is the empty text, as in Sprig."""

from __future__ import annotations

import math
import re
from typing import Any

from sluice.core.message_template.fault import TooMuch
from sluice.core.message_template.value import MAX_TEXT, Struct, is_integer, plain_float, show_float

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class _NotJson(ValueError):
    """JSON has no form for this value."""


def json_text(value: Any, *, escapes: bool, indent: str = "") -> str:
    """Write a value; `escapes` takes care of what HTML gives a meaning, `indent` gives each value a line."""
    try:
        return _written(value, escapes, indent, "\n")
    except _NotJson:
        return ""


def _written(value: Any, escapes: bool, indent: str, line: str) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _quoted(value, escapes)
    if is_integer(value):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, list):
        return _all([_written(item, escapes, indent, line + indent) for item in value], "[]", indent, line)
    if isinstance(value, Struct):
        items = list(value.fields.items())
    else:
        if any(isinstance(key, Struct) for key in value):
            raise _NotJson
        items = sorted(value.items())
    colon = ": " if indent else ":"
    return _all(
        [_quoted(key, escapes) + colon + _written(item, escapes, indent, line + indent) for key, item in items],
        "{}",
        indent,
        line,
    )


def _all(parts: list[str], brackets: str, indent: str, line: str) -> str:
    if sum(map(len, parts)) > MAX_TEXT:
        raise TooMuch(f"a text of more than {MAX_TEXT:,} characters")
    if not parts or not indent:
        return brackets[0] + ",".join(parts) + brackets[1]
    inner = line + indent
    return brackets[0] + inner + f",{inner}".join(parts) + line + brackets[1]


def _quoted(text: str, escapes: bool) -> str:
    return '"' + "".join(_escaped(one, escapes) for one in text) + '"'


def _escaped(one: str, escapes: bool) -> str:
    if one in _ESCAPES:
        return _ESCAPES[one]
    if one < " " or one in "\u2028\u2029" or (escapes and one in "<>&"):
        return f"\\u{ord(one):04x}"
    return one


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise _NotJson
    if value and not 1e-6 <= abs(value) < 1e21:
        return re.sub(r"e-0([1-9])$", r"e-\1", show_float(value))
    return plain_float(value)
