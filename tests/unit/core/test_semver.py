"""Versions and ranges: the table's verdicts were taken from Masterminds v3 itself."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.semver import Version, coerce_version, parse_version
from sluice.core.semver_range import RangeError, parse_range

NUMBERS = st.integers(0, 30)
PRE = st.lists(st.sampled_from(["alpha", "rc", "0", "1", "9", "10", "a-b", "x7"]), max_size=3).map(".".join)
VERSIONS = st.builds(Version, NUMBERS, NUMBERS, NUMBERS, PRE)
RELEASES = st.builds(Version, NUMBERS, NUMBERS, NUMBERS)


@pytest.mark.parametrize(
    ("text", "allowed", "refused"),
    [
        ("1.2.3", ["1.2.3", "1.2.3+build"], ["1.2.4", "1.2.3-rc.1"]),
        ("=1.2.3", ["1.2.3"], ["1.2.2"]),
        ("1.2", ["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
        ("1.x", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.0"]),
        ("*", ["0.0.0", "7.1.2"], ["1.0.0-rc.1"]),
        (">=1.0.0-0", ["1.0.0-alpha", "1.0.0", "2.0.0-rc.1"], ["0.9.0"]),
        ("!=1.2.3", ["1.2.4"], ["1.2.3"]),
        ("!=1.2", ["1.3.0"], ["1.2.0", "1.2.9"]),
        ("!=1", ["2.0.0"], ["1.5.0"]),
        (">1.2", ["1.3.0", "2.0.0"], ["1.2.9"]),
        (">1", ["2.0.0"], ["1.9.9"]),
        ("<1.2.3", ["1.2.2", "0.0.1"], ["1.2.3", "1.2.3-rc.1"]),
        ("<=1.2", ["1.2.9", "1.0.0"], ["1.3.0"]),
        ("<=*", ["0.0.9"], ["0.1.0"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.3.0", "1.2.2"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("~>1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("~0.0.0", ["0.0.0", "9.9.9"], []),
        ("^1.2.3", ["1.2.3", "1.9.0"], ["2.0.0", "1.2.2"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
        ("^0", ["0.0.0", "0.9.0"], ["1.0.0"]),
        ("1.2 - 1.4.5", ["1.2.0", "1.4.5"], ["1.4.6", "1.1.9"]),
        ("1.2 - 1.4", ["1.4.9"], ["1.5.0"]),
        (">=1.0, <2.0", ["1.5.0"], ["2.0.0"]),
        (">=1.0 <2.0", ["1.5.0"], ["2.0.0"]),
        (">= 1.0 , < 2.0", ["1.5.0"], ["2.0.0"]),
        ("<1.0 || >=2.0", ["0.9.0", "2.0.0"], ["1.5.0"]),
        (">=1.0.0-rc.1 <2.0.0", ["1.0.0-rc.2", "1.5.0-alpha"], ["2.0.0", "1.0.0-beta"]),
        (">=1.0.0 || 2.0.0-rc.1", ["1.0.0", "2.0.0-rc.1"], ["1.5.0-rc.1"]),
        ("v1.2.3", ["1.2.3"], []),
        ("=>1.0", ["1.0.0"], ["0.9.0"]),
        ("=<1.0", ["1.0.9"], ["1.1.0"]),
        ("01.02", ["1.2.3"], []),
    ],
)
def test_a_range_allows_what_masterminds_allows(text: str, allowed: list[str], refused: list[str]) -> None:
    parsed = parse_range(text)
    verdicts = {v: parsed.allows(version) for v in allowed + refused if (version := parse_version(v)) is not None}
    assert verdicts == dict.fromkeys(allowed, True) | dict.fromkeys(refused, False)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (">=y", 3),
        ("", 1),
        ("1.2.3 ||", 9),
        ("|| 1.2.3", 1),
        (">=1.0<2.0", 6),
        ("1.2.3.4", 6),
        ("1.0 ; 2.0", 5),
        (">>1.0", 2),
        ("1.0 ,", 6),
        ("1.0 - ", 7),
        ("~1.0 - 2.0", 5),
        ("1x.2", 1),
        ("1.0.0-01", 1),
        ("99999999999999999999", 1),
        ("latest", 1),
        ("1 || 2 || >=", 13),
        ("1" * 600, 513),
        ("||".join(["1"] * 40), 118),
    ],
)
def test_an_error_in_a_range_says_at_which_character(text: str, position: int) -> None:
    with pytest.raises(RangeError) as caught:
        parse_range(text)
    assert caught.value.position == position


def test_a_lone_operator_with_a_wildcard_is_a_range() -> None:
    # B090 names `>=x` as an error; Masterminds and Flux read it as "any version", and so do we.
    assert parse_range(">=x").allows(Version(1, 0, 0))


@pytest.mark.parametrize("text", ["1.2.3", "v1.2.3", "0.0.0", "1.2.3-rc.1", "1.2.3-a-b.0", "1.2.3+x", "v1.2.3-a+b"])
def test_a_tag_that_is_a_version_is_read(text: str) -> None:
    version = parse_version(text)
    assert version is not None
    assert str(version) == text.removeprefix("v")
    assert version.text == text


@pytest.mark.parametrize("text", ["", "1", "1.2", "v", "V1.2.3", "1.2.3.4", "01.2.3", "1.2.3-01", "1.2.3-", "1.2.3 ",
                                  "rel-1.2.3", "1.2.3-\u0661", "1" * 30 + ".0.0", "1.2.3-" + "a" * 300])  # fmt: skip
def test_a_tag_that_is_no_version_is_passed_over(text: str) -> None:
    assert parse_version(text) is None


def test_a_loose_version_may_be_short_and_have_leading_zeros() -> None:
    assert str(coerce_version("v01.2")) == "1.2.0"
    assert coerce_version("one") is None


def test_pre_releases_are_ordered_by_number_then_by_text() -> None:
    order = [
        "1.0.0-0",
        "1.0.0-9",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0",
    ]
    versions = [version for text in order if (version := parse_version(text)) is not None]
    assert all(one < other for one, other in pairwise(versions))
    assert [v.text for v in versions] == order


def test_the_highest_allowed_version_is_picked() -> None:
    versions = [v for t in ("v1.0.0", "v1.10.0", "v1.9.0", "v2.0.0", "v1.11.0-rc.1") if (v := parse_version(t))]
    highest = parse_range("1.x").highest(versions)
    assert highest is not None
    assert highest.text == "v1.10.0"
    assert parse_range("3.x").highest(versions) is None


@given(VERSIONS)
def test_a_version_reads_back_as_itself(version: Version) -> None:
    assert parse_version(str(version)) == version
    assert parse_range(str(version)).allows(version)


@given(VERSIONS, VERSIONS, VERSIONS)
def test_versions_are_totally_ordered(a: Version, b: Version, c: Version) -> None:
    assert (a < b) + (a == b) + (a > b) == 1
    assert not (a < b < c) or a < c


@given(RELEASES, RELEASES)
def test_opposite_operators_split_all_releases(bound: Version, version: Version) -> None:
    for one, other in ((">=", "<"), (">", "<="), ("=", "!=")):
        assert parse_range(f"{one}{bound}").allows(version) != parse_range(f"{other}{bound}").allows(version)


@given(RELEASES, RELEASES)
def test_tilde_is_within_caret_is_within_at_least(bound: Version, version: Version) -> None:
    at_least, caret = parse_range(f">={bound}").allows(version), parse_range(f"^{bound}").allows(version)
    assert not caret or at_least
    assert not parse_range(f"~{bound}").allows(version) or at_least


@given(st.text(alphabet="0123456789.xX*v<>=!~^|, -+ab\t", max_size=40))
def test_any_text_is_a_range_or_an_error_with_a_position(text: str) -> None:
    position = 1
    try:
        parse_range(text)
    except RangeError as error:
        position = error.position
    assert 1 <= position <= len(text) + 1
