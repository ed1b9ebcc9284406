"""Ranges over semantic versions, with the grammar and the verdicts of Go's Masterminds v3. Pure.

That library is what users of Flux, Helm and Argo CD write ranges for, so its rules hold, also where they surprise: a
pre-release satisfies a range only when a term of the same and-group names one; `<=1.2` takes all of 1.2.x.
A range is read by a scanner, not by patterns, so that an error can say at which character it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sluice.core.semver import MAX_NUMBER, PRE, Version, is_valid_pre

MAX_RANGE = 512
MAX_GROUPS = 32

_PARTIAL = re.compile(
    rf"v?([0-9xX*]+)(?:\.([0-9xX*]+))?(?:\.([0-9xX*]+))?(-{PRE})?(?:\+{PRE})?",
    re.ASCII,
)
_SPACE = re.compile(r"[ \t\n\f\r]*")
_HYPHEN = re.compile(r"[ \t\n\f\r]+-[ \t\n\f\r]+")
_OPERATOR = re.compile(r"=>|=<|>=|<=|!=|~>|[=<>~^]|")
_ALIASES = {"=>": ">=", "=<": "<=", "~>": "~", "": "="}
_WILDCARDS = frozenset({"x", "X", "*"})


class RangeError(ValueError):
    """A range that can't be read. `position` counts characters from 1."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(f"{reason} at character {position}")
        self.reason = reason
        self.position = position


@dataclass(frozen=True, slots=True)
class _Term:
    """`operator version`. `given` is how many of the three numbers were written: 0 means `*`."""

    operator: str
    version: Version
    given: int

    def allows(self, version: Version) -> bool:
        return _CHECKS[self.operator](version, self.version, self.given)


@dataclass(frozen=True, slots=True)
class _Group:
    """Terms that must all hold. Pre-releases are looked at only when one of them names a pre-release."""

    terms: tuple[_Term, ...]
    takes_pre: bool

    def allows(self, version: Version) -> bool:
        if version.pre and not self.takes_pre:
            return False
        return all(term.allows(version) for term in self.terms)


@dataclass(frozen=True, slots=True)
class VersionRange:
    """Groups of which one must hold."""

    groups: tuple[_Group, ...]
    text: str

    def allows(self, version: Version) -> bool:
        """True when the version satisfies the range."""
        return any(group.allows(version) for group in self.groups)

    def highest(self, versions: Iterable[Version]) -> Version | None:
        """The highest version that satisfies the range; the first given of equal ones."""
        return max((version for version in versions if self.allows(version)), key=lambda v: v.key, default=None)


def parse_range(text: str) -> VersionRange:
    """Read a range such as `>=1.2 <2 || ~3.1`. Raises RangeError, which says where it stops to make sense.

    >>> parse_range("1.2 - 2.x").allows(Version(2, 9, 9))
    True
    """
    if len(text) > MAX_RANGE:
        raise RangeError(f"the range is longer than {MAX_RANGE} characters", MAX_RANGE + 1)
    if text.count("||") >= MAX_GROUPS:
        raise RangeError(f"the range has more than {MAX_GROUPS} alternatives", len(text))
    groups, at = [], 0
    for part in text.split("||"):
        terms = _Scanner(text, at, at + len(part)).group()
        groups.append(_Group(terms, any(term.version.pre for term in terms)))
        at += len(part) + 2
    return VersionRange(tuple(groups), text)


class _Scanner:
    """Reads the terms of one and-group, `text[at:end]`."""

    def __init__(self, text: str, at: int, end: int) -> None:
        self.text, self.at, self.end = text, at, end

    def group(self) -> tuple[_Term, ...]:
        self._skip()
        terms = self._term_or_hyphen(first=True)
        after_hyphen = len(terms) == 2  # the one place where the next term needs nothing before it
        while self._skip_to_next():
            comma = self.text[self.at] == ","
            if comma:
                self.at += 1
                self._skip()
            elif not self.text[self.at - 1].isspace() and not after_hyphen:
                raise self._error("expected a space, a comma or ||")
            found = self._term_or_hyphen(first=comma or after_hyphen)
            after_hyphen = len(found) == 2
            terms += found
        return terms

    def _skip(self) -> None:
        match = _SPACE.match(self.text, self.at, self.end)
        self.at = match.end() if match else self.at

    def _skip_to_next(self) -> bool:
        self._skip()
        return self.at < self.end

    def _term_or_hyphen(self, *, first: bool) -> tuple[_Term, ...]:
        """A term, or `low - high`, which must come first in its group, or after a comma or another such range."""
        start = self.at
        operator = self._operator()
        self._skip()
        low = self._partial(operator)
        hyphen = _HYPHEN.match(self.text, self.at, self.end)
        if hyphen is None:
            return (low,)
        if self.text[start] in "=<>!~^" or not first:
            raise self._error("a hyphen range takes no operator, and a comma before it")
        self.at = hyphen.end()
        return (_Term(">=", low.version, low.given), self._partial("<="))

    def _operator(self) -> str:
        match = _OPERATOR.match(self.text, self.at, self.end)
        found = match[0] if match else ""
        self.at += len(found)
        return _ALIASES.get(found, found)

    def _partial(self, operator: str) -> _Term:
        match = _PARTIAL.match(self.text, self.at, self.end)
        if match is None:
            raise self._error("expected a version")
        (major, minor, patch), given = self._numbers(match)
        pre = (match[4] or "")[1:]
        if not is_valid_pre(pre):
            raise self._error("a number in a pre-release starts with 0")
        self.at = match.end()
        return _Term(operator, Version(major, minor, patch, pre), given)

    def _numbers(self, match: re.Match[str]) -> tuple[tuple[int, int, int], int]:
        """The numbers up to the first wildcard or missing one; what stands behind a wildcard does not count."""
        numbers: list[int] = []
        for part in match.groups()[:3]:
            if part is None or part in _WILDCARDS:
                break
            if not part.isdecimal() or int(part) > MAX_NUMBER:
                raise self._error(f"{part!r} is not a number")
            numbers.append(int(part))
        major, minor, patch = numbers + [0] * (3 - len(numbers))
        return (major, minor, patch), len(numbers)

    def _error(self, reason: str) -> RangeError:
        return RangeError(reason, self.at + 1)


def _equal(version: Version, bound: Version, given: int) -> bool:
    return version == bound if given == 3 else _tilde(version, bound, given)


def _not_equal(version: Version, bound: Version, given: int) -> bool:
    if given == 1:
        return version.major != bound.major
    if given == 2:
        same = version.major == bound.major and version.minor == bound.minor
        return not same or version.pre != bound.pre
    return version != bound


def _greater(version: Version, bound: Version, given: int) -> bool:
    if given in {1, 2}:
        return version.key[:given] > bound.key[:given]
    return version > bound


def _at_most(version: Version, bound: Version, given: int) -> bool:
    if given == 3:
        return version <= bound
    numbers = 1 if given == 1 else 2
    return version.key[:numbers] <= bound.key[:numbers]


def _tilde(version: Version, bound: Version, given: int) -> bool:
    if version < bound:
        return False
    if bound.key[:3] == (0, 0, 0) and given in {0, 3}:
        return True
    numbers = 1 if given == 1 else 2
    return version.key[:numbers] == bound.key[:numbers]


def _caret(version: Version, bound: Version, given: int) -> bool:
    if version < bound:
        return False
    if bound.major > 0 or given == 1:
        return version.major == bound.major
    if bound.minor > 0 or given == 2:
        return version.key[:2] == bound.key[:2]
    return version.key[:3] == bound.key[:3]


_CHECKS: dict[str, Callable[[Version, Version, int], bool]] = {
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": lambda version, bound, _given: version < bound,
    ">=": lambda version, bound, _given: version >= bound,
    "<=": _at_most,
    "~": _tilde,
    "^": _caret,
}
