"""Patterns and templates that users bring: RE2's, with Go's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.regular_expression import PatternError, parse_pattern, parse_template


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("", ["", "x"], []),
        ("v1", ["v1", "xv12"], ["v2"]),
        ("^v[0-9]+$", ["v12"], ["v", "xv1", "v1\n"]),
        (r"^\d{3}-\w+$", ["123-a_b"], ["12-a", "123-é"]),
        (r"^main-[[:xdigit:]]{7}$", ["main-0aF9b12"], ["main-xyz"]),
        ("(?i)RC", ["1-rc"], ["1-beta"]),
        (r"^\Qa.b\E", ["a.b"], ["axb"]),
    ],
)
def test_a_pattern_is_found_anywhere_unless_it_is_anchored(pattern: str, found: list[str], missed: list[str]) -> None:
    compiled = parse_pattern(pattern)
    assert [text for text in found + missed if compiled.matches(text)] == found


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", "missing )"),
        ("[a", "missing ]"),
        ("a**", "bad repetition"),
        ("(?=a)", "invalid perl operator"),
        (r"(a)\1", "invalid escape"),
        (r"\C", r"\C"),
        (r"\\\C", r"\C"),
        ("a{1001}", "repetition size"),
        ("((((a{100}){100}){100}))", "repetition size"),
        ("(?P<é>a)", "name of a group"),
        ("x" * 10_000, "limit 1024"),
        ("\udc80", "UTF-8"),
    ],
)
def test_a_pattern_that_go_would_not_read_is_refused_with_a_reason(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=reason.replace("\\", "\\\\").replace(")", "\\)").replace("]", "\\]")):
        parse_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        (r"\\C", ()),
        (r"\QC\C(\E(x)", ("",)),
        (r"(?P<n>a)[(?P<m>b)]", ("n",)),
        (r"(?<n>a)\(?P<m>", ("n",)),
        (r"(?P<n>a)[]\](?P<m>[:alpha:](]((b))(?:c)", ("n", "", "")),
        (r"(?P<n>(?P<n>a)|(b))", ("n", "n", "")),
    ],
)
def test_what_is_text_in_a_pattern_is_not_taken_for_a_group_or_an_escape(pattern: str, names: tuple[str, ...]) -> None:
    compiled = parse_pattern(pattern)
    assert compiled.names == names
    assert not compiled.has_group(len(names) + 1)


def test_of_two_groups_with_one_name_the_first_that_took_part_counts() -> None:
    compiled = parse_pattern("(?P<n>a)|(?P<n>b)")
    assert [compiled.expand(parse_template("<$n>"), text) for text in "ab"] == ["<a>", "<b>"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$", "(a?){50}a{50}"])
def test_a_pattern_that_explodes_elsewhere_is_done_at_once(pattern: str) -> None:
    # A backtracking engine needs longer than the universe has; the suite's own time limit is the judge.
    assert not parse_pattern(pattern).matches("a" * 40 + "!") or pattern.startswith("(a?)")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$ts", "20260102"),
        ("${ts}", "20260102"),
        ("$1", "main"),
        ("${1}x-$ts", "mainx-20260102"),
        ("$1x", ""),
        ("$0", "main-20260102"),
        ("$9", ""),
        ("$none", ""),
        ("$01", ""),
        ("$$1", "$1"),
        ("$", "$"),
        ("${ts", "${ts"),
        ("${}", "${}"),
        ("$-", "$-"),
        ("plain", "plain"),
        ("", ""),
        ("$3", ""),
    ],
)
def test_a_template_is_filled_as_go_fills_it(template: str, text: str) -> None:
    pattern = parse_pattern(r"^([a-z]+)-(?P<ts>\d+)(-x)?$")
    assert pattern.expand(parse_template(template), "main-20260102") == text


def test_nothing_is_expanded_where_the_pattern_is_not_found() -> None:
    assert parse_pattern("^a$").expand(parse_template("$0"), "b") is None


def test_a_template_has_a_limit() -> None:
    with pytest.raises(PatternError, match="limit 256"):
        parse_template("x" * 300)


@given(st.text("ab$(){}[]|*+?\\QE.^<>P:-_01é", max_size=30), st.text("ab01$é\n", max_size=20))
def test_any_text_is_a_pattern_or_a_pattern_error(pattern: str, text: str) -> None:
    try:
        compiled = parse_pattern(pattern)
    except PatternError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert compiled.matches(text) is (compiled.expand(parse_template("$0"), text) is not None)
