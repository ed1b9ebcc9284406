"""PodDisruptionBudget: current once its controller has seen the latest generation, which the common rule checks."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, current


def assess_pdb(_: Object) -> Health:
    """Say that the budget is in force."""
    return current("AllowedDisruptions has been computed.")
