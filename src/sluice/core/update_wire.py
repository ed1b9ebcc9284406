"""UpdateSpec, JobStatus and Result as the JSON of fluxd's API and of its git notes; `update_read` reads it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import WorkloadResult
from sluice.core.problem import clip
from sluice.core.update_read import ALL_LATEST, ALL_WORKLOADS, MAX_WORDS
from sluice.core.update_spec import (
    AutoSpec,
    ContainerSpec,
    ImageSpec,
    JobStatus,
    PartOutcome,
    PolicySpec,
    Spec,
    SyncSpec,
    UpdateSpec,
)

MAX_PARTS = 50


def encode_update_spec(spec: UpdateSpec) -> bytes:
    """The JSON that `decode_update_spec` reads back as an equal value."""
    return msgspec.json.encode(update_spec_fields(spec))


def update_spec_fields(spec: UpdateSpec) -> dict[str, Any]:
    """The same as plain values."""
    cause = {"Message": spec.cause.message, "User": spec.cause.user}
    return {"type": spec.kind, "cause": cause, "spec": _spec_fields(spec.spec)}


def job_status_fields(status: JobStatus) -> dict[str, Any]:
    """A JobStatus as fluxctl reads it."""
    result: dict[str, Any] = {}
    if status.revision:
        result["revision"] = status.revision
    if status.spec is not None:
        result["spec"] = update_spec_fields(status.spec)
    if status.result:
        result["result"] = result_fields(status.result)
    return {"Result": result, "Err": _error_text(status), "StatusString": status.state}


def _error_text(status: JobStatus) -> str:
    """Of a job that failed fluxctl shows nothing else: so it has what was done all the same."""
    if status.problem is None:
        return ""
    lines = [_part_text(part) for part in status.parts[:MAX_PARTS]]
    more = len(status.parts) - len(lines)
    return "\n".join([str(status.problem), *lines, *([f"and {more} more"] if more else [])])


def _part_text(part: PartOutcome) -> str:
    return f"  {part.repository}: {part.problem or f'commit {part.revision} stays'}"


def result_fields(result: Mapping[str, WorkloadResult]) -> dict[str, Any]:
    """A Result: what became of each workload."""
    return {name: _workload_fields(each) for name, each in result.items()}


def note_fields(job_id: str, spec: UpdateSpec, result: Mapping[str, WorkloadResult]) -> dict[str, Any]:
    """What fluxd writes in the note of a job's commit."""
    return {"jobID": job_id, "spec": update_spec_fields(spec), "result": result_fields(result)}


def _spec_fields(spec: Spec) -> dict[str, Any]:
    match spec:
        case ImageSpec():
            return {
                "ServiceSpecs": [str(each) for each in spec.workloads] or [ALL_WORKLOADS],
                "ImageSpec": ALL_LATEST if spec.image is None else str(spec.image),
                "Kind": spec.mode,
                "Excludes": [str(each) for each in spec.excludes] or None,
                "Force": spec.force,
            }
        case ContainerSpec():
            wanted: dict[str, list[dict[str, str]]] = {}
            for update in spec.updates:
                wanted.setdefault(str(update.workload), []).append(_update_fields(update))
            flags = {"Kind": spec.mode, "SkipMismatches": spec.skip_mismatches, "Force": spec.force}
            return {"ContainerSpecs": wanted, **flags}
        case PolicySpec():
            return {
                str(each.workload): {"add": dict(each.add), "remove": dict.fromkeys(sorted(each.remove), "true")}
                for each in spec.updates
            }
        case AutoSpec():
            return {"Changes": [_change_fields(change) for change in spec.changes]}
        case SyncSpec():
            return {}


def _change_fields(change: ContainerUpdate) -> dict[str, Any]:
    container = {"Name": change.container, "Image": str(change.current or change.image)}
    return {"WorkloadID": str(change.workload), "Container": container, "ImageID": str(change.image)}


def _update_fields(update: ContainerUpdate) -> dict[str, str]:
    current = {} if update.current is None else {"Current": str(update.current)}
    return {"Container": update.container, **current, "Target": str(update.image)}


def _workload_fields(result: WorkloadResult) -> dict[str, Any]:
    said = {"Error": clip(result.reason, MAX_WORDS)} if result.reason else {}
    containers = [
        {"Container": each.container, "Current": str(each.current or each.image), "Target": str(each.image)}
        for each in result.updates
    ]
    return {"Status": result.status, **said, "PerContainer": containers or None}
