"""Regular expressions as Go and RE2 have them: patterns that users bring, in time linear in the text. Pure.

The engine is RE2 itself, so a hostile pattern costs no more than a kind one. The few things that RE2 reads and Go's
`regexp` does not are refused, so that a pattern means here what it means in Flux. `Template` is what Go's `Expand`
takes: `$name`, `${name}`, `$1`, `$$`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

import re2  # type: ignore[import-untyped]

from sluice.core.problem import clip, printable

MAX_PATTERN = 1024
MAX_TEMPLATE = 256

# Text, or the number or name of a group.
_Part = tuple[Literal["text", "group"], int | str]
# The parts of a pattern that may hold a bracket as text, and those that open a group. RE2 itself does not tell where
# the second group of a name is, and reads `\C` as any byte, which Go's `regexp` does not know.
_TOKENS = re.compile(
    r"\\Q.*?(?:\\E|\Z)"
    r"|\\(?P<escaped>.)"
    r"|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]"
    r"|(?P<group>\((?!\?)|\(\?P?<(?P<name>[^>]*)>)",
    re.DOTALL,
)
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


class PatternError(ValueError):
    """A pattern or a template that can't be read; the text says why."""


class _Match(Protocol):
    def group(self, group: int) -> bytes | None: ...

    def span(self) -> tuple[int, int]: ...


class _Engine(Protocol):
    """What is used of a compiled pattern; RE2's binding has no type hints."""

    groups: int

    def search(self, text: bytes, start: int = 0) -> _Match | None: ...


@dataclass(frozen=True, slots=True)
class Template:
    """A text with groups of a pattern in it."""

    text: str
    parts: tuple[_Part, ...]

    @property
    def groups(self) -> tuple[int | str, ...]:
        """The numbers and names of the groups that it uses."""
        return tuple(value for kind, value in self.parts if kind == "group")


@dataclass(frozen=True, slots=True)
class RegularExpression:
    """A compiled pattern. Two are equal when their texts are. `names` are those of its groups, in order."""

    text: str
    names: tuple[str, ...]
    engine: _Engine = field(repr=False, compare=False)

    def matches(self, text: str) -> bool:
        """True when the pattern is found anywhere in the text."""
        return self.engine.search(text.encode()) is not None

    def expand(self, template: Template, text: str) -> str | None:
        """The template filled from the first match; None when there is none. A group that took no part is empty."""
        match = self.engine.search(text.encode())
        if match is None:
            return None
        return b"".join(self._part(match, part) for part in template.parts).decode()

    def all_matches(self, text: bytes) -> Iterator[tuple[int, int, _Match]]:
        """Start, end and groups of the matches, from left to right, with Go's rule for empty ones.

        Where one match ends no empty one begins. Takes time in the square of the text's length at worst.
        """
        at, last_end = 0, -1
        while at <= len(text):
            match = self.engine.search(text, at)
            if match is None:
                return
            start, end = match.span()
            if end > at or start != last_end:
                yield start, end, match
            last_end = end
            at = end if end > at else at + _width(text, at)

    def replaced(self, template: Template, text: str) -> str:
        """The text with every match replaced by the template, filled from that match."""
        held, parts, at = text.encode(), [], 0
        for start, end, match in self.all_matches(held):
            parts += [held[at:start], *(self._part(match, part) for part in template.parts)]
            at = end
        return b"".join([*parts, held[at:]]).decode("utf-8", "replace")

    def has_group(self, group: int | str) -> bool:
        """True when the pattern has a group of this number or name."""
        return group <= self.engine.groups if isinstance(group, int) else group in self.names

    def _part(self, match: _Match, part: _Part) -> bytes:
        kind, value = part
        return str(value).encode() if kind == "text" else self._group(match, value)

    def _group(self, match: _Match, group: int | str) -> bytes:
        """Of several groups with one name, the first that took part."""
        numbers = (group,) if isinstance(group, int) else _indices(self.names, group)
        found = (match.group(number) for number in numbers if number <= self.engine.groups)
        return next((text for text in found if text is not None), b"")


def _width(text: bytes, at: int) -> int:
    """The number of bytes of the character that begins here."""
    width = 1
    while at + width < len(text) and text[at + width] & 0xC0 == 0x80:
        width += 1
    return width


def _indices(names: tuple[str, ...], name: str) -> Iterator[int]:
    return (number for number, other in enumerate(names, 1) if other == name)


def parse_pattern(text: str) -> RegularExpression:
    """Compile a pattern. Raises PatternError when Go would not, or when it is over a limit.

    >>> parse_pattern("^v[0-9]+$").matches("v12")
    True
    """
    if len(text) > MAX_PATTERN:
        raise PatternError(f"it has {len(text)} characters, limit {MAX_PATTERN}")
    try:
        engine = cast("_Engine", re2.compile(text.encode(), _OPTIONS))
    except (re2.error, UnicodeEncodeError) as error:
        raise PatternError(_reason(error)) from None
    return RegularExpression(text, _group_names(text), engine)


def _group_names(text: str) -> tuple[str, ...]:
    """The names of a valid pattern's groups, empty for a nameless one. Raises PatternError for what Go refuses."""
    names = []
    for token in _TOKENS.finditer(text):
        if token["escaped"] == "C":
            raise PatternError(r"invalid escape sequence: \C")
        if token["group"]:
            names.append(token["name"] or "")
    bad = next((name for name in names if not name.isascii()), "")
    if bad:
        raise PatternError(f"invalid name of a group: {clip(printable(bad), 80)}")
    return tuple(names)


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return "it is not UTF-8" if isinstance(error, UnicodeEncodeError) else clip(printable(text), 200)


def parse_template(text: str) -> Template:
    """Read a template by the rules of Go's `regexp.Expand`: a name is as long as can be, a stray `$` is itself.

    >>> parse_template("${year}-$1x").groups
    ('year', '1x')
    """
    if len(text) > MAX_TEMPLATE:
        raise PatternError(f"it has {len(text)} characters, limit {MAX_TEMPLATE}")
    parts: list[_Part] = []
    rest = text
    while rest:
        literal, dollar, rest = rest.partition("$")
        if literal:
            parts.append(("text", literal))
        if not dollar:
            break
        part, rest = _reference(rest)
        parts.append(part)
    return Template(text, tuple(parts))


def _reference(rest: str) -> tuple[_Part, str]:
    """What stands behind a `$`, and the text after it."""
    if rest.startswith("$"):
        return ("text", "$"), rest[1:]
    braces = rest.startswith("{")
    body = rest[1:] if braces else rest
    length = 0
    while length < len(body) and _is_word(body[length]):
        length += 1
    if not length or (braces and body[length : length + 1] != "}"):
        return ("text", "$"), rest
    return ("group", _number_or_name(body[:length])), body[length + braces :]


def _is_word(character: str) -> bool:
    return character == "_" or character.isalpha() or character.isdecimal()


def _number_or_name(name: str) -> int | str:
    is_number = name.isascii() and name.isdecimal() and len(name) <= 8 and (name == "0" or name[0] != "0")
    return int(name) if is_number else name
