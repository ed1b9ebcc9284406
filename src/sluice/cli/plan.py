"""`sluice plan`: what the operator would do with a folder or a branch, stage by stage, without doing it."""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import Any

import click

from sluice.cli.error_output import problem_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags
from sluice.cli.preview_input import Answer, look, preview_options, wanted_of
from sluice.cli.preview_output import answer_fields, summary
from sluice.cli.terminal import Terminal
from sluice.reconcilers.preview import Effect, Previewed

SIGNS = {
    Effect.CREATE: ("+", "create", "green"),
    Effect.ADOPT: ("&", "adopt", "yellow"),
    Effect.CHANGE: ("~", "change", "yellow"),
    Effect.REPLACE: ("-/+", "replace", "red"),
    Effect.PRUNE: ("-", "prune", "red"),
    Effect.SKIP: ("o", "skip", "dim"),
    Effect.UNCHANGED: ("=", "unchanged", "dim"),
    Effect.REFUSED: ("!", "refused", "red"),
}


@click.command(short_help="What the operator would do with a folder or a branch.")
@preview_options
@click.option("--exit-zero", is_flag=True, help="Exit 0 also when something would change.")
@click.pass_obj
def plan(flags: Flags, /, *, exit_zero: bool, **given: Any) -> ExitCode:
    """Show the plan of a Kustomization: stages, what is created, changed, pruned and skipped, and why.

    Without --path, --branch or --revision: of what its source holds now. Exits 0 when nothing would change, 1 when
    something would, 3 when the revision would be refused. Of one that is of a group, the whole group's is shown.

    \b
    Example: sluice plan apps --path .
    """
    terminal = Terminal(flags)
    answer = asyncio.run(look(terminal, wanted_of(given)))
    if flags.structured:
        from sluice.cli.structured import write_structured

        write_structured(terminal, answer_fields(answer, "Plan"))
    elif flags.output == "md":
        from sluice.cli.preview_markdown import markdown

        terminal.answer(markdown(answer, {}))
    else:
        _show(terminal, answer)
    return exit_code(answer, exit_zero=exit_zero)


def exit_code(answer: Answer, *, exit_zero: bool) -> ExitCode:
    """0 the same, 1 different, 3 refused."""
    if answer.preview.problems:
        return ExitCode.FAILED
    return ExitCode.NO if answer.preview.differs and not exit_zero else ExitCode.DONE


def _show(terminal: Terminal, answer: Answer) -> None:
    for warning in answer.preview.warnings:
        terminal.warn(problem_text(terminal, warning))
    shown = [each for each in answer.preview.objects if each.effect is not Effect.UNCHANGED or terminal.flags.verbose]
    for title, group in groupby(shown, key=_heading):
        terminal.answer(terminal.paint(title, "bold", terminal.out))
        for each in group:
            terminal.answer(f"  {line(terminal, answer, each)}")
    for problem in answer.preview.problems:
        terminal.warn(problem_text(terminal, problem))
    terminal.answer(summary(answer))


def _heading(each: Previewed) -> str:
    if each.effect is Effect.PRUNE:
        return "prune, last"
    if each.stage is None:
        return "left alone"
    wave = each.change.manifest.directives.wave if each.change.manifest is not None else 0
    return f"stage {each.stage.title}" + (f", wave {wave}" if wave else "")


def line(terminal: Terminal, answer: Answer, each: Previewed) -> str:
    """One object: sign, word, name, in a group whose it is, and where in git or why."""
    sign, word, colour = SIGNS[each.effect]
    text = f"{terminal.paint(f'{sign} {word}', colour, terminal.out)} {each.change.id}"
    if answer.group and each.sync is not None:
        text += f"   ks/{each.sync.name}"
    manifest = each.change.manifest
    if manifest is not None:
        text += f"   {manifest.origin}"
    if each.change.reason and each.effect is not Effect.UNCHANGED:
        text += f"   ({each.change.reason})"
    if each.effect is Effect.REPLACE:
        text += "   (a field that can't be changed; force allows it)"
    return f"{text}   (dry-run once its stage is reached)" if each.deferred else text
