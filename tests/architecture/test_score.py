"""The table of `make score` names tests that exist: a name that leads nowhere would keep all others from running."""

from __future__ import annotations

import re

import pytest

from tests.score import POINTS, ROOT, Point


@pytest.mark.parametrize("point", POINTS, ids=lambda point: str(point.number))
def test_what_shows_a_point_exists(point: Point) -> None:
    for test in point.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).exists(), test
        assert not name or re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), test


def test_the_points_are_those_of_the_table_and_what_is_worth_less_than_all_says_what_it_lacks() -> None:
    assert [point.number for point in POINTS] == list(range(1, 31))
    assert [point.number for point in POINTS if (point.worth < 2) != bool(point.lacks)] == []
    assert [point.number for point in POINTS if point.worth and not point.tests] == [18]  # measured by the table itself
