"""`sluice diff`: field by field, what a folder or a branch would change in the cluster."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import click
import msgspec

from sluice.cli.error_output import problem_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.plan import exit_code, line
from sluice.cli.preview_input import Answer, look, preview_options, wanted_of
from sluice.cli.preview_output import answer_fields, summary
from sluice.cli.terminal import Terminal
from sluice.core.object_diff import ABSENT, FieldChange
from sluice.core.problem import clip, printable
from sluice.reconcilers.preview import Effect

MAX_VALUE = 2000


@click.command(short_help="Field by field, what would change in the cluster.")
@preview_options
@click.option("--summary", "only_summary", is_flag=True, help="Objects only, no fields.")
@click.option("--exit-zero", is_flag=True, help="Exit 0 also when there are differences.")
@click.pass_obj
def diff(flags: Flags, /, *, only_summary: bool, exit_zero: bool, **given: Any) -> ExitCode:
    """Compare with the live cluster by server-side dry-run; nothing is written, values of Secrets are never shown.

    Exits 0 when all is the same, 1 when something differs, more when there is trouble.

    \b
    Example: sluice diff apps --path .
    """
    terminal = Terminal(flags)
    answer = asyncio.run(look(terminal, wanted_of(given)))
    if flags.structured:
        from sluice.cli.structured import write_structured

        write_structured(terminal, answer_fields(answer, "Diff"))
    elif flags.output == "md":
        from sluice.cli.preview_markdown import markdown

        plain = Terminal(replace(flags, color="never"))
        objects = () if only_summary else enumerate(answer.preview.objects)
        lines = {number: [text for f in each.fields for text in _lines(plain, f)] for number, each in objects}
        terminal.answer(markdown(answer, lines))
    else:
        _show(terminal, answer, fields=not only_summary)
    return exit_code(answer, exit_zero=exit_zero)


def _show(terminal: Terminal, answer: Answer, *, fields: bool) -> None:
    for warning in answer.preview.warnings:
        terminal.warn(problem_text(terminal, warning))
    for each in answer.preview.objects:
        if each.effect in {Effect.UNCHANGED, Effect.SKIP}:
            continue
        terminal.answer(line(terminal, answer, each))
        for change in each.fields if fields else ():
            for text in _lines(terminal, change):
                terminal.answer(f"    {text}")
        if each.drift is not None:
            terminal.answer(f"    {terminal.glyph('Drifted')} {printable(str(each.drift))}")
    for problem in answer.preview.problems:
        terminal.warn(problem_text(terminal, problem))
    terminal.answer(summary(answer))


def _lines(terminal: Terminal, change: FieldChange) -> list[str]:
    before, after = _text(change.before), _text(change.after)
    path = printable(change.path)
    if len(before) == len(after) == 1 and change.action == "change":
        return [f"{path}   {before[0]} → {after[0]}"]
    lines = [path]
    lines += [terminal.paint(f"- {text}", "red", terminal.out) for text in before]
    lines += [terminal.paint(f"+ {text}", "green", terminal.out) for text in after]
    return lines


def _text(value: Any) -> list[str]:
    """A value as lines: text as it is, everything else as JSON."""
    if value is ABSENT:
        return []
    text = value if isinstance(value, str) and value else msgspec.json.encode(value).decode()
    return [printable(each) for each in clip(text, MAX_VALUE).splitlines()]
