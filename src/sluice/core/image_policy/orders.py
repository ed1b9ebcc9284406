"""The orders that tags can be put into: by version, alphabet, number or build time.

Where two tags have the same place, a rule on their names decides, so that the choice never depends on the order in
which a registry lists them. The rules are those of Flux v2 on a list in the order of the alphabet, and of fluxd.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sluice.core.codes import BUILD_TIME_UNKNOWN, TAG_NOT_A_NUMBER
from sluice.core.fluxd_semver import FluxdRange, fluxd_key, parse_fluxd_version
from sluice.core.image import ImageTag
from sluice.core.image_policy.policy import Candidate, Rank, Unfit, quoted
from sluice.core.semver import Version, parse_version
from sluice.core.semver_range import VersionRange

_NO_VERSION = Unfit("is no semantic version")
_OUTSIDE = Unfit("is outside of the version range")
_UNASKED_PRE = Unfit("is a pre-release, and the version range names none")

# Go's syntax of floating-point numbers, as its strconv.ParseFloat has it.
_DECIMAL = re.compile(r"[+-]?(?:\d(?:_?\d)*\.?(?:\d(?:_?\d)*)?|\.\d(?:_?\d)*)(?:[eE][+-]?\d(?:_?\d)*)?", re.ASCII)
_HEXADECIMAL = re.compile(
    r"[+-]?0[xX](?:_?[0-9a-fA-F])*\.?(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?[pP][+-]?\d(?:_?\d)*", re.ASCII
)
_INFINITY = re.compile(r"[+-]?inf(?:inity)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SemverOrder:
    """The highest version of a range, as Flux v2 has it. `1.0.0` is taken before `v1.0.0`."""

    range: VersionRange

    @property
    def words(self) -> str:
        """How people read it."""
        return f"the highest version in {quoted(self.range.text)}"

    @property
    def needs_created(self) -> bool:
        """Versions tell their age themselves."""
        return False

    def rank(self, text: str, tag: ImageTag) -> Rank | Unfit:
        """By precedence; a pre-release takes part only when the range names one."""
        version = parse_version(text)
        if version is None:
            return _NO_VERSION
        if self.range.allows(version):
            return version.key
        return _outside(version, self.range)

    def prefers(self, one: Candidate, other: Candidate) -> bool:
        """The higher version; of equal ones the first text, of equal texts the last tag."""
        if one.rank != other.rank:
            return one.rank > other.rank
        return one.text < other.text if one.text != other.text else one.tag.tag > other.tag.tag


@dataclass(frozen=True, slots=True)
class FluxdSemverOrder:
    """The highest version of a range, as fluxd has it. `1.10.0` is taken before `1.10`."""

    range: FluxdRange

    @property
    def words(self) -> str:
        """How people read it."""
        return f"the highest version in {quoted(self.range.text)}"

    @property
    def needs_created(self) -> bool:
        """Versions tell their age themselves."""
        return False

    def rank(self, text: str, tag: ImageTag) -> Rank | Unfit:
        """By precedence."""
        version = parse_fluxd_version(text)
        if version is None:
            return _NO_VERSION
        if self.range.allows(version):
            return fluxd_key(version)
        return _outside(version, self.range)

    def prefers(self, one: Candidate, other: Candidate) -> bool:
        """The higher version; of equal ones the last text, which is the longer one."""
        return (one.rank, one.text) > (other.rank, other.text)


@dataclass(frozen=True, slots=True)
class AlphabeticalOrder:
    """The last text in the order of the alphabet; the first with `descending`."""

    descending: bool = False

    @property
    def words(self) -> str:
        """How people read it."""
        return f"the {'first' if self.descending else 'last'} in the alphabet"

    @property
    def needs_created(self) -> bool:
        """Names tell their order themselves."""
        return False

    def rank(self, text: str, tag: ImageTag) -> Rank | Unfit:
        """By code point."""
        return (text,)

    def prefers(self, one: Candidate, other: Candidate) -> bool:
        """The last or first text; of equal texts the last tag."""
        return _prefers(one, other, descending=self.descending)


@dataclass(frozen=True, slots=True)
class NumericalOrder:
    """The greatest number; the smallest with `descending`. One text that is no number stops the policy, as in Flux."""

    descending: bool = False

    @property
    def words(self) -> str:
        """How people read it."""
        return f"the {'smallest' if self.descending else 'greatest'} number"

    @property
    def needs_created(self) -> bool:
        """Numbers tell their order themselves."""
        return False

    def rank(self, text: str, tag: ImageTag) -> Rank | Unfit:
        """By value, as a 64-bit floating-point number."""
        number = parse_number(text)
        if number is None:
            return Unfit(f"gives {quoted(text)}, which is no number", TAG_NOT_A_NUMBER)
        return (number,)

    def prefers(self, one: Candidate, other: Candidate) -> bool:
        """The greater or smaller number; of equal ones the last text, of equal texts the last tag."""
        if one.rank == other.rank and one.text != other.text:
            return one.text > other.text
        return _prefers(one, other, descending=self.descending)


@dataclass(frozen=True, slots=True)
class BuildTimeOrder:
    """The image that was built last; the first with `descending`. One unknown build time stops the policy."""

    descending: bool = False

    @property
    def words(self) -> str:
        """How people read it."""
        return f"the one built {'first' if self.descending else 'last'}"

    @property
    def needs_created(self) -> bool:
        """Only the image knows when it was built."""
        return True

    def rank(self, text: str, tag: ImageTag) -> Rank | Unfit:
        """By the moment of creation; Go's zero time, year 1, is not known."""
        created = tag.created
        if created is None or created.year == 1:
            return Unfit("has no known build time", BUILD_TIME_UNKNOWN)
        return (created,)

    def prefers(self, one: Candidate, other: Candidate) -> bool:
        """The later or earlier moment; of equal ones the first tag, as fluxd has it."""
        if one.rank == other.rank:
            return one.tag.tag < other.tag.tag
        return _prefers(one, other, descending=self.descending)


def _prefers(one: Candidate, other: Candidate, *, descending: bool) -> bool:
    if one.rank == other.rank:
        return one.tag.tag > other.tag.tag
    return one.rank < other.rank if descending else one.rank > other.rank


def _outside(version: Version, versions: VersionRange | FluxdRange) -> Unfit:
    release = Version(version.major, version.minor, version.patch)
    return _UNASKED_PRE if version.pre and versions.allows(release) else _OUTSIDE


def parse_number(text: str) -> float | None:
    """The number that Go's ParseFloat reads, infinity included; None for any other text, and for NaN.

    >>> parse_number("1_000.5e1"), parse_number("0x1p4"), parse_number("1e999"), parse_number("1,5")
    (10005.0, 16.0, None, None)
    """
    if _INFINITY.fullmatch(text):
        return -math.inf if text.startswith("-") else math.inf
    plain = text.replace("_", "")
    if _DECIMAL.fullmatch(text):
        number = float(plain)
    elif _HEXADECIMAL.fullmatch(text) and re.search(r"[xX]\.?[0-9a-fA-F]", plain):
        number = _from_hexadecimal(plain)
    else:
        return None
    return number if math.isfinite(number) else None


def _from_hexadecimal(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return math.inf
