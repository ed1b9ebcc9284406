"""A template's text to tokens: the text between actions, and the words inside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sluice.core.message_template.fault import syntax

SPACES = " \t\r\n"
_WORD = re.compile(r"\w+")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_CHARACTER = re.compile(r"'(?:\\.|[^'\\\n])+'")
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]+(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]+)?|0[bB][01_]+|0[oO][0-7_]+"
    r"|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?)"
)
_TERMINATORS = frozenset(SPACES + ".,|:()")


@dataclass(frozen=True, slots=True)
class Token:
    """A token. `kind` is text, open, close, space, or that of a word; `line` counts from 1."""

    kind: str
    text: str
    line: int


def tokens(source: str) -> Iterator[Token]:
    """Cut a template into tokens. Raises TemplateRefused at a text that no token can be."""
    at, trim = 0, False
    while True:
        start = source.find("{{", at)
        text = source[at:] if start < 0 else source[at:start]
        trims_before = (
            start >= 0 and source[start + 2 : start + 3] == "-" and source[start + 3 : start + 4] in {*SPACES}
        )
        kept = text.lstrip(SPACES) if trim else text
        kept = kept.rstrip(SPACES) if trims_before else kept
        if kept:
            yield Token("text", kept, source.count("\n", 0, at) + 1)
        if start < 0:
            return
        inside = start + (3 if trims_before else 2)
        comment = inside + len(source[inside:]) - len(source[inside:].lstrip(SPACES)) if trims_before else inside
        if source.startswith("/*", comment):
            at, trim = _after_comment(source, comment)
            continue
        action = _Action(source, inside)
        yield Token("open", "{{", action.line())
        yield from action.words()
        yield Token("close", "}}", action.line())
        at, trim = action.at, action.trims_after


def _after_comment(source: str, start: int) -> tuple[int, bool]:
    line = source.count("\n", 0, start) + 1
    end = source.find("*/", start + 2)
    if end < 0:
        raise syntax("a comment is not closed", line)
    rest = source[end + 2 : end + 6]
    if rest.startswith("}}"):
        return end + 4, False
    if rest[:1] in {*SPACES} and rest[1:] == "-}}":
        return end + 6, True
    raise syntax("a comment ends before its action does", line)


class _Action:
    """The words of one action."""

    def __init__(self, source: str, at: int) -> None:
        self.source = source
        self.at = at
        self.counted, self.lines = at, source.count("\n", 0, at) + 1
        self.trims_after = False

    def line(self) -> int:
        self.lines += self.source.count("\n", self.counted, self.at)
        self.counted = self.at
        return self.lines

    def words(self) -> Iterator[Token]:
        while not self.ends():
            start = self.at
            kind = self.word()
            yield Token(kind, self.source[start : self.at], self.line())

    def ends(self) -> bool:
        """Step over the end of the action, if it is here."""
        source, at = self.source, self.at
        if source.startswith("}}", at):
            self.at += 2
            return True
        if source[at : at + 1] in {*SPACES} and source.startswith("-}}", at + 1):
            self.at, self.trims_after = at + 4, True
            return True
        if at >= len(source):
            raise syntax("an action is not closed with '}}'", self.line())
        return False

    def word(self) -> str:
        """Step over one word and give its kind."""
        first = self.source[self.at]
        if first in SPACES:
            while self.source[self.at : self.at + 1] in {*SPACES} and not self.source.startswith("-}}", self.at + 1):
                self.at += 1
            return "space"
        if first == "." and not self.source[self.at + 1 : self.at + 2].isdigit():
            return self.name("field", "dot")
        if first == "$":
            return self.name("variable", "variable")
        if first.isdigit() or first in "+-.":
            return self.matched(_NUMBER, "number", "a number is not valid")
        if first == '"':
            return self.matched(_STRING, "string", "a text in quotes is not closed")
        if first == "'":
            return self.matched(_CHARACTER, "character", "a character is not closed")
        if first == "`":
            return self.raw()
        return self.sign(first)

    def sign(self, first: str) -> str:
        if first == "_" or first.isalnum():
            match = _WORD.match(self.source, self.at)
            self.at = match.end() if match else self.at + 1
            self.terminated()
            return "word"
        if self.source.startswith(":=", self.at):
            self.at += 2
            return "declare"
        kinds = {"=": "assign", "|": "pipe", "(": "(", ")": ")", ",": ","}
        if first not in kinds:
            raise syntax(f"the character {first!r} is not expected here", self.line())
        self.at += 1
        return kinds[first]

    def raw(self) -> str:
        end = self.source.find("`", self.at + 1)
        if end < 0:
            raise syntax("a raw text is not closed with '`'", self.line())
        self.at = end + 1
        return "raw"

    def name(self, kind: str, bare: str) -> str:
        """A dot or a dollar sign with a name, or alone."""
        match = _WORD.match(self.source, self.at + 1)
        self.at = match.end() if match else self.at + 1
        self.terminated()
        return kind if match else bare

    def matched(self, pattern: re.Pattern[str], kind: str, fault: str) -> str:
        match = pattern.match(self.source, self.at)
        if match is None:
            raise syntax(fault, self.line())
        self.at = match.end()
        if kind == "number" and self.source[self.at : self.at + 1].isalnum():
            raise syntax(fault, self.line())
        return kind

    def terminated(self) -> None:
        following = self.source[self.at : self.at + 1]
        if following and following not in _TERMINATORS and not self.source.startswith("}}", self.at):
            raise syntax(f"the character {following!r} is not expected here", self.line())
