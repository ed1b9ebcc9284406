"""fluxd's versions and ranges: the verdicts were taken from Masterminds/semver 1.4.2 itself."""

from __future__ import annotations

import pytest

from sluice.core.fluxd_semver import fluxd_key, parse_fluxd_range, parse_fluxd_version
from sluice.core.semver_range import RangeError, parse_range


@pytest.mark.parametrize(
    ("text", "allowed", "refused"),
    [
        ("1.2.3", ["1.2.3", "v1.2.3", "1.2.3+b"], ["1.2.4", "1.2.3-rc.1"]),
        ("1.2", ["1.2", "1.2.0"], ["1.2.1"]),
        ("=1.2", ["1.2.0"], ["1.2.9"]),
        ("1", ["1.0", "1.9.9"], ["2.0.0", "1.0.0-rc.1"]),
        ("1.2.x", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("*", ["0.0.0", "9.9.9"], ["1.0.0-rc.1"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("~>1", ["1.9.0"], ["2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.9.0"], ["1.0.0", "0.2.2"]),
        (">0", ["0.0.1", "1.0.0-rc.1"], ["0.0.0"]),
        (">=0.0.0", ["0.0.0-rc.1", "1.0.0"], []),
        (">=1.0.0", ["1.0.0"], ["1.0.0-rc.1", "2.0.0-rc.1"]),
        (">=1.0.0-0", ["1.0.0-alpha", "2.0.0-rc.1"], ["0.9.0"]),
        ("<2.x", ["1.9.0", "2.5.0"], ["3.0.0"]),
        ("<2.1.x", ["2.1.9"], ["1.5.0", "2.2.0"]),
        ("<=1.2", ["1.2.0"], ["1.2.1"]),
        ("!=1.x", ["2.0.0"], ["1.5.0", "2.0.0-rc.1"]),
        ("!=1.2.3", ["1.2.4", "1.2.3-rc.1"], ["1.2.3"]),
        (">=1.0, <2.0", ["1.5.0"], ["2.0.0"]),
        ("1.0 - 1.5 || 2.0.0", ["1.5.0", "2.0.0"], ["1.5.1", "2.0.1"]),
        ("1.0 - 2.0, !=1.5.0", ["1.4.0"], ["1.5.0"]),
        (">1.x", ["1.0.1"], ["1.0.0"]),
    ],
)
def test_a_range_allows_what_fluxd_allowed(text: str, allowed: list[str], refused: list[str]) -> None:
    parsed = parse_fluxd_range(text)
    verdicts = {t: parsed.allows(v) for t in allowed + refused if (v := parse_fluxd_version(t)) is not None}
    assert verdicts == dict.fromkeys(allowed, True) | dict.fromkeys(refused, False)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        (">=y", 1),
        (">=1.0 <2.0", 1),
        ("1.0, latest", 5),
        ("1 ||", 1),
        ("1x", 1),
        ("1.2.3.4", 1),
        ("1" * 600, 513),
        ("||".join(["1"] * 40), 118),
    ],
)
def test_a_range_that_fluxd_could_not_read_is_an_error_with_a_place(text: str, position: int) -> None:
    with pytest.raises(RangeError) as caught:
        parse_fluxd_range(text)
    assert caught.value.position == position


def test_a_space_joins_terms_for_flux_v2_only() -> None:
    assert parse_range(">=1.0 <2.0").text == ">=1.0 <2.0"
    with pytest.raises(RangeError):
        parse_fluxd_range(">=1.0 <2.0")


@pytest.mark.parametrize("text", ["", "v", "latest", "1.2.3.4", "1.2.3-", "9223372036854775808", "1" * 300])
def test_a_tag_that_is_no_version_to_fluxd_is_passed_over(text: str) -> None:
    assert parse_fluxd_version(text) is None


def test_pre_releases_are_ordered_with_negative_numbers_first() -> None:
    order = ["1.0.0--5", "1.0.0-0", "1.0.0-9", "1.0.0-10", "1.0.0-10.a", "1.0.0-a", "1.0.0-b", "1.0.0"]
    versions = [version for text in order if (version := parse_fluxd_version(text)) is not None]
    assert [version.text for version in sorted(versions, key=fluxd_key)] == order
