"""The events that fluxd posts to its upstream (`/v6/events`), with its names of fields: what fluxcloud reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from sluice.core.ids import ResourceId
from sluice.core.problem import Problem, clip

EventType: TypeAlias = Literal[
    "commit", "sync", "release", "autorelease", "automate", "deautomate", "lock", "unlock", "update_policy"
]
MAX_MESSAGE = 4096
MAX_ERRORS = 100
MAX_IDS = 1000


class FluxdEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. Times are RFC 3339; `id` is the upstream's to give, so that it is 0 here."""

    id: int = 0
    serviceIDs: tuple[str, ...] = ()  # noqa: N815
    type: EventType
    startedAt: str  # noqa: N815
    endedAt: str  # noqa: N815
    logLevel: Literal["debug", "info", "warn", "error"] = "info"  # noqa: N815
    message: str = ""
    metadata: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Span:
    """When it began and ended, as RFC 3339."""

    started: str
    ended: str


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of one revision: `problems` is empty when it took effect. `message` is the commit's first line.

    `includes` are the kinds of commits in it, where they are known: `release`, `autorelease`, `update_policy`.
    """

    commit: str
    message: str
    changed: tuple[ResourceId, ...] = ()
    problems: tuple[Problem, ...] = ()
    includes: tuple[str, ...] = ()
    initial: bool = False


def workload_id(resource: ResourceId) -> str:
    """fluxd's id of an object.

    >>> workload_id(ResourceId("apps", "Deployment", "shop", "web"))
    'shop:deployment/web'
    """
    return f"{resource.namespace or '<cluster>'}:{resource.kind.lower()}/{resource.name}"


def sync_event(synced: Synced, span: Span) -> FluxdEvent:
    """A revision was synced, or could not be."""
    errors = [
        {
            "ID": workload_id(each.subject) if each.subject is not None else "",
            "Path": each.origin.path if each.origin is not None else "",
            "Error": clip(str(each), MAX_MESSAGE),
        }
        for each in synced.problems[:MAX_ERRORS]
    ]
    subjects = (each.subject for each in synced.problems if each.subject is not None)
    metadata: dict[str, Any] = {
        "commits": [{"revision": synced.commit, "message": clip(synced.message, MAX_MESSAGE)}],
        "includes": dict.fromkeys(synced.includes or ("other",), True),
        "initialSync": synced.initial,
    }
    if errors:
        metadata["errors"] = errors
    return FluxdEvent(
        type="sync",
        serviceIDs=_ids((*synced.changed, *subjects)),
        startedAt=span.started,
        endedAt=span.ended,
        logLevel="error" if errors else "info",
        metadata=metadata,
    )


def commit_event(revision: str, spec: Mapping[str, Any], result: Mapping[str, Any], span: Span) -> FluxdEvent:
    """A commit was made for a job. `spec` and `result` are as fluxd writes them; the result's keys are workloads."""
    metadata = {"revision": revision, "spec": dict(spec), "result": dict(result)}
    return _of_result("commit", result, metadata, span)


def release_event(
    revision: str, spec: Mapping[str, Any], cause: Mapping[str, Any], result: Mapping[str, Any], span: Span
) -> FluxdEvent:
    """Images were released by hand. `spec` is the image or containers spec with its Type, `cause` who asked and why."""
    metadata = {"Revision": revision, "result": dict(result), "spec": dict(spec), "cause": dict(cause)}
    return _of_result("release", result, metadata, span)


def autorelease_event(
    revision: str, changes: Sequence[Mapping[str, Any]], result: Mapping[str, Any], span: Span
) -> FluxdEvent:
    """Images were released by policy."""
    metadata = {"Revision": revision, "result": dict(result), "spec": {"Changes": [dict(each) for each in changes]}}
    return _of_result("autorelease", result, metadata, span)


def _of_result(type_: EventType, result: Mapping[str, Any], metadata: dict[str, Any], span: Span) -> FluxdEvent:
    ids = tuple(sorted(name for name, each in result.items() if each.get("Status") == "success"))[:MAX_IDS]
    return FluxdEvent(type=type_, serviceIDs=ids, startedAt=span.started, endedAt=span.ended, metadata=metadata)


def _ids(resources: Iterable[ResourceId]) -> tuple[str, ...]:
    return tuple(sorted({workload_id(each) for each in resources}))[:MAX_IDS]
