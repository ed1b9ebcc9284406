"""Constants of a template, as Go reads them: texts in quotes, characters, numbers."""

from __future__ import annotations

import math
import re

from sluice.core.message_template.fault import syntax

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_INT64 = 2**63
_MAX_DIGITS = 400


def read_string(text: str, line: int) -> str:
    """The value of a text in double quotes or backquotes."""
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    return _unescaped(text[1:-1], '"', line)


def read_character(text: str, line: int) -> tuple[int, int, float]:
    """The number of a character in single quotes."""
    value = _unescaped(text[1:-1], "'", line)
    if len(value) != 1:
        raise syntax(f"{text} is not one character", line)
    return ord(value), ord(value), float(ord(value))


def read_number(text: str, line: int) -> tuple[int | float, int | None, float]:
    """A number as it is written, as an integer (None when it is none), and as a float."""
    if len(text) > _MAX_DIGITS:
        raise syntax("a number is too long", line)
    digits = text.replace("_", "")
    is_hex = "0x" in digits.lower()
    try:
        if (is_hex and not set("pP.") & set(digits)) or not set(".eEpP") & set(digits):
            value = _integer(digits)
            if not -_INT64 <= value < _INT64:
                raise syntax(f"{text} is beyond 64 bits", line)
            return value, value, float(value)
        real = float.fromhex(digits) if is_hex else float(digits)
    except (ValueError, OverflowError) as error:
        raise syntax(f"{text!r} is not a number", line) from error
    if not math.isfinite(real):
        raise syntax(f"{text} is too large for a float", line)
    return real, int(real) if real.is_integer() and abs(real) < _INT64 else None, real


def _integer(digits: str) -> int:
    sign, bare = (digits[0], digits[1:]) if digits[0] in "+-" else ("", digits)
    if len(bare) > 1 and bare[0] == "0" and bare[1].isdigit():
        return int(sign + bare, 8)
    return int(sign + bare, 0)


def _unescaped(text: str, quote: str, line: int) -> str:
    def one(match: re.Match[str]) -> str:
        two, four, eight, octal, other = match.groups()
        if two or octal:
            # A byte: what it may make of its neighbours is settled below.
            value = int(two, 16) if two else int(octal, 8)
            if value > 255:
                raise syntax(f"{match[0]} is no byte", line)
            return chr(value) if value < 128 else chr(0xDC00 + value)
        if four or eight:
            code = int(four or eight, 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise syntax(f"{match[0]} is no character", line)
            return chr(code)
        if other == quote:
            return quote
        if other not in _SIMPLE:
            raise syntax(f"{match[0]!r} is no escape", line)
        return _SIMPLE[other]

    value = _ESCAPE.sub(one, text)
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
