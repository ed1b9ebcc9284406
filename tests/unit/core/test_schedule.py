"""Intervals, jitter, timeouts and backoff."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.schedule import backoff, next_interval, retry_interval, sync_timeout

seconds = st.floats(min_value=1, max_value=1e7)
chance = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(seconds, chance)
def test_jitter_stays_within_five_percent(interval: float, number: float) -> None:
    assert interval * 0.95 - 1e-6 <= next_interval(interval, number) <= interval * 1.05 + 1e-6


@given(seconds, chance)
def test_no_jitter_is_the_interval_itself(interval: float, number: float) -> None:
    assert next_interval(interval, number, percent=0) == interval


def test_a_failed_sync_is_tried_again_after_its_retry_interval_or_else_its_interval() -> None:
    assert retry_interval(600, 30) == 30
    assert retry_interval(600, None) == 600


@pytest.mark.parametrize(
    ("interval", "timeout", "expected"),
    [(600, None, 570), (40, None, 30), (600, 120, 120), (600, 5, 30), (60, 3600, 3600)],
)
def test_the_timeout_is_the_specs_or_interval_less_thirty_seconds_and_never_below_thirty(
    interval: float, timeout: float | None, expected: float
) -> None:
    assert sync_timeout(interval, timeout) == expected


@given(st.integers(min_value=-5, max_value=10**9))
def test_backoff_grows_from_750_milliseconds_to_15_minutes(failures: int) -> None:
    assert 0.75 <= backoff(failures) <= backoff(failures + 1) <= 900


def test_backoff_doubles() -> None:
    assert [backoff(n) for n in range(1, 5)] == [0.75, 1.5, 3.0, 6.0]
