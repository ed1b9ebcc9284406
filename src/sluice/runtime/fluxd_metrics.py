"""fluxd's own series, in flag mode only: alerts made for it go on working. Import it only there: that registers them.

Names and buckets are fluxd's. Of its others there is nothing to tell: no memcached, no upstream.
"""

from __future__ import annotations

from typing import Literal

from prometheus_client import Gauge, Histogram

SYNC_SECONDS = Histogram(
    "flux_daemon_sync_duration_seconds",
    "The duration of a sync, in seconds.",
    ("success",),
    buckets=(0.5, 5, 10, 20, 30, 40, 50, 60, 75, 90, 120, 240),
)
SYNC_MANIFESTS = Gauge(
    "flux_daemon_sync_manifests", "Manifests that the last sync of each path applied, and that failed.", ("success",)
)
GIT_READY = Gauge("flux_git_ready", "1 when the repository can be read, else 0.")
CLIENT_SECONDS = Histogram(
    "flux_client_fetch_duration_seconds",
    "Time spent asking registries: for a list of tags, or for what tags stand for.",
    ("kind", "success"),
)
REGISTRY_SECONDS = Histogram(
    "flux_registry_fetch_duration_seconds", "Time spent reading what is known of a repository's tags.", ("success",)
)


def scanned(kind: Literal["tags", "metadata", "cache"], seconds: float, succeeded: bool) -> None:
    """One step of a scan has ended: the list of tags, their descriptions, or the reading of what is known."""
    if kind == "cache":
        REGISTRY_SECONDS.labels(_text(succeeded)).observe(seconds)
    else:
        CLIENT_SECONDS.labels(kind, _text(succeeded)).observe(seconds)


def _text(succeeded: bool) -> str:
    return "true" if succeeded else "false"


class FluxdMetrics:
    """What syncs of the flags' paths came to; `manifests` counts of all paths are added up."""

    def __init__(self) -> None:
        self._applied: dict[str, int] = {}
        self._failed: dict[str, int] = {}
        GIT_READY.set(0)

    def synced(self, path: str, seconds: float, applied: int, failed: int, *, succeeded: bool) -> None:
        """One sync of one path has ended, with so many objects applied and not applied."""
        SYNC_SECONDS.labels("true" if succeeded else "false").observe(seconds)
        self._applied[path], self._failed[path] = applied, failed
        SYNC_MANIFESTS.labels("true").set(sum(self._applied.values()))
        SYNC_MANIFESTS.labels("false").set(sum(self._failed.values()))

    def fetched(self, *, succeeded: bool) -> None:
        """The repository was looked at."""
        GIT_READY.set(succeeded)
