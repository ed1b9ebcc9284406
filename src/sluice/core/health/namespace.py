"""Namespace: usable unless it is going."""

from __future__ import annotations

from sluice.core.health.verdict import Health, HealthStatus, Object, current, text


def assess_namespace(obj: Object) -> Health:
    """Judge a Namespace by its phase."""
    if text(obj, "status", "phase") == "Terminating":
        return Health(HealthStatus.TERMINATING, "Namespace is terminating")
    return current("Namespace is active")
