"""A release that a person asks for: an image, or the newest of each, and workloads → what becomes of each of them.

fluxd's rules and its words. A lock, an ignore and a pattern hold also against a person; `force` lifts a lock and an
ignore where workloads are named, and a pattern where an image is. Every workload gets a status, also one that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from sluice.core import codes
from sluice.core.image import ImageRef
from sluice.core.image_policy import InvalidPolicy
from sluice.core.image_policy.dialect_fluxd import pattern_text
from sluice.core.image_policy.policy import quoted
from sluice.core.image_policy.workload_choice import Listing, choose_image
from sluice.core.image_policy.workload_policies import WorkloadPolicies, read_policies
from sluice.core.image_update.container import Container
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.workload import Workload, WorkloadId
from sluice.core.problem import Origin, Problem

UP_TO_DATE = "image(s) up to date"
OTHER_IMAGE = "does not use image(s)"

Status = Literal["success", "failed", "skipped", "ignored", "unknown"]
STATUSES: tuple[Status, ...] = ("success", "failed", "skipped", "ignored", "unknown")


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """`image` None is the newest of each that its pattern takes; without `workloads` all are meant."""

    image: ImageRef | None
    workloads: tuple[WorkloadId, ...] = ()
    excluded: frozenset[WorkloadId] = frozenset()
    force: bool = False


@dataclass(frozen=True, slots=True)
class WorkloadResult:
    """What becomes of one workload. `reason` is about what stays, also where other containers get another image.

    `problem` is set where a person's wish is held up, and says how to lift that.
    """

    workload: WorkloadId
    status: Status
    reason: str = ""
    updates: tuple[ContainerUpdate, ...] = ()
    problem: Problem | None = None


ListingOf = Callable[[ImageRef], Listing | None]


def plan_release(
    workloads: Iterable[tuple[str, Workload]], request: ReleaseRequest, listing_of: ListingOf
) -> tuple[WorkloadResult, ...]:
    """Decide about workloads, given with the paths of their files, in the order of their names.

    `listing_of` gives what is known of an image's tags; it is asked only when no image is named.
    """
    ordered = sorted(workloads, key=lambda item: item[1].id)
    return tuple(_result(path, workload, request, listing_of) for path, workload in ordered)


def _result(path: str, workload: Workload, request: ReleaseRequest, listing_of: ListingOf) -> WorkloadResult:
    if workload.id in request.excluded:
        return WorkloadResult(workload.id, "ignored", "excluded")
    if request.workloads and workload.id not in request.workloads:
        return WorkloadResult(workload.id, "ignored", "not included")
    if request.image is not None and not any(_uses(container, request.image) for container in workload.containers):
        # Of all workloads most run other images: that is no news, but of a named one it is.
        status: Status = "skipped" if request.workloads else "ignored"
        return WorkloadResult(workload.id, status, OTHER_IMAGE if request.workloads else "a different image")
    policies = read_policies(workload.annotations, workload.subject.id, Origin(path, workload.line))
    reason = _hold(policies)
    if reason and not (request.force and request.workloads):
        return WorkloadResult(workload.id, "skipped", reason, (), _held(path, workload, policies))
    decided = [_decide(policies, each, request, listing_of) for each in workload.containers]
    updates = tuple(
        ContainerUpdate(workload.id, container.name, wanted, container.image)
        for container, wanted, _ in decided
        if wanted is not None
    )
    reason = "; ".join(f"{container.name}: {why}" for container, _, why in decided if why)
    if updates:
        return WorkloadResult(workload.id, "success", reason, updates)
    if not reason:
        return WorkloadResult(workload.id, "skipped", UP_TO_DATE)
    return WorkloadResult(workload.id, "skipped", reason, (), _problem(path, workload, reason))


def _uses(container: Container, image: ImageRef) -> bool:
    return container.image is not None and container.image.canonical_name == image.canonical_name


def _hold(policies: WorkloadPolicies) -> str:
    if policies.ignored:
        return "ignore"
    if policies.locked:
        return "locked"
    return policies.unreadable[0].cause if policies.unreadable else ""


_Decision = tuple[Container, ImageRef | None, str]


def _decide(
    policies: WorkloadPolicies, container: Container, request: ReleaseRequest, listing_of: ListingOf
) -> _Decision:
    """The image that a container gets, or a reason that keeps it from one; neither where it is as wanted."""
    if container.image is None:
        return container, None, "" if request.image is not None else container.fault
    if request.image is not None:
        return _named(policies, container, container.image, request)
    choice = choose_image(policies, container.name, container.image, listing_of)
    # Up to date is no reason; whatever else keeps it has a problem, or is an image that has no place in any order.
    is_up_to_date = choice.wanted is None and choice.problem is None and choice.reason.startswith("it is up to date")
    return container, choice.wanted, "" if is_up_to_date or choice.wanted is not None else choice.reason


def _named(policies: WorkloadPolicies, container: Container, image: ImageRef, request: ReleaseRequest) -> _Decision:
    wanted = request.image
    if wanted is None or not _uses(container, wanted) or wanted.canonical == image.canonical:
        return container, None, ""
    pattern = policies.pattern(container.name)
    if pattern.annotation and not request.force:
        policy = policies.policy(container.name)
        if isinstance(policy, InvalidPolicy):
            return container, None, policy.problem.cause
        if wanted.tag is not None and not policy.accepts(wanted.tag):
            shown = quoted(pattern_text(pattern.text))
            return container, None, f"{pattern.annotation} is {shown}, which does not take {quoted(wanted.tag)}"
    return container, image.with_tag(wanted.tag, wanted.digest), ""


def _held(path: str, workload: Workload, policies: WorkloadPolicies) -> Problem:
    if policies.unreadable and not policies.ignored and not policies.locked:
        return policies.unreadable[0]
    fix = "take the annotation away"
    if policies.locked and not policies.ignored:
        fix = "take the lock away with `sluice unlock`"
    cause = policies.hold()
    return _problem(path, workload, cause, f"{fix}, or release it all the same with --force")


def _problem(path: str, workload: Workload, cause: str, fix: str = "") -> Problem:
    title = f"{workload.id} gets no other image"
    fix = fix or "change the pattern with `sluice policy`, or name an image with --image and --force"
    return Problem(codes.RELEASE_HELD, title, workload.subject.id, Origin(path, workload.line), cause=cause, fix=fix)
