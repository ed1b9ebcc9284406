"""What is wrong in a YAML file: our own faults, and libyaml's errors translated into words that help.

libyaml has no error codes, only English sentences: the one place that reads them is `_HINTS`, and a sentence it does
not know is shown as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from sluice.core import codes
from sluice.core.problem import Code, Origin, Problem

if TYPE_CHECKING:
    from sluice.core.yaml_compose import Chunk

# (part of libyaml's sentence, what it means here, what to do)
_HINTS = (
    ("mapping values are not allowed", "a ':' in an unquoted value, or a wrong indent", 'quote it: "8080:http"'),
    ("did not find expected key", "a line is indented differently from its neighbours", "align the keys of the map"),
    ("did not find expected '-' indicator", "a line is indented differently from its list", "align the list's items"),
    ("could not find expected ':'", "a key without ':'", "add ': ' after the key"),
    ("did not find expected <document start>", "more text after the document's end", "separate documents with '---'"),
    ("undefined alias", "an alias without its anchor", "define the anchor before its alias"),
    ("unexpected end of stream", "a quote is not closed", "close the quote"),
    ("control characters are not allowed", "a control character", "remove it or write it as an escape in quotes"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem of a YAML text, not yet tied to a file. `path` is where in the document, when that is known."""

    code: Code
    title: str
    line: int
    column: int
    cause: str = ""
    fix: str = ""
    path: tuple[str | int, ...] = ()
    chunk: Chunk | None = None

    def problem(self, path: str, commit: str) -> Problem:
        """Tie it to its file; for a key given twice this also finds the first place."""
        cause = self.cause
        if self.code is codes.YAML_DUPLICATE_KEY and self.chunk is not None and not cause:
            from sluice.core.yaml_position import first_position

            cause = f"first at {first_position(self.chunk, self.path)}"
        origin = Origin(path, self.line, self.column, commit=commit)
        return Problem(self.code, self.title, None, origin, dotted(self.path), cause, self.fix)


def dotted(path: tuple[str | int, ...]) -> str:
    """Write a path as people do.

    >>> dotted(("spec", "containers", 0, "image"))
    'spec.containers[0].image'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


def separator(line: int) -> Fault:
    """Text on the separator line: the API server's reader refuses it."""
    return Fault(codes.YAML_SYNTAX, "text after '---'", line, 4, "only a comment may follow", "put it on its own line")


def from_library(error: yaml.YAMLError, text: str, first_line: int) -> Fault:
    """Translate libyaml's error about a document that starts on `first_line`."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text.encode()[: error.position].decode("utf-8", "ignore")
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        sentence = str(error.reason)
    elif isinstance(error, yaml.MarkedYAMLError):
        sentence = str(error.problem or error.context or "not YAML")
        ends = "end of stream" in sentence and error.context_mark is not None
        mark = error.context_mark if ends else error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    else:
        line, column, sentence = 0, 0, "not YAML"
    if "maximum nesting depth" in sentence:
        return Fault(
            codes.YAML_TOO_DEEP, "nested too deep", line + first_line, column + 1, "depth over 100", "flatten it"
        )
    cause, fix = _meaning(sentence, text, line, column)
    return Fault(codes.YAML_SYNTAX, "not valid YAML", line + first_line, column + 1, cause, fix)


def _meaning(sentence: str, text: str, line: int, column: int) -> tuple[str, str]:
    lines = text.split("\n")
    source = lines[line] if line < len(lines) else ""
    if "\t" in source[: len(source) - len(source.lstrip())] or source[column : column + 1] == "\t":
        return "tab character used for indentation", "indent with spaces"
    for part, meaning, fix in _HINTS:
        if part in sentence:
            return meaning, fix
    return sentence, ""
