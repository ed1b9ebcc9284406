"""StatefulSet: it has no conditions, so only its counts and revisions tell; it can't be seen to fail."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, current, in_progress, number, text, value_at


def assess_statefulset(obj: Object) -> Health:
    """Judge a StatefulSet; with `OnDelete` a person does the rollout, so there is nothing to wait for."""
    if text(obj, "spec", "updateStrategy", "type") == "OnDelete":
        return current("StatefulSet is using the ondelete update strategy")
    wanted = number(obj, "spec", "replicas", default=1)
    present = number(obj, "status", "replicas")
    ready = number(obj, "status", "readyReplicas")
    if wanted > present:
        return in_progress(f"Replicas: {present}/{wanted}")
    if wanted > ready:
        return in_progress(f"Ready: {ready}/{wanted}")
    if present > wanted:
        return in_progress(f"Pending termination: {present - wanted}")
    if value_at(obj, "spec", "updateStrategy", "rollingUpdate", "partition") is not None:
        return _assess_partition(obj, wanted)
    now_at = number(obj, "status", "currentReplicas")
    if wanted > now_at:
        return in_progress(f"current: {now_at}/{wanted}")
    if text(obj, "status", "currentRevision") != text(obj, "status", "updateRevision"):
        return in_progress("Waiting for updated revision to match current")
    return current(f"All replicas scheduled as expected. Replicas: {present}")


def _assess_partition(obj: Object, wanted: int) -> Health:
    updated = number(obj, "status", "updatedReplicas")
    target = wanted - number(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    if updated < target:
        return in_progress(f"updated: {updated}/{target}")
    return current(f"Partition rollout complete. updated: {updated}")
