"""Patterns and templates mean what they mean to Go's `regexp`."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.core.regular_expression import PatternError, parse_pattern, parse_template
from tests.differential.go_originals import Originals

ASKING = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

ATOMS = st.sampled_from(
    [
        *(
            "a",
            "b",
            "1",
            "-",
            ".",
            "v",
            "é",
            r"\.",
            r"\d",
            r"\D",
            r"\w",
            r"\W",
            r"\s",
            r"\b",
            r"\B",
            r"\A",
            r"\z",
            r"\Z",
        ),
        *(
            "[a-z]",
            "[^0-9]",
            "[[:alpha:]]",
            "[[:^digit:]]",
            r"[\d\-x]",
            "[]a]",
            "[^]a]",
            "[a",
            r"\pL",
            r"\p{Greek}",
            r"\PN",
        ),
        *(
            "^",
            "$",
            r"\Qa.b\E",
            r"\C",
            r"\x41",
            r"\x{e9}",
            r"\101",
            r"\1",
            r"\8",
            r"\a",
            r"\e",
            r"\n",
            "(?i)",
            "(?m)",
            "(?s)",
        ),
        *(
            "(?i:B)",
            "(?-s:.)",
            "(?U)",
            "(?=a)",
            "(?P=n)",
            "(?#c)",
            "[z-a]",
            "{",
            "{2",
            "{,2}",
            "}",
            "]",
            ")",
            "|",
            "()",
        ),
    ]
)
REPEATS = st.sampled_from(
    ["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,3}", "{2,1}", "{1001}", "**", "{2}{2}"]
)
GROUPS = st.sampled_from(
    ["(", "(?:", "(?P<n>", "(?P<n>", "(?<n>", "(?P<m1>", "[(?P<n>", "\\(?P<n>", "(?P<é>", "(?P<1a>", "(?P<>"]
)


def joined(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = st.builds(lambda atom, repeat: atom + repeat, children, REPEATS)
    grouped = st.builds(lambda opening, inner: opening + inner + ")", GROUPS, children)
    return (
        st.lists(repeated, min_size=1, max_size=4).map("".join)
        | grouped
        | st.lists(children, min_size=2, max_size=3).map("|".join)
    )


PATTERNS = st.recursive(ATOMS, joined, max_leaves=8)
TEMPLATES = st.lists(
    st.sampled_from(
        [
            "$",
            "$$",
            "$1",
            "${1}",
            "$n",
            "${n}",
            "$m1",
            "${m1",
            "}",
            "$0",
            "$01",
            "$9",
            "x",
            "é",
            "_",
            "$é",
            "${}",
            "{",
            "1",
        ]
    ),
    max_size=4,
).map("".join)
TEXTS = ["", "a", "aab", "v1.2.3", "main-12-ab", "a.b", "A-B_c", "é", "1é", "ab\nba", "aaaa", "bA1"]


@given(PATTERNS, TEMPLATES)
@ASKING
def test_a_pattern_finds_and_a_template_gives_what_they_do_in_go(
    originals: Originals, pattern: str, template: str
) -> None:
    expected = originals.ask("regexp.expand", pattern, template, *TEXTS)
    try:
        compiled = parse_pattern(pattern)
    except PatternError:
        assert expected is None
        return
    parsed = parse_template(template)
    assert [compiled.expand(parsed, text) for text in TEXTS] == expected
