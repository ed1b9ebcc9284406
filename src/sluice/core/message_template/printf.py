"""`printf`: values written by a format, as Go's fmt does, with its notes about what does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from sluice.core.message_template.fault import Failure, TooMuch
from sluice.core.message_template.quote import go_quoted
from sluice.core.message_template.value import MAX_TEXT, Struct, is_integer, show, show_float, type_name

MAX_WIDTH = 10_000

_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(.?)", re.DOTALL)
_BASES = {"b": "b", "o": "o", "x": "x", "X": "X", "d": "d"}


def sprintf(form: str, *values: Any) -> str:
    """Write values by a format. Raises Failure for what is not supported here: `*`, argument indexes, `%#v`, `%T`."""
    rest = list(values)
    parts: list[str] = []
    at = size = 0
    for match in _VERB.finditer(form):
        parts += [form[at : match.start()], _verb(match, rest)]
        at = match.end()
        size += len(parts[-1])
        if size > MAX_TEXT:
            raise TooMuch(f"a text of more than {MAX_TEXT:,} characters")
    parts.append(form[at:])
    if rest:
        extra = ", ".join("<nil>" if value is None else f"{type_name(value)}={show(value)}" for value in rest)
        parts.append(f"%!(EXTRA {extra})")
    return "".join(parts)


def _verb(match: re.Match[str], rest: list[Any]) -> str:
    flags, width, precision, verb = match[1], match[2], match[3], match[4]
    if verb == "":
        return "%!(NOVERB)"
    if verb == "%":
        return "%"
    if verb in "*[T" or (verb == "v" and "#" in flags):
        raise Failure(f"the format {match[0]!r} is not supported")
    if int(width or 0) > MAX_WIDTH or int(precision or 0) > MAX_WIDTH:
        raise TooMuch(f"a width of more than {MAX_WIDTH:,} characters")
    if not rest:
        return f"%!{verb}(MISSING)"
    value = rest.pop(0)
    places = None if precision is None else int(precision or 0)
    written = _written(value, verb, flags, places)
    return _padded(
        written, int(width or 0), flags, is_number=written[:1] in {*"+-0123456789"} and not isinstance(value, str)
    )


def _padded(text: str, width: int, flags: str, *, is_number: bool) -> str:
    if len(text) >= width:
        return text
    if "-" in flags:
        return text.ljust(width)
    if "0" not in flags:
        return text.rjust(width)
    sign = text[0] if is_number and text[0] in "+-" else ""
    return sign + text[len(sign) :].rjust(width - len(sign), "0")


def _written(value: Any, verb: str, flags: str, places: int | None) -> str:
    if isinstance(value, Struct) and value.text is not None and verb in "vsxXq":
        value = value.text
    if isinstance(value, list | dict | Struct) and verb != "t":
        return _composite(value, verb, flags, places)
    for types, writer in _WRITERS:
        if types(value):
            text = writer(value, verb, flags, places)
            if text is not None:
                return text
    return "%!" + verb + "(" + ("<nil>" if value is None else f"{type_name(value)}={show(value)}") + ")"


def _composite(value: Any, verb: str, flags: str, places: int | None) -> str:
    if verb != "v":
        raise Failure(f"%{verb} of a {type_name(value)} is not supported; use %v")
    if "+" in flags or places is not None:
        raise Failure(f"flags for a {type_name(value)} are not supported")
    return show(value)


def _text(value: str, verb: str, flags: str, places: int | None) -> str | None:
    cut = value if places is None else value[:places]
    if verb in "sv":
        return cut
    if verb == "q":
        return f"`{cut}`" if "#" in flags and "`" not in cut and cut.isprintable() else go_quoted(cut)
    if verb in "xX":
        shown = (
            value.encode()[:places].hex(" " if " " in flags else "") if " " in flags else value.encode()[:places].hex()
        )
        return shown.upper() if verb == "X" else shown
    return None


def _boolean(value: bool, verb: str, _flags: str, _places: int | None) -> str | None:
    return ("true" if value else "false") if verb in "tv" else None


def _integer(value: int, verb: str, flags: str, places: int | None) -> str | None:
    sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
    if verb == "v":
        verb = "d"
    if verb in _BASES:
        digits = format(abs(value), _BASES[verb])
        digits = digits.rjust(places, "0") if places is not None else digits
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
        return sign + prefix + ("" if places == 0 and value == 0 else digits)
    if verb in "cqU":
        code = value if 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000 else 0xFFFD
        if verb == "U":
            return f"U+{value:04X}"
        return chr(code) if verb == "c" else go_quoted(chr(code), "'")
    return None


def _float(value: float, verb: str, flags: str, places: int | None) -> str | None:
    sign = "+" if "+" in flags and value >= 0 else " " if " " in flags and value >= 0 else ""
    if not math.isfinite(value):
        return show_float(value) if verb in "vfFeEgG" else None
    if verb in "vgG" and places is None:
        return sign + (show_float(value).upper() if verb == "G" else show_float(value))
    if verb in "fF":
        exact = Decimal(value).quantize(Decimal(1).scaleb(-(6 if places is None else places)), ROUND_HALF_EVEN, _WIDE)
        return sign + format(exact, "f")
    if verb in "eE":
        return sign + format(value, f".{6 if places is None else places}{verb}")
    if verb in "gG":
        raise Failure(f"%.{places}{verb} is not supported; use %f or %e")
    return None


_WIDE = Context(prec=2_000)  # more digits than any float has
_WRITERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str, str, int | None], str | None]], ...] = (
    (lambda value: isinstance(value, str), _text),
    (lambda value: isinstance(value, bool), _boolean),
    (is_integer, _integer),
    (lambda value: isinstance(value, float), _float),
)
