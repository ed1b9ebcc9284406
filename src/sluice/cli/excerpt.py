"""A problem's place → the line of the file with a caret under the column, where the command has read that file itself.

Lines of files with Secrets are never shown: what is wrong there may stand beside a value, and output ends up in logs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from sluice.core.problem import Origin, Problem, printable

MAX_BYTES = 4 << 20
MAX_COLUMNS = 100
_SUFFIXES = {".yaml", ".yml", ".json"}
_SECRET = re.compile(r"""\bkind["']?\s*:\s*["']?Secret(?:List)?\b|\bsecretGenerator\b""")
_WORD = re.compile(r"[\w./-]+|\S")


def excerpt(problem: Problem, folders: Sequence[Path]) -> list[str]:
    """The lines to print below the place; none when the file is not one of `folders`', or is not to be shown.

    A place at a commit is in nobody's folder. A path that several folders hold names no one file.
    """
    origin = problem.origin
    if origin is None or origin.commit or not origin.line:
        return []
    found = {file for folder in folders if (file := _file(folder, origin)) is not None}
    source = _line(found.pop(), origin.line) if len(found) == 1 else None
    if source is None or not source.strip():
        return []
    return _framed(source, origin, _hint(problem))


def hint_is_shown(problem: Problem, lines: Sequence[str]) -> bool:
    """True when the fix already stands beside the caret."""
    return bool(lines and _hint(problem) and lines[-2].endswith(_hint(problem)))


def _hint(problem: Problem) -> str:
    return printable(problem.fix) if problem.fix.startswith("did you mean") else ""


def _file(folder: Path, origin: Origin) -> Path | None:
    root = folder.resolve()
    file = (root / origin.path).resolve()
    return file if file.suffix in _SUFFIXES and file.is_relative_to(root) and file.is_file() else None


def _line(file: Path, number: int) -> str | None:
    try:
        if file.stat().st_size > MAX_BYTES:
            return None
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None  # it was read a moment ago; the problem is told without its line
    lines = text.split("\n")
    return None if _SECRET.search(text) or number > len(lines) else lines[number - 1].rstrip("\r")


def _framed(source: str, origin: Origin, hint: str) -> list[str]:
    width = max(2, len(str(origin.line)))
    bar = f"{' ' * width} |"
    column = min(origin.column - 1, len(source))
    start = max(0, column - MAX_COLUMNS // 2) if len(source) > MAX_COLUMNS else 0
    shown = "".join(map(_harmless, source[start : start + MAX_COLUMNS]))
    lines = [bar, f"{origin.line:>{width}} | {shown}"]
    if origin.column:
        word = _WORD.match(source[: start + MAX_COLUMNS], column)
        before = " " * _columns(source[start:column])
        carets = "^" * max(1, _columns(word.group()) if word else 1)
        lines.append(f"{bar} {before}{carets} {hint}".rstrip())
    return [*lines, bar]


def _harmless(character: str) -> str:
    """One character for one, so that the caret stays below its column."""
    return character if character.isprintable() else " " if character == "\t" else "\N{REPLACEMENT CHARACTER}"


def _columns(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
