"""Which syncs were worked on when the process died of itself, how often, and from when on one is left alone.

Pure. A death counts only where something proves that it came from inside: who kills the process proves nothing about
what it was doing (decisions/0017).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem, clip

LIMIT = 3
# A sync that is asked for again and again, or gets a commit a minute, must not fill the book.
MOST_INPUTS = 8
MAX_CAUSE = 200
MAX_BYTES = 256 << 10


class Work(msgspec.Struct, frozen=True):
    """Work on one sync that had begun and not ended. `inputs` names what it was made from."""

    owner: str
    inputs: str


class Suspect(msgspec.Struct, frozen=True):
    """How often the process died at work on a sync that it never finished since; from which inputs, and why last."""

    deaths: int = 0
    inputs: tuple[str, ...] = ()
    cause: str = ""


class Book(msgspec.Struct, frozen=True):
    """What is written down of all of them, by owner."""

    suspects: dict[str, Suspect] = {}


def blame(suspects: Mapping[str, Suspect], left: Iterable[Work], cause: str) -> dict[str, Suspect]:
    """Count one more death against everything that was worked on in that moment."""
    found = dict(suspects)
    for work in left:
        known = found.get(work.owner, Suspect())
        inputs = (*(each for each in known.inputs if each != work.inputs), work.inputs)[-MOST_INPUTS:]
        found[work.owner] = Suspect(known.deaths + 1, inputs, clip(cause, MAX_CAUSE))
    return found


def is_quarantined(suspect: Suspect | None, inputs: str) -> bool:
    """True when it was three times too many, and these inputs have had their try.

    After the third death every further input has one: another revision, another spec, or somebody's request.
    """
    return suspect is not None and suspect.deaths >= LIMIT and inputs in suspect.inputs


def quarantined(sync: ResourceId, suspect: Suspect) -> Problem:
    """What people are told of it."""
    times = f"{suspect.deaths} times"
    return Problem(
        codes.QUARANTINED,
        "it is left alone, since working on it ends the operator",
        subject=sync,
        cause=f"the operator died {times} while it read or planned this: {suspect.cause}",
        fix=f"take out what is too much in git, or give the operator more memory; `sluice sync {sync.name} -n "
        f"{sync.namespace}` has it tried once more, and so does a new revision",
    )


def encode_book(suspects: Mapping[str, Suspect]) -> bytes:
    """As JSON."""
    return msgspec.json.encode(Book(dict(suspects)))


def decode_book(raw: bytes) -> dict[str, Suspect]:
    """Raises ValueError for what is none."""
    if len(raw) > MAX_BYTES:
        raise ValueError("it is too large")
    try:
        return msgspec.json.decode(raw, type=Book).suspects
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
