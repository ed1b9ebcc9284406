"""When an image's tags are listed again: at once for a reason that people are told, or when the interval is over.

The reasons are Flux's (image-reflector-controller), word for word, so that its users' filters of logs keep matching;
the one about build times is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.core.timestamp import rfc3339

MIN_PAUSE = 1.0
QUIET = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a scan is to find: the image's canonical name, the tags to leave out, and the request that asks for it.

    `described` names the choices for which more of a tag must be known than its name.
    """

    image: str
    exclusions: tuple[str, ...]
    request: str = ""
    described: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scanned:
    """The last scan: when it was, what it looked for, and whether its tags are still known."""

    wanted: Wanted
    at: datetime
    kept: bool


@dataclass(frozen=True, slots=True)
class Due:
    """`reason` is why to scan now; without one the next scan is due in `wait` seconds."""

    reason: str
    wait: float


def due(wanted: Wanted, last: Scanned | None, interval: float, now: datetime) -> Due:
    """Decide. A clock that went back (a last scan in the future) makes a scan due, rather than one never.

    >>> due(Wanted("docker.io/library/web", ()), None, 60.0, datetime(2026, 1, 1)).reason
    'first scan'
    """
    if last is None:
        return Due("first scan", 0.0)
    if wanted.request != last.wanted.request and wanted.request:
        return Due("reconcile requested", 0.0)
    if wanted.image != last.wanted.image:
        return Due("new image name", 0.0)
    if frozenset(wanted.exclusions) != frozenset(last.wanted.exclusions):
        return Due("updated exclusion list", 0.0)
    if not wanted.described <= last.wanted.described:
        return Due("new policy by build time", 0.0)
    if not last.kept:
        return Due("no tags in database", 0.0)
    wait = interval - (now - last.at) / timedelta(seconds=1)
    if wait < MIN_PAUSE or wait > interval:
        return Due("triggered by interval", 0.0)
    return Due("", wait)


def shown_time(shown: str, now: datetime, *, changed: bool) -> str:
    """The time to show for something that was done again: the old one when nothing changed and it is not old.

    So a look that found nothing new is not a write to the API server, and what is shown is at most QUIET too old.

    >>> from datetime import UTC
    >>> shown_time("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 5, tzinfo=UTC), changed=False)
    '2026-01-02T03:04:05Z'
    """
    try:
        age = now - datetime.fromisoformat(shown)
    except (ValueError, TypeError):
        return rfc3339(now)
    return shown if not changed and timedelta(0) <= age < QUIET else rfc3339(now)
