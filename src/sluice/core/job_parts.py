"""An update of workloads of several repositories: what is asked of each, and what became of all of it as one. Pure.

Git has no commit over several repositories, so neither is such an update all or nothing: each repository has a commit
of its own, and what is done stays where another one fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem
from sluice.core.update_result import NOT_IN_GIT, NOT_RUNNING
from sluice.core.update_spec import (
    AutoSpec,
    ContainerSpec,
    ImageSpec,
    JobState,
    JobStatus,
    PartOutcome,
    PolicySpec,
    Spec,
    SyncSpec,
    UpdateSpec,
)

SHORT = 7
_FIX = "mend what failed and ask again: what is done is skipped then"


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked of one repository, and how far that is."""

    source: NamespacedName
    status: JobStatus


def without(spec: UpdateSpec, others: Collection[WorkloadId]) -> UpdateSpec:
    """The update for the named workloads but `others`. At least one must be left: none would mean all."""
    return replace(spec, spec=_chosen(spec.spec, lambda workload: workload not in others))


def as_one(parts: Sequence[Part]) -> JobStatus:
    """The status of the whole, of two parts or more.

    It has failed when a part has. What is in git is told either way: `revision` is the first commit in the order of
    the parts, and the result of each workload names its own where there are several. It has no spec: each commit has
    what was asked of its repository.
    """
    failed = [part for part in parts if part.status.state == "failed"]
    if len(failed) < len(parts):
        failed = [part for part in failed if not _is_idle(part.status)]
    outcomes = (PartOutcome(str(p.source), p.status.revision, p.status.problem if p in failed else None) for p in parts)
    return JobStatus(
        _state(parts, failed=bool(failed)),
        _problem(parts, failed),
        next((part.status.revision for part in parts if part.status.revision), ""),
        None,
        _results(parts),
        tuple(change for part in parts for change in part.status.changes),
        tuple(each for each in outcomes if each.revision or each.problem is not None),
    )


def _is_idle(status: JobStatus) -> bool:
    """True where chosen containers are as they are to be: no fault, when others have changed."""
    return status.problem is not None and status.problem.code is codes.NO_CHANGES


def _state(parts: Sequence[Part], *, failed: bool) -> JobState:
    states = {part.status.state for part in parts}
    if states == {"queued"}:
        return "queued"
    if states & {"queued", "running"}:
        return "running"
    return "failed" if failed else "succeeded"


def _problem(parts: Sequence[Part], failed: Sequence[Part]) -> Problem | None:
    if not failed:
        return None
    first = failed[0].status.problem
    if len(failed) == len(parts) and first is not None and all(part.status.problem == first for part in failed):
        return first
    names = ", ".join(str(part.source) for part in failed)
    title = f"the update failed in {len(failed)} of {len(parts)} repositories: {names}"
    return Problem(codes.UPDATE_IN_PARTS, title, cause="each repository has a commit of its own", fix=_FIX)


def _results(parts: Sequence[Part]) -> dict[str, WorkloadResult]:
    told: dict[str, WorkloadResult] = {}
    several = sum(bool(part.status.revision) for part in parts) > 1
    for part in parts:
        for name, result in part.status.result.items():
            if name not in told or _weight(result) < _weight(told[name]):
                told[name] = _placed(result, part) if several else result
    return dict(sorted(told.items()))


def _placed(result: WorkloadResult, part: Part) -> WorkloadResult:
    """The result with the commit that it is in: a client is told of one commit only."""
    if result.status != "success" or not part.status.revision:
        return result
    commit = f"commit {part.status.revision[:SHORT]} in {part.source}"
    return replace(result, reason=f"{result.reason}; {commit}" if result.reason else commit)


def _weight(result: WorkloadResult) -> int:
    """A file with the workload may be in another repository, too, which does not apply it."""
    order = {NOT_RUNNING: 3, NOT_IN_GIT: 4}
    return order.get(result.reason, {"success": 0, "failed": 1}.get(result.status, 2))


def _chosen(spec: Spec, wanted: Callable[[WorkloadId], bool]) -> Spec:
    match spec:
        case ImageSpec(workloads=workloads):
            return replace(spec, workloads=tuple(name for name in workloads if wanted(name)))
        case ContainerSpec(updates=updates):
            return replace(spec, updates=tuple(each for each in updates if wanted(each.workload)))
        case AutoSpec(changes=changes):
            return AutoSpec(tuple(each for each in changes if wanted(each.workload)))
        case PolicySpec(updates=policies):
            return PolicySpec(tuple(each for each in policies if wanted(each.workload)))
        case SyncSpec():
            return spec
