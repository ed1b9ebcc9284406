"""Expressions of users: read once, answered with yes or no, and never at a price that others would pay."""

from __future__ import annotations

import pytest

from sluice.core.cel import CelError, parse_cel, size_of

REQ = {"ref": "refs/heads/main", "commits": [{"files": ["a", "b"]}, {"files": []}], "n": 1}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("req.ref == 'refs/heads/main'", True),
        ("req.ref.endsWith('/dev')", False),
        ("req.ref.matches('^refs/heads/(main|release-.*)$')", True),
        ("req.commits.exists(c, c.files.exists(f, f == 'b'))", True),
        ("has(req.tag) && req.tag == 'x'", False),
        ("size(req.commits) == 2 && req.n == 1", True),
    ],
)
def test_an_expression_is_answered(text: str, answer: bool) -> None:
    assert parse_cel(text, "req").holds({"req": REQ}) is answer


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("req.ref ==", "Syntax error"),
        ("nobody == 1", "there is no variable nobody; it may use req"),
        ("", "Syntax error"),
        ("(" * 5000, "limit 2048"),
        ("'" + "x" * 3000 + "'", "limit 2048"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CelError, match=why):
        parse_cel(text, "req")


@pytest.mark.parametrize("text", ["req.absent == 1", "req.n", "1 / 0 == 1", "req.ref + 1 == 2", "req.ref.files.size()"])
def test_an_expression_without_an_answer_says_so(text: str) -> None:
    with pytest.raises(CelError):
        parse_cel(text, "req").holds({"req": REQ})


def test_the_price_of_nested_comprehensions_is_bounded_before_they_run() -> None:
    nested = "req.all(a, req.all(b, req.all(c, true)))"
    expression = parse_cel(nested, "req")
    assert expression.holds({"req": list(range(50))})
    with pytest.raises(CelError, match="too large"):
        expression.holds({"req": list(range(100_000))})
    assert parse_cel("req.all(a, a >= 0)", "req").holds({"req": list(range(100_000))})
    assert parse_cel("'req.all(a, .map(' != req.x", "req").comprehensions == 0


def test_the_size_of_a_value_counts_everything_in_it() -> None:
    assert size_of({"a": [1, 2], "b": {"c": None}}) == 6


def test_an_expression_may_make_a_text() -> None:
    assert parse_cel("req.ref + '!'", "req").text_for({"req": {"ref": "main"}}) == "main!"
    for text in ("1 + 1", "true", "req.absent"):
        with pytest.raises(CelError):
            parse_cel(text, "req").text_for({"req": {}})
