"""Go durations are read and written as Go does."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("1ms", 0.001),
        ("500ms", 0.5),
        ("30s", 30),
        ("1h30m", 5400),
        ("1h0m0.5s", 3600.5),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("5.s", 5),
        ("-5m", -300),
        ("+5m", 300),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("2μs", 2e-6),
        ("7ns", 7e-9),
        ("10m10m", 1200),
        ("2540400h10m10.000000000s", 9145440610),
    ],
)
def test_every_form_that_go_reads_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    ["", "-", "s", "1", "1d", "1w", "5 m", "1h 30m", "1e3s", ".s", "1.2.3s", "١s", "1S", "--1s", "3000000h", "1h-1m"],
)
def test_what_go_refuses_is_refused_and_the_accepted_forms_are_told(text: str) -> None:
    with pytest.raises(ValueError, match="1h30m, 10m, 30s or 500ms"):
        parse_duration(text)


def test_days_are_answered_with_how_to_write_them_in_hours() -> None:
    with pytest.raises(ValueError, match="24h"):
        parse_duration("1d")


@pytest.mark.parametrize("text", ["1s" * 32_768, "9" * 65_536 + "h", "1" * 65_536, "." * 65_536])
def test_64_kilobytes_of_text_are_refused_at_once(text: str) -> None:
    before = time.thread_time()
    with pytest.raises(ValueError, match="64 characters"):
        parse_duration(text)
    assert time.thread_time() - before < 1.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1e-9, "1ns"),
        (1.5e-6, "1.5µs"),
        (0.0015, "1.5ms"),
        (0.5, "500ms"),
        (1, "1s"),
        (90.5, "1m30.5s"),
        (60, "1m0s"),
        (3600, "1h0m0s"),
        (86400 * 2 + 1, "48h0m1s"),
        (-5, "-5s"),
    ],
)
def test_durations_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_what_is_written_reads_back_to_the_nanosecond(nanoseconds: int) -> None:
    assert round(parse_duration(format_duration(nanoseconds / 1e9)) * 1e9) == nanoseconds


@given(st.from_regex(r"\A([0-9]{1,3}(\.[0-9]{1,6})?(ms|s|m|h)){1,4}\Z"))
def test_whatever_the_crds_pattern_accepts_is_read(text: str) -> None:
    assert parse_duration(text) >= 0


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) is not None
