"""How fast a host is asked, on a clock of the test's own."""

from __future__ import annotations

import pytest

from sluice.core import codes
from sluice.registry.errors import RegistryError, retry_after
from sluice.registry.limiter import CALM_SECONDS, FLOOR, HostLimiter
from sluice.registry.limits import RegistryLimits


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_429_halves_the_rate_down_to_a_floor_and_calm_brings_it_back_slowly() -> None:
    time = Time()
    limiter = HostLimiter("reg", RegistryLimits(rate=40.0), time)
    limiter.cut()
    assert limiter.rate == 20.0
    time.now += CALM_SECONDS - 1
    limiter.grow()
    assert limiter.rate == 20.0
    time.now += 1
    limiter.grow()
    assert limiter.rate == 30.0
    limiter.grow()
    assert limiter.rate == 40.0
    for _ in range(20):
        limiter.cut()
    assert limiter.rate == FLOOR


async def test_a_host_that_asked_to_be_left_alone_is_not_asked_until_then() -> None:
    time = Time()
    limiter = HostLimiter("reg", RegistryLimits(), time)
    limiter.limited(60.0)
    with pytest.raises(RegistryError) as error:
        async with limiter.turn("tags of web"):
            raise AssertionError
    assert error.value.code is codes.REGISTRY_LIMITED
    assert error.value.retry_after == 60.0
    time.now += 60.0
    async with limiter.turn("tags of web"):
        pass


@pytest.mark.parametrize(
    ("header", "expected"),
    [("", None), ("7", 7.0), (" 7 ", 7.0), ("-1", None), ("1e9", None), ("99999999999", 86_400.0), ("soon", None),
     ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Wed, 21 Oct 2037 07:28:00 GMT", 86_400.0), ("²", None)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(header: str, expected: float | None) -> None:
    assert retry_after({"retry-after": header} if header else {}) == expected
