"""When what is known of a tag is looked at again: fluxd's rule.

All times are seconds. A tag is first looked at again after an hour; if its digest is the same, after twice the time it
took last, if not, after half of it, between 5 minutes and 7 days. A tag that has no image for the platform waits a day.
"""

from __future__ import annotations

FIRST = 3600.0
SHORTEST = 5 * 60.0
LONGEST = 7 * 24 * 3600.0
EXCLUDED = 24 * 3600.0


def next_refresh(interval: float | None, *, changed: bool, excluded: bool = False) -> float:
    """The pause until the next look. `interval` is the one that ended now; None at the first look.

    >>> next_refresh(None, changed=True), next_refresh(3600, changed=False), next_refresh(3600, changed=True)
    (3600.0, 7200.0, 1800.0)
    """
    if excluded:
        return EXCLUDED
    if interval is None:
        return FIRST
    return min(max(interval / 2 if changed else interval * 2, SHORTEST), LONGEST)
