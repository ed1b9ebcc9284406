"""Go durations, the text form of every interval and timeout in Flux's API, to seconds and back.

Arithmetic is in whole nanoseconds, as in Go, so that what Go writes is read as the same value.
"""

from __future__ import annotations

import re

MAX_LENGTH = 64
MAX_NANOSECONDS = 2**63 - 1
FORMS = "hours, minutes, seconds or milliseconds, like 1h30m, 10m, 30s or 500ms"

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_TERM = re.compile(r"(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Read a Go duration as seconds.

    Raises ValueError, whose text tells the accepted forms, for anything Go refuses and for more than 64 characters.

    >>> parse_duration("1h30m")
    5400.0
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a duration has at most {MAX_LENGTH} characters, this one {len(text)}; write {FORMS}")
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    total = 0 if digits == "0" else _sum_terms(digits, text)
    if total > MAX_NANOSECONDS:
        raise ValueError(f"{text!r} is longer than a duration can be; write {FORMS}")
    return sign * total / 1e9


def _sum_terms(digits: str, text: str) -> int:
    total, position = 0, 0
    while match := _TERM.match(digits, position):
        whole, fraction, only_fraction, unit = match.groups()
        fraction = fraction or only_fraction or ""
        total += int(whole or 0) * _UNITS[unit] + int(fraction or 0) * _UNITS[unit] // 10 ** len(fraction)
        position = match.end()
    if position != len(digits) or not digits:
        raise ValueError(f"{text!r} is not a duration; write {FORMS}{_hint(digits[position:])}")
    return total


def _hint(rest: str) -> str:
    unit = rest.lstrip("0123456789.")[:1]
    if unit in {"d", "w", "y"}:
        return ". Days and longer are written in hours: 24h"
    return ". A number needs a unit" if rest and not unit else ""


def format_duration(seconds: float) -> str:
    """Write seconds as Go's Duration.String does, so that `flux get` and people see the form they know.

    >>> format_duration(90.5)
    '1m30.5s'
    """
    total = round(seconds * 1e9)
    if total == 0:
        return "0s"
    sign, total = ("-", -total) if total < 0 else ("", total)
    if total < _UNITS["s"]:
        unit = next(unit for unit in ("ms", "µs", "ns") if total >= _UNITS[unit])
        return f"{sign}{_decimal(total, _UNITS[unit])}{unit}"
    hours, rest = divmod(total, _UNITS["h"])
    minutes, rest = divmod(rest, _UNITS["m"])
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{text}{_decimal(rest, _UNITS['s'])}s"


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0") if rest else str(whole)
