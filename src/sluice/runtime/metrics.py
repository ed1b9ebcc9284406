"""Metrics under Flux's names, so that dashboards made for it go on working; ours begin with `sluice_`."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

RECONCILE_SECONDS = Histogram(
    "gotk_reconcile_duration_seconds",
    "The duration in seconds of a reconciliation.",
    ("kind", "name", "namespace"),
    buckets=(0.01, 0.0384, 0.1473, 0.5652, 2.1689, 8.3232, 31.94, 122.57, 470.36, 1800.0),
)

NOTIFICATIONS = Counter(
    "sluice_notifications_total",
    "Notifications by type of provider and by what became of them: sent, grouped, retried, repeated, failed, dropped.",
    ("type", "result"),
)
