"""Pod: ready or completed; failed when it crash-loops, or can't be scheduled for longer than the scheduler may need."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sluice.core.health.verdict import (
    Health,
    HealthStatus,
    Object,
    condition,
    current,
    failed,
    in_progress,
    items,
    text,
)

SCHEDULE_WINDOW = timedelta(seconds=15)


def assess_pod(obj: Object, now: datetime | None) -> Health:
    """Judge a Pod at `now`; without a time an unschedulable Pod is still given its chance."""
    phase = text(obj, "status", "phase")
    if phase == "Succeeded":
        return current("Pod has completed successfully")
    if phase == "Failed":
        # Over either way: kstatus calls it current, since nothing more will come.
        return current("Pod has completed, but not successfully")
    if phase == "Running":
        return _assess_running(obj)
    if phase == "Pending":
        return _assess_pending(obj, now)
    if not phase:
        return in_progress("Pod phase not available")
    return Health(HealthStatus.UNKNOWN, f"unknown phase {phase}")


def _assess_running(obj: Object) -> Health:
    if condition(obj, "Ready").status == "True":
        return current("Pod is Ready")
    looping = [
        text(status, "name")
        for status in items(obj, "status", "containerStatuses")
        if text(status, "state", "waiting", "reason") == "CrashLoopBackOff"
    ]
    if looping:
        return failed(f"Containers in CrashLoop state: {','.join(looping)}")
    return in_progress("Pod is running but is not Ready")


def _assess_pending(obj: Object, now: datetime | None) -> Health:
    scheduled = condition(obj, "PodScheduled")
    if scheduled.status != "False" or scheduled.reason != "Unschedulable":
        return in_progress("Pod is in the Pending phase")
    created = _parse_time(text(obj, "metadata", "creationTimestamp"))
    if now is None or created is None or now - created < SCHEDULE_WINDOW:
        return in_progress("Pod has not been scheduled")
    return failed("Pod could not be scheduled")


def _parse_time(value: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
