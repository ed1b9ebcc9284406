"""The record of problems in a status says the same as Ready's message, within bounds, and counts only beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.api.problem_status import MAX_BYTES, MAX_PROBLEMS, MAX_WAITS, ProblemStatus, problem_status, told_problems
from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.problem import Origin, Problem, summarize
from sluice.core.problem_text import ToldProblem, read_problems

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
TITLES = st.text("abcdefgh ", min_size=1, max_size=30).map(str.strip).filter(bool)
PROBLEMS = st.builds(
    Problem,
    st.sampled_from(codes.CODES),
    TITLES,
    st.none() | st.just(ResourceId("apps", "Deployment", "shop", "web")),
    st.none()
    | st.builds(Origin, st.just("apps/web.yaml"), st.integers(0, 99), commit=st.sampled_from(["", "a1b2c3d4" * 5])),
    cause=st.text("abcdefgh .,'", max_size=30).map(str.strip),
    fix=st.text("abcdefgh .,'", max_size=30).map(str.strip),
)
BAD = Problem(
    codes.UNKNOWN_FIELD,
    "unknown field replica",
    ResourceId("apps", "Deployment", "shop", "web"),
    Origin("w.yaml", 3, 5, commit="a1b2c3d4" * 5),
    cause="no such field",
    fix="replicas",
)


def as_served(record: tuple[ProblemStatus, ...] | None) -> dict[str, Any]:
    """The status as the API server sends it."""
    return {"problem": msgspec.to_builtins(record)}


@settings(deadline=None)
@given(st.lists(PROBLEMS, min_size=1, max_size=5))
def test_a_record_tells_what_the_message_tells(problems: list[Problem]) -> None:
    message = summarize(tuple(problems))
    told = told_problems(as_served(problem_status(problems, (), NOW)), message)
    assert tuple(replace(each, since="", waits=()) for each in told) == read_problems(message)
    assert {each.since for each in told} == {NOW}


def test_every_part_has_a_field_of_its_own() -> None:
    [told] = problem_status([BAD], (), NOW, ("shop/api",)) or ()
    assert msgspec.to_builtins(told) == {
        "code": "E204",
        "title": "unknown field replica",
        "object": {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"},
        "file": "w.yaml",
        "line": 3,
        "column": 5,
        "commit": "a1b2c3d4" * 5,
        "cause": "no such field",
        "fix": "replicas",
        "since": NOW,
        "waits": ("shop/api",),
    }


def test_since_is_when_a_problem_was_first_told_whatever_else_is_told_later() -> None:
    first = problem_status([BAD], (), NOW)
    assert first is not None
    again = problem_status([replace(BAD, title="another"), replace(BAD, cause="now known")], first, LATER)
    assert [each.since for each in again or ()] == [LATER, NOW]


@settings(deadline=None)
@given(st.lists(PROBLEMS, max_size=60), st.integers(0, 5000))
def test_a_record_is_bounded_and_says_how_many_it_leaves_out(problems: list[Problem], length: int) -> None:
    problems = [replace(problem, cause="x" * length) for problem in problems]
    record = problem_status(problems, (), NOW, tuple(f"ns/{number}" for number in range(100)))
    if not problems:
        assert record is None
        return
    assert record is not None
    assert len(record) <= MAX_PROBLEMS
    assert sum(len(msgspec.json.encode(each)) for each in record) <= MAX_BYTES
    assert len(record[0].waits) == MAX_WAITS
    told = told_problems(as_served(record), summarize(tuple(problems)))
    if len(problems) > len(record):
        assert told[-1] == ToldProblem(f"and {len(problems) - len(record)} more")


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (None, "the words of another controller"),
        ([{"code": "E204", "title": "old"}], "the words of another controller"),
        ([{"code": "E204", "title": "old"}], "new [E301]"),
        ("no list", "new [E301]"),
        ([{"code": 7}], "new [E301]"),
        ([], "new [E301]"),
    ],
)
def test_a_record_that_is_not_of_this_message_is_passed_over(problem: Any, message: str) -> None:
    assert told_problems({"problem": problem}, message) == read_problems(message)


def test_control_characters_do_not_reach_a_terminal() -> None:
    [told] = problem_status([replace(BAD, title="a\x1b[31mb", cause="c\nd")], (), NOW) or ()
    assert (told.title, told.cause) == ("a\\x1b[31mb", "c\\nd")
