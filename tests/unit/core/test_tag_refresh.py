"""When a tag is looked at again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.tag_refresh import EXCLUDED, FIRST, LONGEST, SHORTEST, next_refresh


def test_an_unchanging_tag_is_looked_at_less_and_less_often_up_to_a_week() -> None:
    pauses = [next_refresh(None, changed=True)]
    for _ in range(10):
        pauses.append(next_refresh(pauses[-1], changed=False))
    assert [pause / 3600 for pause in pauses] == [1, 2, 4, 8, 16, 32, 64, 128, 168, 168, 168]


def test_a_tag_that_keeps_changing_is_looked_at_more_often_down_to_five_minutes() -> None:
    pauses = [FIRST]
    for _ in range(6):
        pauses.append(next_refresh(pauses[-1], changed=True))
    assert [pause / 60 for pause in pauses] == [60, 30, 15, 7.5, 5, 5, 5]


@given(st.none() | st.floats(0, 1e9), st.booleans(), st.booleans())
def test_every_pause_is_between_five_minutes_and_a_week(interval: float | None, changed: bool, excluded: bool) -> None:
    pause = next_refresh(interval, changed=changed, excluded=excluded)
    assert SHORTEST <= pause <= LONGEST
    assert not excluded or pause == EXCLUDED
