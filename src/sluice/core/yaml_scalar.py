"""The type of a plain YAML scalar, as the API server's reader decides it (YAML 1.1 with Go's number grammar).

`yes`, `no`, `on` and `off` are booleans, `0777` is 511, `1_000` is 1000, `1e3` is 1000, dates stay text. Where that
reader loses a value silently (NaN, infinity, an integer beyond int64, a float that overflows) this one raises, so that
the author can quote it.
"""

from __future__ import annotations

import math
import re

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NOT_FINITE = frozenset(
    sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF") if sign or word
) | frozenset((".nan", ".NaN", ".NAN"))
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[oO](?P<oct>[0-7]+)|0[bB](?P<bin>[01]+)"
    r"|0(?P<old>[0-7]+)|(?P<dec>[0-9]|[1-9][0-9]*))"
)
_BASES = {"hex": 16, "oct": 8, "bin": 2, "old": 8, "dec": 10}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LOOSE_UNDERSCORE = re.compile(r"(?<![0-9])_|_(?![0-9])")
_INT64 = 2**63
# A plain scalar that starts otherwise is always a string: the common case, decided by one lookup.
_MAYBE_TYPED = frozenset("yYnNtTfFoO~.+-0123456789")

Scalar = str | int | float | bool | None


class NotANumber(ValueError):
    """The scalar is a number that JSON can't hold; the text says why."""


def resolve_plain(text: str) -> Scalar:
    """Give the value of an unquoted, untagged scalar. Raises NotANumber for what JSON can't hold.

    >>> resolve_plain("on"), resolve_plain("0777"), resolve_plain("1:30"), resolve_plain("")
    (True, 511, '1:30', None)
    """
    if text[:1] not in _MAYBE_TYPED and text:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text in _NOT_FINITE:
        raise NotANumber(f"{text} is not a number that JSON can hold")
    first = text[0]
    if first == ".":
        return text if _LOOSE_UNDERSCORE.search(text) else _float(text.replace("_", ""), text)
    if first in "+-" or first.isdecimal():
        return _number(text)
    return text


def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    match = _INTEGER.fullmatch(digits)
    if match is None:
        if digits in _NOT_FINITE:
            raise NotANumber(f"{digits} is not a number that JSON can hold")
        return _float(digits, text)
    if len(digits) > 400:
        raise NotANumber(f"an integer of {len(digits)} digits is beyond 64 bits")
    base = match.lastgroup or "dec"
    value = int(match[base], _BASES[base])
    value = -value if match["sign"] == "-" else value
    if not -_INT64 <= value < _INT64:
        raise NotANumber(f"{digits} is beyond 64 bits")
    return value


def _float(digits: str, text: str) -> Scalar:
    if not _FLOAT.fullmatch(digits):
        return text
    value = float(digits)
    if math.isinf(value):
        raise NotANumber(f"{digits[:40]} is larger than any number that JSON can hold")
    # Go writes a whole float without its point, and the API server then reads an integer.
    return int(value) if value.is_integer() and abs(value) < _INT64 else value
