"""Problems ⇄ `status.problem`: the record of what is wrong that an object of ours carries, part by part.

Conditions say the same as text, for every client. The record is an extension of Sluice: a CRD of Flux's drops it, and a
controller that takes over leaves it standing. So it counts only where Ready's message begins with its first problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import msgspec

from sluice.api.kinds import ApiStruct
from sluice.api.schema import doc
from sluice.core.ids import ResourceId
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.problem_text import ToldProblem, count_of, read_problems

MAX_PROBLEMS = 20
MAX_WAITS = 20
MAX_BYTES = 16384
_MAX_TITLE, _MAX_TEXT = 512, 1024
_COMPARED = 100  # of a title: what a message holds of it however much else it has to tell


class ProblemObject(ApiStruct, frozen=True, kw_only=True):
    """The object that a problem is about."""

    kind: Annotated[str, doc("Kind.")]
    name: Annotated[str, doc("Name.")]
    group: Annotated[str, doc("API group; empty for the core's.")] = ""
    namespace: Annotated[str, doc("Namespace; empty for a cluster-scoped object.")] = ""


class ProblemStatus(ApiStruct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    code: Annotated[str, doc("Stable number, like E204; `sluice explain` says what it means.")]
    title: Annotated[str, doc("What is wrong, in one line.")]
    object: Annotated[ProblemObject | None, doc("The object that it is about.")] = None
    field: Annotated[str, doc("The field that it is about, as a dotted path.")] = ""
    file: Annotated[str, doc("The file in the source that has to be changed.")] = ""
    line: Annotated[int, doc("Line in the file, from 1.")] = 0
    column: Annotated[int, doc("Column in the line, from 1.")] = 0
    commit: Annotated[str, doc("The commit that file and line are of.")] = ""
    renderer: Annotated[str, doc("What produced the object, when the file can't be known.")] = ""
    cause: Annotated[str, doc("Why, with the evidence.")] = ""
    fix: Annotated[str, doc("One thing to do about it.")] = ""
    since: Annotated[str, doc("When it was first told.", format="date-time")] = ""
    waits: Annotated[
        tuple[str, ...],
        doc("Kustomizations that wait for this object, as namespace/name, when it was told.", maxItems=MAX_WAITS),
    ] = ()


# The field `status.problem` of every kind that has it.
StatusProblems: TypeAlias = Annotated[
    tuple[ProblemStatus, ...],
    doc("Extension of Sluice: what Ready tells as text, part by part.", maxItems=MAX_PROBLEMS),
]


def problem_status(
    problems: Iterable[Problem], before: Sequence[ProblemStatus], now: str, waits: Sequence[str] = ()
) -> tuple[ProblemStatus, ...] | None:
    """The record of `problems`: at most `MAX_PROBLEMS`, and no more than `MAX_BYTES` but for the first; None for none.

    One that stood there `before` keeps its `since`; `now` is RFC 3339. `waits` go with the first: that one holds up.
    """
    known = {(each.code, each.title, each.object): each.since for each in before}
    made: list[ProblemStatus] = []
    size = 0
    for problem in problems:
        told = _recorded(problem)
        since = known.get((told.code, told.title, told.object)) or now
        told = msgspec.structs.replace(told, since=since, waits=() if made else tuple(waits[:MAX_WAITS]))
        size += len(msgspec.json.encode(told))
        if made and (size > MAX_BYTES or len(made) == MAX_PROBLEMS):
            break
        made.append(told)
    return tuple(made) or None


def _recorded(problem: Problem) -> ProblemStatus:
    origin, subject = problem.origin or Origin(""), problem.subject
    return ProblemStatus(
        code=problem.code.number,
        title=_clean(problem.title, _MAX_TITLE),
        object=None
        if subject is None
        else ProblemObject(group=subject.group, kind=subject.kind, namespace=subject.namespace, name=subject.name),
        field=_clean(problem.field, _MAX_TITLE),
        file=_clean(origin.path, _MAX_TEXT),
        line=origin.line,
        column=origin.column,
        commit=origin.commit,
        renderer=_clean(origin.renderer, _MAX_TITLE),
        cause=_clean(problem.cause, _MAX_TEXT),
        fix=_clean(problem.fix, _MAX_TEXT),
    )


def _clean(text: str, limit: int) -> str:
    return clip(printable(text), limit)


def told_problems(status: Mapping[str, Any], message: str) -> tuple[ToldProblem, ...]:
    """What is wrong with an object whose Ready is False with `message`: by its record, else by the message.

    `status` is as the API server sends it, and whoever may edit it may have written anything.
    """
    try:
        recorded = msgspec.convert(status.get("problem") or (), tuple[ProblemStatus, ...])
    except msgspec.ValidationError:
        recorded = ()
    if not recorded or not _is_of(recorded[0], message):
        return read_problems(message)
    told = tuple(_told(each) for each in recorded[:MAX_PROBLEMS])
    left = count_of(message) - len(told)
    return (*told, ToldProblem(f"and {left} more")) if left > 0 else told


def _is_of(first: ProblemStatus, message: str) -> bool:
    return f"[{first.code}]" in message and first.title.rstrip("…")[:_COMPARED] in message


def _told(each: ProblemStatus) -> ToldProblem:
    subject = each.object and ResourceId(each.object.group, each.object.kind, each.object.namespace, each.object.name)
    origin = Origin(each.file, each.line, each.column, commit=each.commit, renderer=each.renderer)
    return ToldProblem(
        each.title,
        each.code,
        str(subject or ""),
        str(origin) if each.file or each.renderer else "",
        each.cause,
        each.fix,
        each.since,
        each.waits,
    )
