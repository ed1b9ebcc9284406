"""Moments as registries write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.timestamp import parse_rfc3339, rfc3339

EARLIEST, LATEST = datetime(1000, 1, 2), datetime(9998, 1, 1)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05.1z", datetime(2026, 1, 2, 3, 4, 5, 100_000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.000000001Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789+02:00", datetime(2026, 1, 2, 1, 4, 5, 123_456, tzinfo=UTC)),
        ("2026-01-02 03:04:05-01:30", datetime(2026, 1, 2, 4, 34, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", None),
        ("2038-01-19T03:14:08Z", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", None),  # a leap second
        ("2026-13-02T03:04:05Z", None),
        ("2026-01-02T25:04:05Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("2026-01-02T03:04:05+99:00", None),
        ("٢٠٢٦-01-02T03:04:05Z", None),
        ("2026-01-02", None),
        ("", None),
    ],
)
def test_a_moment_needs_a_zone_and_is_read_in_utc(text: str, expected: datetime | None) -> None:
    assert parse_rfc3339(text) == expected


@given(st.datetimes(EARLIEST, LATEST), st.integers(-23 * 60, 23 * 60))
def test_what_is_written_is_read_back(moment: datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_rfc3339(zoned.isoformat()) == zoned
    assert parse_rfc3339(rfc3339(zoned)) == zoned.replace(microsecond=0)


@given(st.text(max_size=40))
def test_no_text_is_a_crash(text: str) -> None:
    parse_rfc3339(text)
