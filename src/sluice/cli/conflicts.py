"""Flags that exclude each other."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.cli.flags import usage
from sluice.core import codes


def refuse_together(given: Mapping[str, object]) -> None:
    """Raise UsageRefused (FieldConflict) when more than one of these flags was given."""
    names = [name for name, value in given.items() if value]
    if len(names) > 1:
        raise usage(f"{' and '.join(names)} exclude each other", code=codes.FIELD_CONFLICT, fix="give one of them")
