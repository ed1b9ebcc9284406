"""CustomResourceDefinition: current when its kind is served; failed when its names collide with another's."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, condition, current, failed, in_progress


def assess_crd(obj: Object) -> Health:
    """Judge a CRD by NamesAccepted and Established."""
    names = condition(obj, "NamesAccepted")
    if names.status == "False":
        return failed(names.message or names.reason)
    established = condition(obj, "Established")
    if established.status == "True":
        return current("CRD is established")
    if established.status == "False" and established.reason != "Installing":
        return failed(established.message or established.reason)
    return in_progress("Install in progress")
