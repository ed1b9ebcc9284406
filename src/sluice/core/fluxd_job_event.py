"""What fluxd's upstream is told of a commit that a job or the automation made, and of its release. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.core.fluxd_event import FluxdEvent, Span, autorelease_event, commit_event, release_event
from sluice.core.image_update.request import WorkloadResult
from sluice.core.update_spec import ImageSpec, UpdateSpec
from sluice.core.update_wire import result_fields, update_spec_fields

# What a sync event says that its commits are; a policy's change has no event of its own, as with fluxd.
KINDS = {"image": "release", "containers": "release", "auto": "autorelease", "policy": "update_policy"}


@dataclass(frozen=True, slots=True)
class PushedUpdate:
    """An update whose commit is in git: what was asked for, and what became of each workload."""

    commit: str
    spec: UpdateSpec
    result: Mapping[str, WorkloadResult]

    @property
    def included_as(self) -> str:
        """How a sync event names a commit of its kind."""
        return KINDS.get(self.spec.kind, "other")


def pushed_event(update: PushedUpdate, span: Span) -> FluxdEvent:
    """The commit was made."""
    return commit_event(update.commit, update_spec_fields(update.spec), result_fields(update.result), span)


def released_event(update: PushedUpdate, span: Span) -> FluxdEvent | None:
    """The commit was synced, and its images with it; None for one that releases none."""
    fields, result = update_spec_fields(update.spec), result_fields(update.result)
    match update.included_as:
        case "autorelease":
            return autorelease_event(update.commit, fields["spec"]["Changes"], result, span)
        case "release":
            return release_event(
                update.commit, _release_spec(update.spec, fields["spec"]), fields["cause"], result, span
            )
    return None


def _release_spec(spec: UpdateSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
    by_image = isinstance(spec.spec, ImageSpec)
    return {
        "Type": "releaseImageSpecType" if by_image else "releaseContainersSpecType",
        "ReleaseImageSpec": dict(fields) if by_image else None,
        "ReleaseContainersSpec": None if by_image else dict(fields),
    }
