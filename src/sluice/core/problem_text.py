"""The one-line form of problems (`Problem.__str__`, `summarize`) back to its parts.

Conditions and events hold only text, and clients of every kind read them there; ours shows code, place and fix apart.
What is not in our form becomes a cause without a code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_COUNT = re.compile(r"\A\d+ problems:\n")
_LINE = re.compile(r"\A(?P<title>.*?) \[(?P<code>[EW]\d{3})\](?P<rest>.*)\Z", re.DOTALL)
_REST = re.compile(r"\A(?: (?P<subject>[A-Z]\w* .+?))?(?: at (?P<where>\S.*?))?(?:: (?P<cause>.*))?\Z", re.DOTALL)
_FIX = "; fix: "
# What the message of a failed revision may end with: where the cluster stands, which is no problem.
_STANDS = re.compile(r"\n(?:Undone|Left): ")
_LEFT = "\nLeft: "


@dataclass(frozen=True, slots=True)
class ToldProblem:
    """A problem as a message tells it, or a record in a status; what they do not say is empty."""

    title: str
    code: str = ""
    subject: str = ""
    where: str = ""
    cause: str = ""
    fix: str = ""
    since: str = ""
    waits: tuple[str, ...] = ()


def count_of(message: str) -> int:
    """How many problems a message is of, those included that it had no room for.

    >>> count_of("3 problems:\\n- a [E204]\\n- and 2 more")
    3
    """
    counted = _COUNT.match(message)
    return int(counted[0].split()[0]) if counted else 1


def in_brief(message: str) -> str:
    """The message, where it is of several problems with the first alone and how many more there are.

    >>> in_brief("3 problems:\\n- a [E204]: b; fix: c\\n- d [E205]\\n- and 1 more")
    'a [E204]: b; fix: c (and 2 more problems)'
    """
    more = count_of(message) - 1
    if more < 1:
        return message
    found = _STANDS.search(message)
    body, stands = (message[: found.start()], message[found.start() :]) if found else (message, "")
    first = _COUNT.sub("", body).partition("\n")[0].removeprefix("- ")
    return f"{first} (and {more} more problem{'' if more == 1 else 's'}){stands}"


def is_left(message: str) -> bool:
    """Whether a failed revision stays as far as it was applied, by the message that tells of it."""
    return _LEFT in message


def left(message: str, revision: str) -> str:
    """The message of a failed revision of which what was applied stays.

    >>> read_problems(left("a [E304]", "main@sha1:0a"))[0].title, is_left(left("a [E304]", "main@sha1:0a"))
    ('a', True)
    """
    return f"{message}{_LEFT}what was applied of {revision} stays in the cluster"


def read_problems(message: str) -> tuple[ToldProblem, ...]:
    """Every problem that a message tells; a message of another form is one problem with only a title.

    >>> read_problems("unknown field a [E204] Deployment shop/web at w.yaml:3@a1b2c3d: no such field; fix: b")[0].where
    'w.yaml:3@a1b2c3d'
    """
    body, counted = _COUNT.subn("", _STANDS.split(message, maxsplit=1)[0])
    lines = [line.removeprefix("- ") for line in body.splitlines()] if counted else [body]
    return tuple(_read(line) for line in lines if line.strip())


def root_of(problem: ToldProblem) -> ToldProblem:
    """The problem that is told as the cause of the cause …; the problem itself when its cause is plain text.

    >>> root_of(read_problems("a waits [E306] Kustomization shop/a: not valid YAML [E202] at w.yaml:1; fix: b")[0]).code
    'E202'
    """
    while (inner := _LINE.match(problem.cause)) is not None and "\n" not in inner["title"]:
        found = _read(problem.cause)
        where = found.where or problem.where
        problem = replace(found, where=where, fix=found.fix or problem.fix, since=problem.since, waits=problem.waits)
    return problem


def in_short(problem: ToldProblem) -> ToldProblem:
    """The problem with its root in place of the whole chain of causes: what happened, why in the end, its fix.

    >>> in_short(read_problems("a waits [E306] Kustomization shop/a: no YAML [E202]: a tab; fix: b; fix: c")[0]).cause
    'no YAML [E202]: a tab'
    """
    root = root_of(problem)
    if root == problem:
        return problem
    place = f" at {root.where}" if root.where not in {"", problem.where} else ""
    cause = f"{root.title} [{root.code}]{place}" + (f": {root.cause}" if root.cause else "")
    return replace(problem, cause=cause, fix=root.fix)


def _read(line: str) -> ToldProblem:
    match = _LINE.match(line)
    if match is None:
        return ToldProblem(line)
    # A cause may be another problem with a fix of its own: the last fix is this one's.
    rest, told, fix = match["rest"].rpartition(_FIX)
    rest, fix = (rest, fix) if told else (fix, "")
    parts = _REST.match(rest)
    if parts is None:
        return ToldProblem(match["title"], match["code"], cause=rest.strip(" :"), fix=fix)
    found = {name: text or "" for name, text in parts.groupdict().items()}
    return ToldProblem(match["title"], match["code"], found["subject"], found["where"], found["cause"], fix)
