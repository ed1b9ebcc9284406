"""What can be said of any object: being deleted, generation seen, Reconciling, Stalled and Ready conditions."""

from __future__ import annotations

from sluice.core.health.verdict import (
    Health,
    HealthStatus,
    Object,
    condition,
    conditions,
    current,
    failed,
    in_progress,
    number,
    text,
)


def assess_common(obj: Object) -> Health | None:
    """The verdict that holds for every kind before its own rules are asked; None leaves it to them."""
    deletion = assess_deletion(obj)
    if deletion is not None:
        return deletion
    generation = number(obj, "metadata", "generation", default=-1)
    observed = number(obj, "status", "observedGeneration", default=generation)
    if generation >= 0 and observed != generation:
        kind = text(obj, "kind", default="object")
        return in_progress(f"{kind} generation is {generation}, but latest observed generation is {observed}")
    for entry in conditions(obj):
        if entry.type == "Reconciling" and entry.status == "True":
            return in_progress(entry.message)
        if entry.type == "Stalled" and entry.status == "True":
            return failed(entry.message)
    return None


def assess_deletion(obj: Object) -> Health | None:
    """The verdict on what is being deleted; None for what is not."""
    if text(obj, "metadata", "deletionTimestamp"):
        return Health(HealthStatus.TERMINATING, "Resource scheduled for deletion")
    return None


def assess_ready(obj: Object) -> Health:
    """The rule for kinds without one of their own: Ready when they have it, else current as soon as they exist."""
    ready = condition(obj, "Ready")
    if ready.status == "True":
        return current("Resource is Ready")
    if ready.status in {"False", "Unknown"}:
        return in_progress(ready.message or f"Resource is not Ready: {ready.reason}")
    return current("Resource is current")
