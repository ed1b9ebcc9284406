"""How the operator's answers to releases and changes of policies are shown: as those of a checkout are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluice.api.kustomization import UpdateAnswer, UpdateChange, UpdateResult
from sluice.cli.asking import Addressee
from sluice.cli.error_output import told_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.release_output import HEADERS, update_fields
from sluice.cli.structured import write_structured
from sluice.cli.table import write_table
from sluice.cli.terminal import Terminal
from sluice.cli.view import problem_fields
from sluice.core.problem import printable
from sluice.core.problem_text import read_problems

if TYPE_CHECKING:
    from sluice.cli.answers import RolloutItem, UpdatedWorkload

Answers = Sequence[tuple[Addressee, UpdateAnswer]]


def show_answers(terminal: Terminal, answers: Answers) -> None:
    """The table of all that changes; what stays is shown where it was asked for by name, else with -v."""
    rows = [row for asked, answer in answers for row in _rows(terminal, asked, answer)]
    if rows:
        write_table(terminal, HEADERS, rows)
    for asked, answer in answers:
        if answer.omitted:
            terminal.say(f"{asked}: and {answer.omitted} more workloads")
        for result in answer.results:
            if result.problem and asked.workloads:
                _tell(terminal, result.problem, printable(result.workload))
        if answer.message:
            _tell(terminal, answer.message, str(asked))


def _rows(terminal: Terminal, asked: Addressee, answer: UpdateAnswer) -> list[list[str]]:
    rows = []
    for result in answer.results:
        name = printable(result.workload)
        if not result.changes:
            if asked.workloads or terminal.flags.verbose > (result.status == "ignored"):
                reason = result.reason or "it is so already"
                rows.append([name, printable(result.status), printable(reason), ""])
            continue
        for change in result.changes:
            rows.append([name, printable(result.status) if name else "", *_cells(change)])
            name = ""
        if result.reason:
            rows.append(["", "", printable(result.reason), ""])
    return rows


def _cells(change: UpdateChange) -> tuple[str, str]:
    old, new = (printable(text) or "(none)" for text in (change.from_, change.to))
    place = f"{printable(change.path)}:{change.line}" if change.path else ""
    return f"{printable(change.field)}: {old} -> {new}", place


def _tell(terminal: Terminal, message: str, subject: str) -> None:
    for problem in read_problems(message):
        terminal.warn(told_text(terminal, problem, subject))


def finish(terminal: Terminal, kind: str, answers: Answers, rollouts: list[RolloutItem] | None = None) -> ExitCode:
    """Say which commits were pushed, or answer a program with all of it; returns the exit code."""
    pushed = [answer.revision for _, answer in answers if answer.revision]
    if terminal.flags.structured:
        items = [_fields(result) for _, answer in answers for result in answer.results]
        problems = [problem_fields(each) for _, answer in answers for each in read_problems(answer.message)]
        found = update_fields(kind, items, pushed, written=bool(pushed), problems=problems)
        if rollouts is not None:
            found["rollouts"] = rollouts
        write_structured(terminal, found)
    else:
        for commit in pushed:
            terminal.answer(f"Commit pushed: {commit[:7]}")
    return exit_code(answers)


def exit_code(answers: Answers) -> ExitCode:
    """3 when something failed, 1 when something that was named is held up."""
    if any(answer.state == "failed" for _, answer in answers):
        return ExitCode.FAILED
    held = any(result.problem for asked, answer in answers if asked.workloads for result in answer.results)
    return ExitCode.NO if held else ExitCode.DONE


def _fields(result: UpdateResult) -> UpdatedWorkload:
    problems = read_problems(result.problem)
    return {
        "workload": result.workload,
        "status": result.status,
        "reason": result.reason or None,
        "problem": problem_fields(problems[0]) if problems else None,
        "updates": [
            {
                "field": change.field,
                "from": change.from_ or None,
                "to": change.to or None,
                "path": change.path or None,
                "line": change.line or None,
            }
            for change in result.changes
        ],
    }
