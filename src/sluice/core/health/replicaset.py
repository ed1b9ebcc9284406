"""ReplicaSet: all replicas labelled, available and ready, and none too many."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, condition, current, in_progress, number


def assess_replicaset(obj: Object) -> Health:
    """Judge a ReplicaSet; a replica that can't be made keeps it in progress, because its controller goes on trying."""
    if condition(obj, "ReplicaFailure").status == "True":
        return in_progress("Replica Failure condition. Check Pods")
    wanted = number(obj, "spec", "replicas", default=1)
    present = number(obj, "status", "replicas")
    for label, field in (
        ("Labelled", "fullyLabeledReplicas"),
        ("Available", "availableReplicas"),
        ("Ready", "readyReplicas"),
    ):
        count = number(obj, "status", field)
        if wanted > count:
            return in_progress(f"{label}: {count}/{wanted}")
    if present > wanted:
        return in_progress(f"Pending termination: {present - wanted}")
    return current(f"ReplicaSet is available. Replicas: {present}")
