"""Versions and ranges get the verdicts of both Masterminds/semver releases: 1.4.2 is fluxd's, 3.x is Flux v2's."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sluice.core.fluxd_semver import fluxd_key, parse_fluxd_range, parse_fluxd_version
from sluice.core.semver import parse_version
from sluice.core.semver_range import RangeError, parse_range
from tests.differential.go_originals import Originals

ASKING = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

NUMBERS = st.sampled_from(["0", "1", "2", "3", "10", "01", "x", "X", "*", "1|2", "99999999999999999999"])
PRES = st.sampled_from(
    ["", "", "", "", "-0", "-rc.1", "-beta", "-01", "-a-b", "--5", "-5", "-rc..1", "-", "+b", "-a+b"]
)
PARTIALS = st.builds(
    lambda v, parts, pre: v + ".".join(parts) + pre,
    st.sampled_from(["", "", "v", "V"]),
    st.lists(NUMBERS, min_size=1, max_size=4),
    PRES,
)
OPERATORS = st.sampled_from(["", "", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^", ">>", "!", "==", "&"])
SPACES = st.sampled_from(["", " ", "  ", "\t"])
TERMS = st.builds(lambda a, o, b, p, c: a + o + b + p + c, SPACES, OPERATORS, SPACES, PARTIALS, SPACES)
HYPHENS = st.builds(
    lambda a, gap, b, other: a + gap + b,
    PARTIALS,
    st.sampled_from([" - ", "  -  ", " -", "-", "\t- "]),
    PARTIALS,
    SPACES,
)
RANGES = st.builds(
    lambda first, rest: first + "".join(joint + term for joint, term in rest),
    TERMS | HYPHENS,
    st.lists(st.tuples(st.sampled_from([",", ", ", " ", "||", " || ", " , "]), TERMS | HYPHENS), max_size=3),
)
VERSIONS = [
    *("0.0.0", "0.0.1", "0.0.2", "0.1.0", "0.1.1", "0.2.0", "0.10.0", "1.0.0", "1.0.1", "1.1.0", "1.2.0", "1.2.3"),
    *("1.10.0", "2.0.0", "2.1.0", "2.10.3", "3.0.0", "3.2.1", "10.0.0", "0.0.0-0", "0.0.0-rc.1", "1.0.0-rc.1"),
    *("1.0.0-0", "1.0.0-a-b", "1.2.0-beta", "2.0.0-rc.1", "1.2.3-rc.10", "1.2.3-5", "1.2.3--5", "1.2.3+b", "v1.2.3"),
    *("1.2.3-01", "01.2.3", "1", "1.2", "v2", "x", "1.2.3.4", "", "latest", "1.2.3-", "9223372036854775808.0.0"),
]
TAGS = st.builds(
    lambda v, parts, pre: v + ".".join(parts) + pre,
    st.sampled_from(["", "v"]),
    st.lists(st.sampled_from(["0", "1", "2", "01", "10"]), min_size=1, max_size=4),
    st.sampled_from(
        ["", "-0", "-1", "-01", "-10", "-2", "-rc", "-rc.1", "-rc.1.0", "-Rc", "-a.b", "--1", "-9223372036854775808"]
    ),
)


@given(RANGES)
@ASKING
def test_fluxd_s_ranges_allow_what_masterminds_1_4_2_allows(originals: Originals, text: str) -> None:
    expected = originals.ask("semver1.range", text, *VERSIONS)
    try:
        parsed = parse_fluxd_range(text)
    except RangeError:
        assert expected is None
        return
    versions = {tag: parse_fluxd_version(tag) for tag in VERSIONS}
    assert [None if v is None else parsed.allows(v) for v in versions.values()] == expected


@given(RANGES)
@ASKING
def test_ranges_allow_what_masterminds_3_allows(originals: Originals, text: str) -> None:
    # v3 takes `|` for a digit, so that to it `1||2 - 3` is `>=1 || 2, <=3`, and `x.1|2` is any version. Not to us.
    assume(not re.search(r"\|\S+\s+-\s|(?<!\|)\|(?!\|)", text))
    # Flux reads a tag strictly, but for a `v` in front.
    expected = originals.ask("semver3.range", text, *(tag.removeprefix("v") for tag in VERSIONS))
    try:
        parsed = parse_range(text)
    except RangeError:
        assert expected is None
        return
    versions = {tag: parse_version(tag) for tag in VERSIONS}
    assert [None if v is None else parsed.allows(v) for v in versions.values()] == expected


@given(TAGS, TAGS)
@ASKING
def test_versions_are_ordered_as_masterminds_1_4_2_orders_them(originals: Originals, one: str, other: str) -> None:
    a, b = parse_fluxd_version(one), parse_fluxd_version(other)
    ours = None if a is None or b is None else (fluxd_key(a) > fluxd_key(b)) - (fluxd_key(a) < fluxd_key(b))
    there, back = originals.ask("semver1.compare", one, other), originals.ask("semver1.compare", other, one)
    if there is not None and there == back:
        # It calls `-01` less than `-1` and `-1` less than `-01`; to us they are equal.
        there = 0
    assert ours == there


@given(TAGS, TAGS)
@ASKING
def test_versions_are_ordered_as_masterminds_3_orders_them(originals: Originals, one: str, other: str) -> None:
    a, b = parse_version(one), parse_version(other)
    ours = None if a is None or b is None else (a > b) - (a < b)
    assert ours == originals.ask("semver3.compare", one.removeprefix("v"), other.removeprefix("v"))
