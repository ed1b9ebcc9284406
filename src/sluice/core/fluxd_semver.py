"""Versions and ranges as fluxd read them: the grammar and the verdicts of Go's Masterminds/semver 1.4.2. Pure.

fluxd's `semver:` patterns were written for that release, which differs from the v3 that Flux v2 has (`semver_range`):
only a comma joins terms, never a space; `1.2` and `=1.2` are exactly 1.2.0, while `1` and `1.x` are ranges; `^0.2`
takes all of 0.x; each term decides by itself about pre-releases; `>0` and `>=0.0.0` take them all; `<2.x` takes 2.x;
numbers may start with 0.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sluice.core.semver import MAX_VERSION, PRE, Version
from sluice.core.semver_range import MAX_GROUPS, MAX_RANGE, RangeError

MAX_NUMBER = 2**63 - 1

_SPACE = r"[\t\n\f\r ]"
# A single `|` counts as a digit in that grammar; it never makes a number, but it may stand behind a wildcard.
_DIGITS = r"[0-9|xX*]+"
_PARTIAL = rf"v?({_DIGITS})(\.{_DIGITS})?(\.{_DIGITS})?(-({PRE}))?(?:\+{PRE})?"
_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({PRE}))?(?:\+({PRE}))?", re.ASCII)
_TERM = re.compile(rf"{_SPACE}*(=>|=<|>=|<=|!=|~>|[=<>~^]|){_SPACE}*{_PARTIAL}{_SPACE}*", re.ASCII)
_HYPHEN = re.compile(rf"{_SPACE}*({_PARTIAL}){_SPACE}+-{_SPACE}+({_PARTIAL}){_SPACE}*", re.ASCII)
_WILDCARDS = frozenset({"x", "X", "*"})
_PreKey = tuple[tuple[int, int, str], ...]
_Key = tuple[int, int, int, int, _PreKey]


def parse_fluxd_version(text: str) -> Version | None:
    """The version that a tag is to fluxd: a `v` in front, missing numbers and leading zeros are fine; else None.

    >>> str(parse_fluxd_version("v1.02"))
    '1.2.0'
    """
    match = _VERSION.fullmatch(text) if len(text) <= MAX_VERSION else None
    if match is None:
        return None
    major, minor, patch = (int(number or "0") for number in match.groups()[:3])
    if max(major, minor, patch) > MAX_NUMBER:
        return None
    return Version(major, minor, patch, match[4] or "", match[5] or "", text)


def fluxd_key(version: Version) -> _Key:
    """What fluxd orders versions by. Numbers in a pre-release may be negative there (`-5`) and start with 0."""
    parts = tuple(_pre_part(part) for part in version.pre.split(".")) if version.pre else ()
    return (version.major, version.minor, version.patch, 0 if version.pre else 1, parts)


def _pre_part(part: str) -> tuple[int, int, str]:
    digits = part.removeprefix("-")
    number = int(part) if digits.isdecimal() else MAX_NUMBER + 1
    return (0, number, "") if -MAX_NUMBER - 1 <= number <= MAX_NUMBER else (1, 0, part)


@dataclass(frozen=True, slots=True)
class _Term:
    """`operator version`. `dirty` when a wildcard or a missing number stands in it, `any_minor` when from the minor."""

    check: Callable[[Version, _Term], bool]
    version: Version
    key: _Key
    dirty: bool = False
    any_minor: bool = False
    any_patch: bool = False


@dataclass(frozen=True, slots=True)
class FluxdRange:
    """Groups of terms; a version satisfies the range when all terms of one group hold."""

    groups: tuple[tuple[_Term, ...], ...]
    text: str

    def allows(self, version: Version) -> bool:
        """True when the version satisfies the range."""
        return any(all(term.check(version, term) for term in group) for group in self.groups)


def parse_fluxd_range(text: str) -> FluxdRange:
    """Read a range such as `>=1.2, <2 || ~3.1`. Raises RangeError.

    >>> parse_fluxd_range("~1.2").allows(Version(1, 2, 9)), parse_fluxd_range("1.2").allows(Version(1, 2, 9))
    (True, False)
    """
    if len(text) > MAX_RANGE:
        raise RangeError(f"the range is longer than {MAX_RANGE} characters", MAX_RANGE + 1)
    if text.count("||") >= MAX_GROUPS:
        raise RangeError(f"the range has more than {MAX_GROUPS} alternatives", len(text))
    alternatives = _without_hyphens(text).split("||")
    groups = tuple(tuple(_parse_term(term, text) for term in group.split(",")) for group in alternatives)
    return FluxdRange(groups, text)


def _without_hyphens(text: str) -> str:
    """Write each `a - b` as `>= a, <= b`, wherever it stands, as that library does before it reads anything."""
    for match in list(_HYPHEN.finditer(text)):
        text = text.replace(match[0], f">= {match[1]}, <= {match[7]}", 1)
    return text


def _parse_term(term: str, text: str) -> _Term:
    match = _TERM.fullmatch(term)
    if match is None:
        raise RangeError(f"{term.strip()!r} is no version with an operator before it", max(text.find(term), 0) + 1)
    operator, major, minor, patch, pre = match[1], match[2], match[3] or "", match[4] or "", match[5] or ""
    any_minor = any_patch = False
    dirty = major in _WILDCARDS
    if dirty:
        written = "0.0.0"
    elif not minor or minor[1:] in _WILDCARDS:
        dirty = any_minor = True
        written = f"{major}.0.0{pre}"
    elif patch[1:] in _WILDCARDS:
        dirty = any_patch = True
        written = f"{major}{minor}.0{pre}"
    else:
        written = f"{major}{minor}{patch}{pre}"
    version = parse_fluxd_version(written)
    if version is None:
        raise RangeError(f"{term.strip()!r} has a part that is no number", max(text.find(term), 0) + 1)
    return _Term(_CHECKS[operator], version, fluxd_key(version), dirty, any_minor, any_patch)


def _unasked_pre(version: Version, term: _Term) -> bool:
    return bool(version.pre) and not term.version.pre


def _is_zero(version: Version) -> bool:
    return version.key[:3] == (0, 0, 0) and not version.pre


def _not_equal(version: Version, term: _Term) -> bool:
    if not term.dirty:
        return fluxd_key(version) != term.key
    if _unasked_pre(version, term):
        return False
    return version.major != term.version.major or (version.minor != term.version.minor and not term.any_minor)


def _greater(version: Version, term: _Term) -> bool:
    if _is_zero(term.version) and not _is_zero(version):
        return True
    return not _unasked_pre(version, term) and fluxd_key(version) > term.key


def _at_least(version: Version, term: _Term) -> bool:
    if _is_zero(term.version) and not _is_zero(version):
        return True
    return not _unasked_pre(version, term) and fluxd_key(version) >= term.key


def _less(version: Version, term: _Term) -> bool:
    if _unasked_pre(version, term):
        return False
    return _below_wildcard(version, term) if term.dirty else fluxd_key(version) < term.key


def _at_most(version: Version, term: _Term) -> bool:
    if _unasked_pre(version, term):
        return False
    return _below_wildcard(version, term) if term.dirty else fluxd_key(version) <= term.key


def _below_wildcard(version: Version, term: _Term) -> bool:
    """Major and minor are compared each by itself, so `<2.1.x` refuses 1.5.0: that library's own verdict."""
    return version.major <= term.version.major and (version.minor <= term.version.minor or term.any_minor)


def _tilde(version: Version, term: _Term) -> bool:
    if _unasked_pre(version, term) or fluxd_key(version) < term.key:
        return False
    if term.version.key[:3] == (0, 0, 0) and not term.any_minor and not term.any_patch:
        return True
    return version.major == term.version.major and (version.minor == term.version.minor or term.any_minor)


def _equal(version: Version, term: _Term) -> bool:
    if term.dirty:
        return _tilde(version, term)
    return not _unasked_pre(version, term) and fluxd_key(version) == term.key


def _caret(version: Version, term: _Term) -> bool:
    if _unasked_pre(version, term) or fluxd_key(version) < term.key:
        return False
    return version.major == term.version.major


_CHECKS: dict[str, Callable[[Version, _Term], bool]] = {
    "": _equal,
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": _less,
    ">=": _at_least,
    "=>": _at_least,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
