"""Service: a load balancer waits for its cluster address; every other type is ready as soon as it exists."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, current, in_progress, text


def assess_service(obj: Object) -> Health:
    """Judge a Service as kstatus does: the cloud's own address is not waited for."""
    if text(obj, "spec", "type") == "LoadBalancer" and not text(obj, "spec", "clusterIP"):
        return in_progress("ClusterIP not set. Service type: LoadBalancer")
    return current("Service is ready")
