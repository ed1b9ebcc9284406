"""The resource of a planned change: how its kind is served now."""

from __future__ import annotations

from sluice.core import codes
from sluice.core.errors import NotReady
from sluice.core.plan import Change
from sluice.core.problem import Problem
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource


async def resource_of(discovery: Discovery, change: Change) -> Resource:
    """How the change's kind is served. Raises KindGone when it is not."""
    resource = await discovery.find(change.api_version, change.id.kind)
    if resource is None:
        raise KindGone(change)
    return resource


class KindGone(NotReady):
    """The kind is not served (any more)."""

    def __init__(self, change: Change) -> None:
        super().__init__(
            Problem(
                codes.UNKNOWN_KIND,
                f"kind {change.id.kind} ({change.api_version}) is not installed",
                subject=change.id,
                cause="the API server does not serve it",
                fix="install its CRD first",
            )
        )
