"""`printf`: values written by a format, as Go's fmt does, with its notes about what does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from sluice.core.message_template.fault import Failure, TooMuch
from sluice.core.message_template.quote import go_quoted
from sluice.core.message_template.value import MAX_TEXT, Struct, is_integer, show, show_float, type_name

MAX_WIDTH = 10_000

_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(.?)", re.DOTALL)
_BASES = {"b": "b", "o": "o", "x": "x", "X": "X", "d": "d"}


@dataclass(frozen=True, slots=True)
class _Form:
    """What stands between `%` and the verb; `places` is the precision."""

    flags: str
    width: int
    places: int | None


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
        parts.append(f"%!(EXTRA {', '.join(map(_noted, rest))})")
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
    form = _Form(flags, int(width or 0), None if precision is None else int(precision or 0))
    # For `%+v` the sign means the names of fields, which numbers do not have.
    text = _written(
        value, verb, replace(form, flags=flags.replace("+", "")) if verb == "v" and _is_number(value) else form
    )
    return f"%!{verb}({_noted(value, form)})" if text is None else text


def _written(value: Any, verb: str, form: _Form) -> str | None:
    """A value in its place; None when the verb does not suit it."""
    if isinstance(value, Struct) and value.text is not None and verb in "vsxXq":
        value = value.text
    if isinstance(value, list | dict | Struct):
        return _composite(value, verb, form)
    for fits, writer in _WRITERS:
        if fits(value):
            text = writer(value, verb, form.flags, form.places)
            return None if text is None else _padded(text, form, value)
    return _padded("<nil>", form, value) if verb == "v" else None


def _is_number(value: Any) -> bool:
    return is_integer(value) or isinstance(value, float)


def _padded(text: str, form: _Form, value: Any) -> str:
    if len(text) >= form.width:
        return text
    if "-" in form.flags:
        return text.ljust(form.width)
    if "0" not in form.flags or (is_integer(value) and form.places is not None):
        return text.rjust(form.width)
    sign = text[0] if _is_number(value) and text[0] in "+- " else ""
    return sign + text[len(sign) :].rjust(form.width - len(sign), "0")


def _noted(value: Any, form: _Form | None = None) -> str:
    """How a value that has no place is named; Go's names for the types of lists and maps are not kept here."""
    if value is None:
        return "<nil>"
    if isinstance(value, list | dict | Struct):
        raise Failure("a list, map or struct has no place in the format")
    return f"{type_name(value)}={_written(value, 'v', form) if form is not None else show(value)}"


def _composite(value: Any, verb: str, form: _Form) -> str:
    if verb != "v" or form.flags.strip("-") or form.width or form.places is not None:
        raise Failure(f"a {type_name(value)} is written by %v alone here")
    return show(value)


def _text(value: str, verb: str, flags: str, places: int | None) -> str | None:
    cut = value if places is None else value[:places]
    if verb in "sv":
        return cut
    if verb == "q":
        return f"`{cut}`" if "#" in flags and "`" not in cut and cut.isprintable() else go_quoted(cut)
    if verb in "xX":
        held = value.encode()[:places]
        prefix = "0x" if "#" in flags and held else ""
        shown = f" {prefix}".join(f"{byte:02x}" for byte in held) if " " in flags else held.hex()
        return (prefix + shown).upper() if verb == "X" else prefix + shown
    return None


def _boolean(value: bool, verb: str, _flags: str, _places: int | None) -> str | None:
    return ("true" if value else "false") if verb in "tv" else None


def _integer(value: int, verb: str, flags: str, places: int | None) -> str | None:
    sign = "-" if value < 0 else "+" if "+" in flags else " " if " " in flags else ""
    if verb == "v":
        verb = "d"
    if verb in _BASES:
        if places == 0 and value == 0:
            return ""
        digits = format(abs(value), _BASES[verb])
        digits = digits.rjust(places, "0") if places is not None else digits
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
        return sign + prefix + digits
    if verb in "cqU":
        code = value if 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000 else 0xFFFD
        if verb == "U":
            shown = f" '{chr(code)}'" if "#" in flags and value == code and chr(code).isprintable() else ""
            return "U+" + f"{value % 2**64:X}".rjust(max(4, places or 0), "0") + shown
        return chr(code) if verb == "c" else go_quoted(chr(code), "'")
    return None


def _float(value: float, verb: str, flags: str, places: int | None) -> str | None:
    if "#" in flags:
        raise Failure("%# of a float is not supported")
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
    if verb in "vgG":
        return sign + format(value, f".{places}{'G' if verb == 'G' else 'g'}")
    if verb in "xXb":
        raise Failure(f"%{verb} of a float is not supported; use %f, %e or %v")
    return None


_WIDE = Context(prec=2_000)  # more digits than any float has
_WRITERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, str, str, int | None], str | None]], ...] = (
    (lambda value: isinstance(value, str), _text),
    (lambda value: isinstance(value, bool), _boolean),
    (is_integer, _integer),
    (lambda value: isinstance(value, float), _float),
)
