"""What becomes of each workload that an update is about: fluxd's statuses and reasons, word for word. Pure.

A result's `reason` is what fluxd's clients show; `problem` has more, for those who can show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.image_policy.dialect_fluxd import fluxd_policy
from sluice.core.image_policy.workload_policies import read_policies
from sluice.core.image_update.policy_annotation import LOCKED_MESSAGE, LOCKED_USER, TAG_ALL, PolicyUpdate
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import (
    OTHER_IMAGE,
    UP_TO_DATE,
    ListingOf,
    ReleaseRequest,
    WorkloadResult,
    plan_release,
)
from sluice.core.image_update.result import ImageChange
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.problem import Problem, clip, printable
from sluice.core.update_spec import ContainerSpec, ImageSpec

NOT_RUNNING = "not accessible in cluster"
NOT_IN_GIT = "not found in repository"
NO_IMAGE = "cannot find one or more images"
NO_CONTAINER = "container(s) not found: "
MISMATCH = "container(s) tag mismatch: "
_WORDS = frozenset({"locked", "ignore", "not included", "excluded", "a different image", UP_TO_DATE, OTHER_IMAGE})
_EVERYTHING = frozenset({"*", "glob:*"})

Results = dict[WorkloadId, WorkloadResult]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the workloads: each with the path of its file, why one is in none, and which of them run."""

    found: Mapping[WorkloadId, tuple[str, Workload]]
    missing: Mapping[WorkloadId, Problem] = field(default_factory=dict)
    running: frozenset[WorkloadId] = frozenset()

    def absent(self) -> Results:
        """The results of those that are in no file, or in several."""
        return {each: _missing(each, problem) for each, problem in self.missing.items()}

    def idle(self, names: Iterable[WorkloadId]) -> Results:
        """The results of those that do not run."""
        return {each: WorkloadResult(each, "skipped", NOT_RUNNING) for each in names if each not in self.running}


def _missing(workload: WorkloadId, problem: Problem) -> WorkloadResult:
    if problem.code is codes.WORKLOAD_MISSING:
        return WorkloadResult(workload, "skipped", NOT_IN_GIT, (), problem)
    return WorkloadResult(workload, "failed", problem.title, (), problem)


def image_results(spec: ImageSpec, known: Known, listing_of: ListingOf) -> Results:
    """The results of a release. `listing_of` is asked only where no image is named."""
    excluded = frozenset(spec.excludes)
    idle = known.idle(each for each in known.found if each not in excluded)
    request = ReleaseRequest(spec.image, spec.workloads, excluded, spec.force)
    looked_at = [place for workload, place in known.found.items() if workload not in idle]
    decided = {each.workload: _in_words(each) for each in plan_release(looked_at, request, listing_of)}
    return known.absent() | idle | decided


def _in_words(result: WorkloadResult) -> WorkloadResult:
    """fluxd's reason for a workload that gets no image; why exactly stays in its problem."""
    if result.updates or result.reason in _WORDS:
        return result
    held_up = result.problem is not None and result.problem.code is codes.ANNOTATION_INVALID
    return result if held_up else replace(result, reason=NO_IMAGE)


def container_results(spec: ContainerSpec, known: Known) -> Results:
    """The results of a release of chosen containers."""
    idle = known.idle(known.found)
    chosen = {
        workload: _chosen(spec, path, held, [update for update in spec.updates if update.workload == workload])
        for workload, (path, held) in known.found.items()
        if workload not in idle
    }
    return known.absent() | idle | chosen


def _chosen(spec: ContainerSpec, path: str, workload: Workload, wanted: list[ContainerUpdate]) -> WorkloadResult:
    policies = read_policies(workload.annotations)
    if not spec.force and (policies.ignored or policies.locked):
        return WorkloadResult(workload.id, "skipped", "ignore" if policies.ignored else "locked")
    images = {each.name: each.image for each in workload.containers if each.image is not None}
    absent = [each.container for each in wanted if each.container not in images]
    if absent:
        return WorkloadResult(workload.id, "failed", NO_CONTAINER + ", ".join(absent))
    updates, other = [], []
    for each in wanted:
        image = images[each.container]
        if each.current is not None and each.current.canonical != image.canonical:
            other.append(each.container)
        elif each.image.canonical != image.canonical:
            updates.append(replace(each, current=image))
    said = MISMATCH + ", ".join(other) if other else ""
    if other and not spec.skip_mismatches:
        return WorkloadResult(workload.id, "failed", said)
    if updates:
        return WorkloadResult(workload.id, "success", said, tuple(updates))
    return WorkloadResult(workload.id, "skipped", said or UP_TO_DATE)


def refuse_unsatisfied(results: Iterable[WorkloadResult]) -> None:
    """Raise UserError when chosen containers are not as expected, or nothing of them would change."""
    held = list(results)
    failed = [f"{each.workload}: {each.reason}" for each in held if each.status == "failed"]
    if failed:
        title, fix = "cannot satisfy specs", "look at what is in git and ask again"
        raise UserError(Problem(codes.CONTAINERS_REFUSED, title, cause="; ".join(failed), fix=fix))
    if not any(each.updates for each in held):
        cause = "; ".join(f"{each.workload}: {each.reason}" for each in held)
        raise UserError(Problem(codes.NO_CHANGES, "no changes found", cause=cause))


def policy_results(updates: Iterable[PolicyUpdate], known: Known, changes: Mapping[WorkloadId, object]) -> Results:
    """The results of changed policies; what is in no file is skipped, as fluxd has it. `changes` has what changed."""
    absent = known.absent()
    return {
        each.workload: absent.get(each.workload)
        or WorkloadResult(each.workload, "success" if each.workload in changes else "skipped")
        for each in updates
    }


def changes_by_workload(changes: Iterable[ImageChange], namespace: str) -> dict[WorkloadId, list[ImageChange]]:
    """Changes of files by the workload that each is of; `namespace` is that of objects which name none."""
    found: dict[WorkloadId, list[ImageChange]] = {}
    for change in changes:
        subject = change.subject
        key = WorkloadId(subject.namespace or namespace, subject.kind.lower(), subject.name)
        found.setdefault(key, []).append(change)
    return found


def written_policies(update: PolicyUpdate) -> PolicyUpdate:
    """The update without the empty words of a lock, which fluxctl sends where nobody said anything."""
    empty = {key for key in (LOCKED_USER, LOCKED_MESSAGE) if update.add.get(key) == ""}
    add = {key: value for key, value in update.add.items() if key not in empty and key not in update.remove}
    return replace(update, add=add)


def refuse_patterns(updates: Iterable[PolicyUpdate]) -> None:
    """Raise UserError (UpdateRequest) for a pattern of tags that can't be read, as fluxd's API does."""
    for update in updates:
        for key, text in update.add.items():
            if (key.startswith("tag.") or key == TAG_ALL) and text not in _EVERYTHING:
                _refuse_pattern(update.workload, key, text)


def _refuse_pattern(workload: WorkloadId, key: str, text: str) -> None:
    try:
        fluxd_policy(text, key)
    except UserError as error:
        held = error.problems[0]
        title = f'invalid tag pattern: "{clip(printable(text), 200)}"'
        field = f"spec.{workload}.add.{key}"
        raise UserError(
            Problem(codes.UPDATE_REQUEST, title, field=field, cause=held.cause or held.title, fix=held.fix)
        ) from None


def unverified(refused: Problem, verified: str, head: str) -> Problem:
    """A head that is not synced for want of a signature, in the words by which fluxctl knows that it may go on.

    It goes on with the commit that was verified last: without one (`verified` empty) the refusal says it all.
    """
    if not verified:
        return refused
    title = (
        "The branch HEAD in the git repo is not verified, and is not synced. "
        f"The last verified commit was {verified[:8]}. HEAD is {head[:8]}"
    )
    return Problem(codes.SIGNATURE_REQUIRED, title, cause=refused.title, fix=refused.fix)
