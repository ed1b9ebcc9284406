"""When something is tried again: intervals, jitter, timeouts and backoff, as Flux counts them.

All times are seconds. Chance arrives as an argument, a number from 0 up to 1, so that a schedule can be replayed.
"""

from __future__ import annotations

JITTER_PERCENT = 5.0
MIN_TIMEOUT = 30.0
TIMEOUT_MARGIN = 30.0
MIN_BACKOFF = 0.75
MAX_BACKOFF = 900.0


def next_interval(interval: float, chance: float, percent: float = JITTER_PERCENT) -> float:
    """Spread an interval evenly over ± `percent`, so that syncs made together do not stay together.

    >>> next_interval(100.0, 0.0), next_interval(100.0, 0.5)
    (95.0, 100.0)
    """
    return interval * (1 + (2 * chance - 1) * percent / 100)


def retry_interval(interval: float, retry: float | None) -> float:
    """The pause after a failed sync: `spec.retryInterval`, or the interval when that is unset."""
    return interval if retry is None else retry


def sync_timeout(interval: float, timeout: float | None, floor: float = MIN_TIMEOUT) -> float:
    """The time one sync may take: `spec.timeout`, or the interval less 30 s; never less than `floor`.

    Flux raises a shorter `spec.timeout` to the floor too, so a Kustomization means the same under both.
    """
    return max(floor, interval - TIMEOUT_MARGIN if timeout is None else timeout)


def backoff(failures: int, base: float = MIN_BACKOFF, limit: float = MAX_BACKOFF) -> float:
    """The pause after the n-th failure in a row: it doubles from `base` up to `limit`.

    >>> [backoff(n) for n in (1, 2, 3, 99)]
    [0.75, 1.5, 3.0, 900.0]
    """
    return min(limit, base * 2.0 ** min(max(failures - 1, 0), 64))
