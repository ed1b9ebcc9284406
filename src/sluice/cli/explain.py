"""`sluice explain`: what an error code means, with an example, its causes and its fix; and what a field is for."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import Flags, usage
from sluice.cli.terminal import Terminal
from sluice.core.problem import Code, printable

if TYPE_CHECKING:
    from sluice.cli.answers import CodeItem

WIDTH = 100


@click.command(short_help="An error code, or a field of a kind, in words.")
@click.argument("word", required=False, default="", metavar="[CODE | KIND[.FIELD]...]")
@click.option("--recursive", is_flag=True, help="Of a kind or field: all fields below it, without their words.")
@click.option("--api-version", default="", metavar="GROUP/VERSION", help="Of which version of a kind.")
@click.pass_obj
def explain(flags: Flags, /, *, word: str, recursive: bool, api_version: str) -> ExitCode:
    """Print the page of an error code, by its number or its name; without one, the list of all codes.

    With a kind, say what it or one of its fields is for. For Sluice's own kinds no cluster is asked.

    \b
    Examples: sluice explain E204
              sluice explain ks.spec.sourceRef
              sluice explain deployment.spec.strategy --recursive
    """
    terminal = Terminal(flags)
    if _is_a_kind(word):
        _explain_kind(terminal, word, api_version, recursive=recursive)
    else:
        _explain_codes(terminal, word)
    return ExitCode.DONE


def _is_a_kind(word: str) -> bool:
    """Kinds and their fields are written small, or with a dot; codes are numbers and names in CamelCase."""
    from sluice.core.codes import CODES

    plain = word.strip("[]").upper()
    if not word or any(plain in {code.number, code.name.upper()} for code in CODES):
        return False
    return "." in word or (word[0].islower() and not word[1:].isdecimal())


def _explain_kind(terminal: Terminal, word: str, api_version: str, *, recursive: bool) -> None:
    from sluice.cli.explain_field import explain_ours, explain_served, ours, show_field

    head, *path = word.split(".")
    kind = ours(head)
    if kind is not None and api_version in {"", kind.resource.api_version}:
        found = explain_ours(kind, path, recursive=recursive)
    else:
        import asyncio

        found = asyncio.run(explain_served(terminal, head, path, api_version, recursive=recursive))
    show_field(terminal, found, recursive=recursive)


def _explain_codes(terminal: Terminal, word: str) -> None:
    from sluice.core.codes import CODES

    found = [_find(word)] if word else list(CODES)
    if terminal.flags.structured:
        _write_structured(terminal, found, one=bool(word))
    elif terminal.flags.output == "name":
        for each in found:
            terminal.answer(each.number)
    elif word:
        _show(terminal, found[0])
    else:
        from sluice.cli.table import write_table

        rows = [[each.number, each.name, each.about] for each in found]
        write_table(terminal, ["CODE", "NAME", "WHEN"], rows, cut="WHEN")


def _find(text: str) -> Code:
    from sluice.core import codes

    wanted = text.strip().strip("[]").upper()
    for code in codes.CODES:
        if wanted in {code.number, code.name.upper()}:
            return code
    names = [name for code in codes.CODES for name in (code.number, code.name)]
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.6)
    fix = f"did you mean {' or '.join(near)}?" if near else "`sluice explain` lists all of them"
    raise usage(f"there is no code {printable(text)!r}", code=codes.USAGE, fix=fix)


def _write_structured(terminal: Terminal, found: list[Code], *, one: bool) -> None:
    from sluice.cli.error_output import API_VERSION
    from sluice.cli.structured import write_structured

    items = [_fields(code) for code in found]
    if one:
        write_structured(terminal, {"apiVersion": API_VERSION, "kind": "CodePage", **items[0]})
    else:
        write_structured(terminal, {"apiVersion": API_VERSION, "kind": "CodePageList", "items": items})


def _fields(code: Code) -> CodeItem:
    from sluice.core.code_pages import PAGES

    page = PAGES[code.number]
    return {
        "code": code.number,
        "name": code.name,
        "title": code.about,
        "meaning": page.meaning,
        "example": page.example,
        "cause": page.cause,
        "fix": page.fix,
    }


def _show(terminal: Terminal, code: Code) -> None:
    from textwrap import fill

    from sluice.core.code_pages import PAGES

    page = PAGES[code.number]
    width = min(terminal.width or WIDTH, WIDTH)
    terminal.answer(terminal.paint(f"{code.number} {code.name}: {code.about}", "bold", terminal.out))
    for head, text in (("", page.meaning), ("example", page.example), ("cause", page.cause), ("fix", page.fix)):
        terminal.answer("")
        margin = "  " if head else ""
        if head:
            terminal.answer(head)
        terminal.answer(fill(text, width, initial_indent=margin, subsequent_indent=margin, break_long_words=False))
