"""How the kind of an object that a write is about is served now."""

from __future__ import annotations

from sluice.core import codes
from sluice.core.errors import NotReady
from sluice.core.ids import ResourceId
from sluice.core.problem import Problem
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource


async def resource_of(
    discovery: Discovery, key: ResourceId, api_version: str, fix: str = "install its CRD first"
) -> Resource:
    """How the object's kind is served. Raises NotReady (UnknownKind) when it is not (any more)."""
    resource = await discovery.find(api_version, key.kind)
    if resource is None:
        raise NotReady(
            Problem(
                codes.UNKNOWN_KIND,
                f"kind {key.kind} ({api_version}) is not installed",
                subject=key,
                cause="the API server does not serve it",
                fix=fix,
            )
        )
    return resource
