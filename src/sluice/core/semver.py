"""Semantic versions: text to a value that can be compared, strictly or with missing parts filled in. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import total_ordering

MAX_VERSION = 256
MAX_NUMBER = 2**64 - 1

PRE = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_STRICT = re.compile(rf"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-({PRE}))?(?:\+({PRE}))?", re.ASCII)
_LOOSE = re.compile(rf"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-({PRE}))?(?:\+({PRE}))?", re.ASCII)

_Part = tuple[int, int, str]


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A semantic version. Equality and order ignore `build`, as the standard says. `text` is how it was written."""

    major: int
    minor: int
    patch: int
    pre: str = ""
    build: str = ""
    text: str = ""
    key: tuple[int, int, int, int, tuple[_Part, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        parts = tuple(_pre_part(part) for part in self.pre.split(".")) if self.pre else ()
        object.__setattr__(self, "key", (self.major, self.minor, self.patch, 0 if self.pre else 1, parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.key == other.key

    def __lt__(self, other: Version) -> bool:
        return self.key < other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        pre = f"-{self.pre}" if self.pre else ""
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}{build}"


def _pre_part(part: str) -> _Part:
    number = int(part) if part.isdecimal() else -1
    return (0, number, "") if 0 <= number <= MAX_NUMBER else (1, 0, part)


def parse_version(text: str) -> Version | None:
    """The version that `text` is, strictly but for a leading `v`; None when it is none. Git tags are read so.

    >>> str(parse_version("v1.2.3-rc.1"))
    '1.2.3-rc.1'
    >>> parse_version("1.2") is None
    True
    """
    return _version_of(_STRICT.fullmatch(text), text)


def coerce_version(text: str) -> Version | None:
    """The version that `text` is when missing numbers count as 0 and leading zeros are allowed; None otherwise.

    >>> str(coerce_version("v1.02"))
    '1.2.0'
    """
    return _version_of(_LOOSE.fullmatch(text), text)


def _version_of(match: re.Match[str] | None, text: str) -> Version | None:
    if match is None or len(text) > MAX_VERSION:
        return None
    numbers = [int(number or "0") for number in match.groups()[:3]]
    pre, build = match[4] or "", match[5] or ""
    if max(numbers) > MAX_NUMBER or (pre and not is_valid_pre(pre)):
        return None
    return Version(numbers[0], numbers[1], numbers[2], pre, build, text)


def is_valid_pre(pre: str) -> bool:
    """True when no number in a pre-release (of valid characters) has a leading zero."""
    return not any(part.isdecimal() and len(part) > 1 and part[0] == "0" for part in pre.split("."))
