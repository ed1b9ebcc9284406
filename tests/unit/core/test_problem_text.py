"""Problems written into a message are read back from it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.problem import Origin, Problem, summarize
from sluice.core.problem_text import ToldProblem, read_problems, root_of

TITLES = st.text("abcdefgh ", min_size=1, max_size=30).map(str.strip).filter(bool)
TEXTS = st.text("abcdefgh .,'", max_size=30).map(str.strip)
PROBLEMS = st.builds(
    Problem,
    st.sampled_from(codes.CODES),
    TITLES,
    st.none()
    | st.just(ResourceId("apps", "Deployment", "shop", "web"))
    | st.just(ResourceId("", "Namespace", "", "Bad Name")),
    st.none() | st.builds(Origin, st.just("apps/web.yaml"), st.integers(0, 99), commit=st.just("a1b2c3d")),
    cause=TEXTS,
    fix=TEXTS,
)


@given(st.lists(PROBLEMS, min_size=1, max_size=5))
def test_a_summary_tells_every_part_of_every_problem(problems: list[Problem]) -> None:
    told = read_problems(summarize(tuple(problems)))
    assert told == tuple(
        ToldProblem(
            p.title,
            p.code.number,
            str(p.subject) if p.subject else "",
            str(p.origin) if p.origin else "",
            p.cause,
            p.fix,
        )
        for p in problems
    )


@given(st.lists(PROBLEMS, min_size=1, max_size=3))
def test_where_the_cluster_stands_after_an_undo_is_no_part_of_a_problem(problems: list[Problem]) -> None:
    text = summarize(tuple(problems))
    assert read_problems(f"{text}\nUndone: the cluster is as it was at main@sha1:1234") == read_problems(text)


def test_a_message_of_another_form_is_told_whole() -> None:
    assert read_problems("context deadline exceeded") == (ToldProblem("context deadline exceeded"),)
    assert read_problems("") == ()


@given(PROBLEMS.filter(lambda p: p.fix), PROBLEMS, PROBLEMS)
def test_a_problem_told_as_the_cause_of_others_is_their_root(a: Problem, b: Problem, root: Problem) -> None:
    middle = replace(b, cause=str(root), fix=b.fix or "b")
    [told] = read_problems(str(replace(a, cause=str(middle))))
    assert told.fix == a.fix
    found = root_of(told)
    assert (found.title, found.code, found.cause) == (root.title, root.code.number, root.cause)
    assert not root.fix or found.fix == root.fix
    assert not root.origin or found.where == str(root.origin)


def test_a_problem_with_a_plain_cause_is_its_own_root() -> None:
    [told] = read_problems("not valid YAML [E202] at w.yaml:1: a tab; fix: use spaces")
    assert root_of(told) == told
