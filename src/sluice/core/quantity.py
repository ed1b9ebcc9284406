"""Kubernetes' quantities: `500m`, `2`, `1.5Gi`, `1e3` as exact numbers."""

from __future__ import annotations

import re
from fractions import Fraction

_FORM = re.compile(
    r"([+-]?[0-9]{1,32}(?:\.[0-9]{0,32})?|[+-]?\.[0-9]{1,32})(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i)?)"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def parse_quantity(text: object) -> Fraction | None:
    """The number, or None for what is no quantity: the API server refuses that, and says so better.

    >>> parse_quantity("1500m"), parse_quantity("1Ki"), parse_quantity(3)
    (Fraction(3, 2), Fraction(1024, 1), Fraction(3, 1))
    """
    match = _FORM.fullmatch(str(text))
    if match is None:
        return None
    digits, exponent, suffix = match.groups()
    if suffix in _BINARY:
        return Fraction(digits) * (1 << 10 * _BINARY[suffix])
    power = int(exponent) if exponent else _DECIMAL.get(suffix or "", 0)
    return Fraction(digits) * (Fraction(10**power) if power >= 0 else Fraction(1, 10**-power))
