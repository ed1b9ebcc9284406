"""What people see when something is wrong."""

from __future__ import annotations

from sluice.core import codes
from sluice.core.problem import MAX_TEXT, Origin, Problem, clip, printable, summarize
from tests.plans import rid


def test_a_problem_is_one_line_that_names_code_object_place_cause_and_fix() -> None:
    problem = Problem(
        codes.UNKNOWN_FIELD,
        "unknown field spec.replica",
        rid("Deployment", "web"),
        Origin("apps/web.yaml", 12, 3, commit="a1b2c3d4e5"),
        cause="its schema has no such field",
        fix='did you mean "replicas"?',
    )
    assert str(problem) == (
        "unknown field spec.replica [E204] Deployment shop/web at apps/web.yaml:12:3@a1b2c3d: "
        'its schema has no such field; fix: did you mean "replicas"?'
    )


def test_an_origin_says_only_what_is_known() -> None:
    assert str(Origin("a.yaml")) == "a.yaml"
    assert str(Origin("a.yaml", 3)) == "a.yaml:3"
    assert str(Origin("a", commit="0123456789", renderer="kustomization apps")) == "a@0123456 (from kustomization apps)"


def test_hostile_text_cannot_rewrite_a_terminal_line() -> None:
    assert printable("a\x1b[31mb\r\nc\u202ed") == "a\\x1b[31mb\\r\\nc\\u202ed"
    assert "\x1b" not in str(Problem(codes.BAD_NAME, "name \x1b[2J", origin=Origin("\x1b.yaml")))


def test_a_problem_is_never_longer_than_its_limit() -> None:
    assert len(str(Problem(codes.BAD_NAME, "x" * 5000, cause="y" * 5000))) == MAX_TEXT
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "ab…"


def test_several_problems_are_counted_and_listed_a_line_each() -> None:
    problems = tuple(Problem(codes.BAD_NAME, f"name {n}") for n in range(3))
    assert summarize(problems) == "3 problems:\n- name 0 [E217]\n- name 1 [E217]\n- name 2 [E217]"
    assert summarize(problems[:1]) == "name 0 [E217]"


def test_more_problems_than_fit_are_counted_not_dropped_in_silence() -> None:
    text = summarize(tuple(Problem(codes.BAD_NAME, f"name {n} " + "x" * 80) for n in range(500)))
    assert len(text) <= 8192
    listed = text.count("\n- name")
    assert text.endswith(f"\n- and {500 - listed} more")


def test_every_code_has_a_number_of_its_own_and_a_sentence() -> None:
    numbers = [code.number for code in codes.CODES]
    names = [code.name for code in codes.CODES]
    assert len(set(numbers)) == len(numbers)
    assert len(set(names)) == len(names)
    assert all(code.about for code in codes.CODES)
