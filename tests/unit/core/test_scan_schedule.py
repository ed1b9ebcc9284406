"""Tags are listed again at once for a reason that can be told, and otherwise when the interval is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.scan_schedule import Scanned, Wanted, due

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WANTED = Wanted("ghcr.io/org/app", (r"^.*\.sig$",), "one")
LAST = Scanned(WANTED, NOW - timedelta(seconds=20), kept=True)


@pytest.mark.parametrize(
    ("wanted", "last", "reason"),
    [
        (WANTED, None, "first scan"),
        (replace(WANTED, request="two"), LAST, "reconcile requested"),
        (replace(WANTED, request=""), LAST, ""),
        (replace(WANTED, image="ghcr.io/org/web"), LAST, "new image name"),
        (replace(WANTED, exclusions=()), LAST, "updated exclusion list"),
        (replace(WANTED, exclusions=WANTED.exclusions * 2), LAST, ""),
        (replace(WANTED, described=frozenset({"a"})), LAST, "new policy by build time"),
        (WANTED, replace(LAST, wanted=replace(WANTED, described=frozenset({"a"}))), ""),
        (WANTED, replace(LAST, kept=False), "no tags in database"),
        (WANTED, replace(LAST, at=NOW - timedelta(seconds=60)), "triggered by interval"),
        (WANTED, replace(LAST, at=NOW - timedelta(seconds=59.5)), "triggered by interval"),
        (WANTED, replace(LAST, at=NOW + timedelta(hours=1)), "triggered by interval"),
        (WANTED, LAST, ""),
    ],
)
def test_a_scan_has_one_of_the_reasons_that_flux_gives(wanted: Wanted, last: Scanned | None, reason: str) -> None:
    assert due(wanted, last, 60.0, NOW).reason == reason


@given(st.floats(0, 1e6), st.floats(1, 1e6))
def test_without_a_reason_the_next_scan_is_when_the_interval_is_over(age: float, interval: float) -> None:
    decided = due(WANTED, replace(LAST, at=NOW - timedelta(seconds=age)), interval, NOW)
    if decided.reason:
        assert interval - age < 1.001
    else:
        assert decided.wait == pytest.approx(interval - age, abs=1e-3)
        assert 0 < decided.wait <= interval
