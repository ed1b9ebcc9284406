"""Two writers who fight over a value are stopped after three changes; whoever moves on never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.codes import FLIPPED
from sluice.core.image_update.flip import FLIPS, Flips, flip_problem
from sluice.core.image_update.result import FileObject, ImageChange


def play(*turns: tuple[str, str]) -> Flips:
    """Writes of (writer, value) one after the other, on what was there; a writer of no name is only seen."""
    flips, there = Flips(), "0"
    for writer, value in turns:
        flips = flips.wrote(there, value, writer) if writer else flips.seen(value)
        there = value
    return flips


@pytest.mark.parametrize(
    ("turns", "wanted", "held"),
    [
        ((), "1", False),
        ((("a", "1"),), "0", False),
        ((("a", "1"), ("b", "0")), "1", False),
        ((("a", "1"), ("b", "0"), ("a", "1")), "0", True),
        ((("a", "1"), ("b", "0"), ("a", "1")), "2", False),
        ((("a", "1"), ("", "0"), ("a", "1"), ("", "0")), "1", True),
        ((("a", "1"), ("", "0"), ("a", "1"), ("", "2")), "1", False),
        ((("a", "1"), ("b", "0"), ("a", "2"), ("b", "0")), "1", False),
        ((("a", "1"), ("b", "0"), ("a", "1")), "1", False),
    ],
)
def test_the_fourth_change_between_two_values_is_held(
    turns: tuple[tuple[str, str], ...], wanted: str, held: bool
) -> None:
    assert play(*turns).is_held(wanted) is held


@given(st.integers(4, 40))
def test_two_writers_who_each_insist_make_three_changes_between_them(rounds: int) -> None:
    flips, there, changes = Flips(), "0", 0
    for n in range(rounds):
        writer, wanted = ("a", "1") if n % 2 == 0 else ("b", "0")
        if wanted != there and not flips.seen(there).is_held(wanted):
            flips, there, changes = flips.wrote(there, wanted, writer), wanted, changes + 1
    assert changes == FLIPS


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_a_value_that_was_not_there_lately_is_never_held(values: list[int]) -> None:
    flips = play(*(("a", str(value)) for value in values))
    assert not flips.is_held("new")
    assert len(flips.turns) <= FLIPS + 1


def test_both_values_and_both_writers_are_named_printably() -> None:
    change = ImageChange("apps/web.yaml", 7, FileObject("v1", "Pod", "shop", "web"), "main", "p", "web:2", "web:1")
    problem = flip_problem(change, "ImageUpdateAutomation/a", "Eve \x1b[2J <e@x>", "c" * 40)
    assert problem.code is FLIPPED
    assert "web:1 and web:2" in problem.title
    assert problem.cause.startswith("ImageUpdateAutomation/a and Eve \\x1b[2J <e@x> ")
    assert str(problem.origin).startswith("apps/web.yaml:7")
    assert "somebody else" in flip_problem(change, "a", "", "").cause
