"""What is wrong in a YAML file: our own faults, and libyaml's errors translated into words that help.

libyaml has no error codes, only English sentences: the one place that reads them is `_HINTS`, and a sentence it does
not know is shown as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from sluice.core import codes
from sluice.core.problem import Code, Origin, Problem

if TYPE_CHECKING:
    from sluice.core.yaml_compose import Chunk

# (part of libyaml's sentence, what it means here, what to do)
_HINTS = (
    ("mapping values are not allowed", "a ': ' in an unquoted value, or a wrong indent",
     "quote the value, as in key: \"8080: http\", or indent the line as its neighbours"),
    ("did not find expected key", "a line is indented differently from its neighbours", "align the keys of the map"),
    ("did not find expected '-' indicator", "a line is indented differently from its list", "align the list's items"),
    ("could not find expected ':'", "a key without ':'", "add ': ' after the key"),
    ("expected ',' or ']'", "the list that starts here has no ',' after an item, or no end",
     "put ',' between its items and ']' after the last one"),
    ("expected ',' or '}'", "the map that starts here has no ',' after a value, or no end",
     "put ',' between its keys and '}' after the last one"),
    ("did not find expected node content while parsing a flow node", "a '[' or '{' before it is not closed",
     "close it with ']' or '}'"),
    ("did not find expected node content", "a closing bracket, or a ',', that nothing has opened",
     "remove it, or quote the value"),
    ("character that cannot start any token", "an unquoted value can't begin with this character", "quote the value"),
    ("did not find expected <document start>", "more text after the document's end", "separate documents with '---'"),
    ("undefined alias", "an alias without its anchor", "define the anchor before its alias"),
    ("unexpected end of stream", "a quote is not closed", "close the quote"),
    ("unknown escape character", "a '\\' in double quotes that starts no known escape",
     "write '\\\\' for it, or use single quotes"),
    ("did not find expected comment or line break", "text after '|' or '>'", "start the text on the next line"),
    ("block sequence entries are not allowed", "a '-' where no list can begin", "start the list on its own line"),
    ("control characters are not allowed", "a control character", "remove it or write it as an escape in quotes"),
)  # fmt: skip
_TEXT_BEHIND = ("text after the end of a quoted value or of a bracket",
                "quote the whole value; inside single quotes write '' for one quote")  # fmt: skip
# Git writes these lines at the very left into a file that two branches have changed.
_CONFLICT = re.compile(r"^(?:<{7} |={7}\r?$|>{7} )", re.MULTILINE)
_UNMERGED = (
    "a merge conflict was committed",
    "keep one of its two sides, and remove the lines <<<<<<<, ======= and >>>>>>>",
)
# What is not closed is shown where it begins: where it is missed can be the end of the file.
_SHOWN_WHERE_OPENED = ("end of stream", "expected ',' or")
_ANY = "correct the text there, or quote the value"


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
        sentence = f"{error.problem or 'not YAML'} {error.context or ''}".strip()
        opened = any(part in sentence for part in _SHOWN_WHERE_OPENED) and error.context_mark is not None
        mark = error.context_mark if opened else error.problem_mark or error.context_mark
        line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    else:
        line, column, sentence = 0, 0, "not YAML"
    if "maximum nesting depth" in sentence:
        return Fault(
            codes.YAML_TOO_DEEP, "nested too deep", line + first_line, column + 1, "depth over 100", "flatten it"
        )
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        line, column = text.count("\n", 0, conflict.start()), 0
        cause, fix = _UNMERGED
    else:
        cause, fix = _meaning(sentence, text, line, column)
    return Fault(codes.YAML_SYNTAX, "not valid YAML", line + first_line, column + 1, cause, fix)


def _meaning(sentence: str, text: str, line: int, column: int) -> tuple[str, str]:
    lines = text.split("\n")
    source = lines[line] if line < len(lines) else ""
    if "\t" in source[: len(source) - len(source.lstrip())] or source[column : column + 1] == "\t":
        return "tab character used for indentation", "indent with spaces"
    before = source[:column].rstrip()
    if "did not find expected key" in sentence and before.endswith(("'", '"', "]", "}")):
        return _TEXT_BEHIND
    for part, meaning, fix in _HINTS:
        if part in sentence:
            return meaning, fix
    return sentence, _ANY
