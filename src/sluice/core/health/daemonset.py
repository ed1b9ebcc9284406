"""DaemonSet: rolled out when each node that should run it runs the updated pod, available."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, current, in_progress, number, value_at


def assess_daemonset(obj: Object) -> Health:
    """Judge a DaemonSet; one whose status was never written counts as not yet seen by its controller."""
    if value_at(obj, "metadata", "generation") is None:
        return in_progress("DaemonSet metadata.generation not found")
    if value_at(obj, "status", "observedGeneration") is None:
        return in_progress("DaemonSet status.observedGeneration not found")
    wanted = number(obj, "status", "desiredNumberScheduled", default=-1)
    if wanted == -1:
        return in_progress("Missing .status.desiredNumberScheduled")
    for label, field in (
        ("Current", "currentNumberScheduled"),
        ("Updated", "updatedNumberScheduled"),
        ("Available", "numberAvailable"),
        ("Ready", "numberReady"),
    ):
        count = number(obj, "status", field)
        if wanted > count:
            return in_progress(f"{label}: {count}/{wanted}")
    return current(f"All replicas scheduled as expected. Replicas: {wanted}")
