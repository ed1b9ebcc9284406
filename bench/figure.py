"""A measured number beside what it is compared with, and how both are shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `reference` is the limit or peer; None where there is none. `notes` explain both."""

    name: str
    value: float
    unit: str
    reference: float | None
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Value over reference; None where there is nothing to divide by."""
        return self.value / self.reference if self.reference else None


def rounds(values: Sequence[float]) -> str:
    """What each round took, in seconds, as notes show it."""
    return " / ".join(f"{value:.2f}" for value in values)


def write_json(figures: Sequence[Figure], target: Path) -> None:
    """Write the figures as the list that other tools read."""
    rows = [
        {
            "name": figure.name,
            "value": round(figure.value, 4),
            "unit": figure.unit,
            "reference": None if figure.reference is None else round(figure.reference, 4),
            "ratio": None if figure.ratio is None else round(figure.ratio, 3),
        }
        for figure in figures
    ]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n")


def table(figures: Sequence[Figure]) -> str:
    """The figures for people, one line each, their notes below."""
    lines = [f"{'figure':<22}{'value':>10} {'unit':<9}{'reference':>10}{'ratio':>8}"]
    for figure in figures:
        reference = "–" if figure.reference is None else _number(figure.reference)
        ratio = "–" if figure.ratio is None else f"{figure.ratio:.2f}"
        lines.append(f"{figure.name:<22}{_number(figure.value):>10} {figure.unit:<9}{reference:>10}{ratio:>8}")
        lines += [f"    {note}" for note in figure.notes]
    return "\n".join(lines)


def _number(value: float) -> str:
    if value == int(value):
        return str(int(value))
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"
