"""Selectors: kustomize's anchored patterns in linear time, and Kubernetes' label selectors."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.ids import ResourceId
from sluice.core.selector import ObjectSelector, parse_labels, parse_pattern


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("web", ["web"], ["web1", "aweb", ""]),
        ("web.*", ["web", "web-1"], ["aweb"]),
        ("^web$", ["web"], ["web1"]),
        ("web|api", ["web", "api"], ["webapi", "web|api"]),
        ("a[bc]+d?", ["ab", "abcbd"], ["a", "ad"]),
        ("a[^b]", ["ac"], ["ab", "a"]),
        (r"a\.b", ["a.b"], ["axb"]),
        (".*", ["", "anything"], []),
        ("[|]x", ["|x"], ["x"]),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, yes: list[str], no: list[str]) -> None:
    read = parse_pattern(pattern)
    assert all(read.matches(text) for text in yes)
    assert not any(read.matches(text) for text in no)


@pytest.mark.parametrize("pattern", ["(a)", "a{2}", "*", "a**", "[z-a]", "[", "x" * 501])
def test_what_is_outside_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_pattern(pattern)


ATOMS = st.lists(
    st.tuples(st.sampled_from(["a", "b", ".", "[ab]", "[^a]"]), st.sampled_from(["", "*", "+", "?"])), max_size=6
).map(lambda atoms: "".join(one + often for one, often in atoms))


@given(st.lists(ATOMS, min_size=1, max_size=3), st.text("abc", max_size=8))
def test_a_pattern_means_what_it_means_as_an_anchored_regular_expression(parts: list[str], text: str) -> None:
    pattern = "|".join(parts)
    assert parse_pattern(pattern).matches(text) is bool(re.fullmatch(f"(?:{pattern})", text))


def test_a_hostile_pattern_comes_to_an_end() -> None:
    """A matcher that goes back and forth would not return in a lifetime."""
    assert not parse_pattern(".*" * 200 + "b").matches("a" * 253)


@pytest.mark.parametrize(
    ("selector", "labels", "holds"),
    [
        ("", {}, True),
        ("a", {"a": ""}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("!a", {"a": "1"}, False),
        ("a=1", {"a": "1"}, True),
        ("a == 1", {"a": "2"}, False),
        ("a!=1", {}, True),
        ("a!=1", {"a": "1"}, False),
        ("a in (1, 2)", {"a": "2"}, True),
        ("a in (1,2)", {}, False),
        ("a notin (1)", {}, True),
        ("a=1,b in (x),!c", {"a": "1", "b": "x"}, True),
        ("a=1,b in (x),!c", {"a": "1", "b": "x", "c": ""}, False),
        ("app.kubernetes.io/name=web", {"app.kubernetes.io/name": "web"}, True),
    ],
)
def test_a_label_selector_holds_as_in_kubernetes(selector: str, labels: dict[str, str], holds: bool) -> None:
    selected = ObjectSelector(labels=parse_labels(selector))
    assert selected.matches(ResourceId("", "ConfigMap", "a", "b"), "v1", labels, {}) is holds


@pytest.mark.parametrize("selector", ["a in", "a in x", "=1", "!a=1", "a=1 b=2", "a=(", "a in (x", "!"])
def test_what_is_no_label_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="no label selector"):
        parse_labels(selector)
