"""PersistentVolumeClaim: current when it is bound."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, current, in_progress, text


def assess_pvc(obj: Object) -> Health:
    """Judge a claim by its phase."""
    phase = text(obj, "status", "phase", default="unknown")
    return current("PVC is Bound") if phase == "Bound" else in_progress(f"PVC is not Bound. phase: {phase}")
