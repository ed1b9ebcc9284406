"""Errors as people read them (`error[E204]: … --> file:line = why = fix`), and the same fields for programs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from sluice.cli.excerpt import excerpt, hint_is_shown
from sluice.cli.terminal import Terminal
from sluice.core.problem import Problem, printable
from sluice.core.problem_text import ToldProblem, in_short

if TYPE_CHECKING:  # its shapes are read by mypy and docs only: `--version` and usage errors do without
    from sluice.cli.answers import ProblemItem, ProblemList

API_VERSION: Final = "cli.sluice.dev/v1"


def show_problems(terminal: Terminal, problems: Iterable[Problem]) -> None:
    """All problems: as text on standard error; with `-o json` or `yaml` as a ProblemList on standard output."""
    found = tuple(problems)
    if terminal.flags.structured:
        from sluice.cli.structured import write_structured

        write_structured(terminal, problem_list(found))
        return
    for problem in found:
        terminal.warn(problem_text(terminal, problem))


def problem_text(terminal: Terminal, problem: Problem) -> str:
    """One problem, several lines."""
    word = "warning" if problem.code.number.startswith("W") else "error"
    head = f"{word}[{problem.code.number}]"
    lines = [
        f"{terminal.paint(head, 'yellow' if word == 'warning' else 'red', terminal.err)}: {printable(problem.title)}"
    ]
    if problem.origin is not None:
        commit = f"  (at {problem.origin.commit[:12]})" if problem.origin.commit else ""
        lines.append(f"  --> {_place(problem)}{commit}")
    shown = excerpt(problem, terminal.flags.folders)
    lines += shown
    if problem.subject is not None and str(problem.subject) not in problem.title:
        lines.append(f"  = object: {printable(str(problem.subject))}")
    if problem.field and problem.field not in problem.title:
        lines.append(f"  = field:  {printable(problem.field)}")
    if problem.cause:
        lines.append(f"  = why:    {_indented(problem.cause)}")
    if problem.fix and not hint_is_shown(problem, shown):
        lines.append(f"  = fix:    {_indented(problem.fix)}")
    return "\n".join(lines)


def _place(problem: Problem) -> str:
    origin = problem.origin
    if origin is None:
        return ""
    place = printable(origin.path)
    if origin.line:
        place += f":{origin.line}"
        place += f":{origin.column}" if origin.column else ""
    return f"{place} (from {printable(origin.renderer)})" if origin.renderer else place


def _indented(text: str) -> str:
    return "\n            ".join(printable(line) for line in text.splitlines())


def problem_list(problems: Iterable[Problem]) -> ProblemList:
    """The problems in the output contract's form."""
    return {"apiVersion": API_VERSION, "kind": "ProblemList", "items": [problem_fields(p) for p in problems]}


def problem_fields(problem: Problem) -> ProblemItem:
    """One problem in the output contract's form."""
    subject, origin = problem.subject, problem.origin
    return {
        "code": problem.code.number,
        "name": problem.code.name,
        "title": problem.title,
        "ref": None
        if subject is None
        else {"group": subject.group, "kind": subject.kind, "namespace": subject.namespace, "name": subject.name},
        "origin": None
        if origin is None
        else {"path": origin.path, "line": origin.line, "column": origin.column, "commit": origin.commit},
        "field": problem.field,
        "cause": problem.cause,
        "fix": problem.fix,
    }


def told_text(terminal: Terminal, problem: ToldProblem, subject: str = "") -> str:
    """A problem that a condition tells, in the same form."""
    problem = in_short(problem)
    head = terminal.paint(f"error[{problem.code}]" if problem.code else "error", "red", terminal.err)
    lines = [f"{head}: {printable(problem.title)}"]
    if problem.where:
        lines.append(f"  --> {printable(problem.where)}")
    named = problem.subject or subject
    if named and named not in problem.title:
        lines.append(f"  = object: {printable(named)}")
    if problem.cause:
        lines.append(f"  = why:    {_indented(problem.cause)}")
    if problem.fix:
        lines.append(f"  = fix:    {_indented(problem.fix)}")
    return "\n".join(lines)
