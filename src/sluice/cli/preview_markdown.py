"""A preview as Markdown for a pull request's comment: the table always, the diff as far as a host takes it.

GitHub refuses a comment of more than 65,536 characters, so the largest diffs are left out first, and named. Text comes
from git and the cluster: none of it can end a table's cell, a code block or the fold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from sluice.cli.preview_input import Answer
from sluice.core.object_diff import FieldChange
from sluice.core.problem import Problem, clip, printable
from sluice.reconcilers.preview import Effect, Previewed

LIMIT = 60_000
MAX_CELL = 300
# Room for what stands around the table and the diff.
_MARGIN = 2_000
_HEADING = 10_000
_WORDS = {
    Effect.CREATE: "create",
    Effect.ADOPT: "adopt",
    Effect.CHANGE: "change",
    Effect.REPLACE: "replace",
    Effect.PRUNE: "prune",
    Effect.REFUSED: "refused",
}


def markdown(answer: Answer, diffs: dict[int, list[str]]) -> str:
    """The comment: at most `LIMIT` characters. `diffs` are the lines of each object, by its place in the preview."""
    shown = [(number, each) for number, each in enumerate(answer.preview.objects) if each.effect in _WORDS]
    parts = [_heading(answer, [each for _, each in shown])]
    parts += _problems(answer)
    rows, left_out = _table(answer, [each for _, each in shown], LIMIT - _MARGIN - sum(map(len, parts)))
    if shown:
        head = ("object", *(["Kustomization"] if answer.group else []), "change", "file")
        parts.append("\n".join([_row(head), _row(["---"] * len(head)), *rows]) + "\n")
    if left_out:
        parts.append(f"… and {left_out} more objects: the table is as long as a comment may be.\n")
    blocks = {number: _block(each, diffs.get(number, [])) for number, each in shown}
    parts += _details(blocks, LIMIT - _MARGIN - sum(map(len, parts)))
    if not shown and not answer.preview.problems:
        parts.append("Nothing would change.\n")
    return "\n".join(parts)


def _heading(answer: Answer, shown: Sequence[Previewed]) -> str:
    counted = Counter(_WORDS[each.effect] for each in shown)
    words = [f"{counted[word]} {word}" for word in _WORDS.values() if counted[word]]
    warnings = len(answer.preview.warnings)
    words += [f"{warnings} warning{'s' if warnings > 1 else ''}"] if warnings else []
    unchanged = sum(each.effect is Effect.UNCHANGED for each in answer.preview.objects)
    words += [f"{unchanged} unchanged"] if unchanged else []
    what = _cell(f"{answer.namespace}/{answer.name}")
    if answer.group:
        what = f"{_cell(answer.group)} of {_cell(answer.namespace)}, wholly or not at all"
    return f"### What {_cell(answer.compared)} changes in {what}" + "".join(f"  ·  {word}" for word in words) + "\n"


def _problems(answer: Answer) -> list[str]:
    lines: list[str] = []
    room = _HEADING
    told = [("✗ refused", p) for p in answer.preview.problems] + [("!", p) for p in answer.preview.warnings]
    for number, (sign, problem) in enumerate(told):
        line = f"> {sign} {_sentence(problem)}\n"
        room -= len(line)
        if room < 0:
            lines.append(f"> … and {len(told) - number} more\n")
            break
        lines.append(line)
    return lines


def _sentence(problem: Problem) -> str:
    return _cell(str(problem), 1000)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(answer: Answer, shown: Sequence[Previewed], room: int) -> tuple[list[str], int]:
    rows: list[str] = []
    for number, each in enumerate(shown):
        whose = [_cell(each.sync.name if each.sync is not None else "")] if answer.group else []
        row = _row([_cell(str(each.change.id)), *whose, _change(each), _file(each)])
        room -= len(row) + 1
        if room < 0:
            return rows, len(shown) - number
        rows.append(row)
    return rows, 0


def _change(each: Previewed) -> str:
    word = _WORDS[each.effect]
    if each.effect is Effect.CHANGE and len(each.fields) == 1 and each.fields[0].action == "change":
        return _cell(f"{word}: {_field(each.fields[0])}")
    if each.effect is Effect.CHANGE:
        return _cell(f"{word}: {len(each.fields)} fields")
    return _cell(f"{word}: {each.change.reason}" if each.change.reason else word)


def _field(change: FieldChange) -> str:
    return f"{change.path} {clip(str(change.before), 60)} → {clip(str(change.after), 60)}"


def _file(each: Previewed) -> str:
    manifest = each.change.manifest
    return _cell(str(manifest.origin)) if manifest is not None else ""


def _block(each: Previewed, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return "\n".join([f"# {printable(str(each.change.id))}", *map(_plain, lines)])


def _details(blocks: dict[int, str], room: int) -> list[str]:
    """The diffs in a fold: the smaller ones first get their place, all in the order of the table."""
    wanted = {number: block for number, block in blocks.items() if block}
    taken: set[int] = set()
    for number, block in sorted(wanted.items(), key=lambda pair: len(pair[1])):
        if len(block) + 2 > room:
            break
        room -= len(block) + 2
        taken.add(number)
    if not wanted:
        return []
    text = "\n\n".join(wanted[number] for number in sorted(taken))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    left = len(wanted) - len(taken)
    note = f"\n{left} larger diffs are left out: `sluice diff` shows them.\n" if left else ""
    title = f"diff of {len(taken)} objects, {len(text.splitlines())} lines"
    return [f"<details><summary>{title}</summary>\n\n{fence}diff\n{text}\n{fence}\n</details>\n{note}"]


def _plain(line: str) -> str:
    return printable(line)


def _cell(text: str, limit: int = MAX_CELL) -> str:
    """Text as text: no cell, tag, link, mention or code of it takes effect."""
    safe = clip(printable(text), limit)
    for sign in "\\`*_[]|~":
        safe = safe.replace(sign, f"\\{sign}")
    return re.sub(r"(?<!\w)@(?=\w)", "@\u200b", safe.replace("<", "&lt;").replace(">", "&gt;"))
