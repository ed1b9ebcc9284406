"""A moment as Kubernetes and image registries write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def rfc3339(moment: datetime) -> str:
    """Whole seconds, UTC. `moment` has a time zone.

    >>> rfc3339(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> datetime | None:
    """Read a moment with its time zone (RFC 3339), in UTC; None when it is none.

    What is finer than a microsecond is cut: Go writes nanoseconds, and Python has no room for them.

    >>> parse_rfc3339("2026-01-02T03:04:05.123456789+01:00")
    datetime.datetime(2026, 1, 2, 2, 4, 5, 123456, tzinfo=datetime.timezone.utc)
    """
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    digits = (fraction or "0")[:6].ljust(6, "0")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}.{digits}{'+00:00' if zone in 'Zz' else zone}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
