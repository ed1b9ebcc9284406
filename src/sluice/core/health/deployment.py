"""Deployment: rolled out when every replica is updated and available; failed when its progress deadline has passed."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, condition, current, failed, in_progress, number

_NO_DEADLINE = 2**31 - 1


def assess_deployment(obj: Object) -> Health:
    """Judge a Deployment whose latest generation its controller has seen."""
    progress = condition(obj, "Progressing")
    if progress.reason == "ProgressDeadlineExceeded":
        detail = f": {progress.message}" if progress.message else ""
        return failed(f"Progress deadline exceeded{detail}")
    waiting = _waiting_for_replicas(obj)
    if waiting:
        return in_progress(waiting)
    # Without a deadline the controller sets no Progressing condition at all.
    deadline = number(obj, "spec", "progressDeadlineSeconds", default=_NO_DEADLINE)
    rolled_out = progress.status == "True" and progress.reason == "NewReplicaSetAvailable"
    if deadline != _NO_DEADLINE and not rolled_out:
        return in_progress("ReplicaSet not Available")
    if condition(obj, "Available").status != "True":
        return in_progress("Deployment not Available")
    return current(f"Deployment is available. Replicas: {number(obj, 'status', 'replicas')}")


def _waiting_for_replicas(obj: Object) -> str:
    wanted = number(obj, "spec", "replicas", default=1)
    present = number(obj, "status", "replicas")
    updated = number(obj, "status", "updatedReplicas")
    available = number(obj, "status", "availableReplicas")
    ready = number(obj, "status", "readyReplicas")
    if wanted > present:
        return f"Replicas: {present}/{wanted}"
    if wanted > updated:
        return f"Updated: {updated}/{wanted}"
    if present > wanted:
        return f"Pending termination: {present - wanted}"
    if updated > available:
        return f"Available: {available}/{updated}"
    return f"Ready: {ready}/{wanted}" if wanted > ready else ""
