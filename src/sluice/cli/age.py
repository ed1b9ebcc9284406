"""Times as people read them in a table: how long ago."""

from __future__ import annotations

from datetime import UTC, datetime


def age(moment: str, now: datetime | None = None) -> str:
    """How long ago an RFC 3339 time was, in its largest unit; `-` for none.

    >>> age("2026-01-01T00:00:00Z", datetime(2026, 1, 3, 1, tzinfo=UTC))
    '2d'
    """
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return "-"
    seconds = int(((now or datetime.now(UTC)) - then).total_seconds())
    if seconds < 120:
        return f"{max(0, seconds)}s"
    if seconds < 7200:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 172800 else f"{seconds // 86400}d"
