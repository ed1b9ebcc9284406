"""The one-line form of problems (`Problem.__str__`, `summarize`) back to its parts.

Conditions and events hold only text, and clients of every kind read them there; ours shows code, place and fix apart.
What is not in our form becomes a cause without a code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COUNT = re.compile(r"\A\d+ problems:\n")
_LINE = re.compile(r"\A(?P<title>.*?) \[(?P<code>[EW]\d{3})\](?P<rest>.*)\Z", re.DOTALL)
_REST = re.compile(r"\A(?: (?P<subject>[A-Z]\w* .+?))?(?: at (?P<where>\S.*?))?(?:: (?P<cause>.*))?\Z", re.DOTALL)
_FIX = "; fix: "
_UNDONE = "\nUndone: "  # what an undone revision's message ends with: where the cluster stands, no problem


@dataclass(frozen=True, slots=True)
class ToldProblem:
    """A problem as a message tells it; what the message does not say is empty."""

    title: str
    code: str = ""
    subject: str = ""
    where: str = ""
    cause: str = ""
    fix: str = ""


def read_problems(message: str) -> tuple[ToldProblem, ...]:
    """Every problem that a message tells; a message of another form is one problem with only a title.

    >>> read_problems("unknown field a [E204] Deployment shop/web at w.yaml:3@a1b2c3d: no such field; fix: b")[0].where
    'w.yaml:3@a1b2c3d'
    """
    body, counted = _COUNT.subn("", message.partition(_UNDONE)[0])
    lines = [line.removeprefix("- ") for line in body.splitlines()] if counted else [body]
    return tuple(_read(line) for line in lines if line.strip())


def _read(line: str) -> ToldProblem:
    match = _LINE.match(line)
    if match is None:
        return ToldProblem(line)
    rest, _, fix = match["rest"].partition(_FIX)
    parts = _REST.match(rest)
    if parts is None:
        return ToldProblem(match["title"], match["code"], cause=rest.strip(" :"), fix=fix)
    found = {name: text or "" for name, text in parts.groupdict().items()}
    return ToldProblem(match["title"], match["code"], found["subject"], found["where"], found["cause"], fix)
