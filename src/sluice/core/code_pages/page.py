"""The shape of what is written about one code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodePage:
    """What `sluice explain` says of a code beyond its one sentence in the registry.

    `meaning` says what has and has not happened; `example` is a whole message, in the form in which a condition, an
    event or the command line tells it; `cause` lists what leads to it; `fix` is what to do, commands in backticks.
    """

    meaning: str
    example: str
    cause: str
    fix: str
