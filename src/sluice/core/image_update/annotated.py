"""Workloads that their annotations automate: from git's files and the known tags to updates, and a reason for the rest.

What an image is now is what the file says. A workload must also run in the cluster. Nothing is skipped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sluice.core.codes import IMAGE_REJECTED, IMAGE_UNHEALTHY, WORKLOAD_NOT_RUNNING
from sluice.core.image import ImageRef
from sluice.core.image_policy.workload_choice import ContainerChoice, Listing, choose_images
from sluice.core.image_policy.workload_policies import AUTOMATED, WorkloadPolicies, read_policies
from sluice.core.image_update.file_edit import unreadable
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.result import Skipped
from sluice.core.image_update.workload import Workload, WorkloadId, find_workloads
from sluice.core.problem import Origin, Problem, clip, printable
from sluice.core.yaml_text import EditRefused, open_text

# What the bytes of every file with an automated workload hold, under either prefix.
NEEDLE = f"/{AUTOMATED}"
SUFFIXES = (".yaml", ".yml", ".json")
MAX_REASON = 300

# A workload and its container.
ContainerId = tuple[WorkloadId, str]


@dataclass(frozen=True, slots=True)
class Annotated:
    """A workload that asks to be automated, whether or not something holds it."""

    path: str
    workload: Workload
    policies: WorkloadPolicies
    commit: str = ""

    @property
    def origin(self) -> Origin:
        """Where it is."""
        return Origin(self.path, self.workload.line, commit=self.commit)

    def images(self) -> dict[str, ImageRef]:
        """The images of its containers that can be read."""
        return {held.name: held.image for held in self.workload.containers if held.image is not None}


# What is known of the tags of an image that a workload has.
ListingOf = Callable[[Annotated, ImageRef], Listing | None]


@dataclass(frozen=True, slots=True)
class Rejection:
    """An image that a container does not get by itself: it failed for `object`, or (without one) was set back."""

    image: str
    object: str = ""
    reason: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class ImageReason:
    """Why a container's image is as it is. `problem` is set where somebody may want to do something about it."""

    workload: WorkloadId
    container: str
    image: str
    reason: str
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be written, and a reason for every container."""

    updates: tuple[ContainerUpdate, ...] = ()
    reasons: tuple[ImageReason, ...] = ()


def find_annotated(
    files: Mapping[str, bytes], namespace: str, commit: str = ""
) -> tuple[tuple[Annotated, ...], tuple[Skipped, ...]]:
    """The automated workloads of files, and the files that can't be read; `namespace` is that of objects with none."""
    found: list[Annotated] = []
    unread: list[Skipped] = []
    for path in sorted(files):
        if NEEDLE.encode() not in files[path] or not path.endswith(SUFFIXES):
            continue
        try:
            workloads = find_workloads(open_text(files[path], path, commit), namespace)
        except EditRefused as error:
            unread.append(unreadable(path, error))
            continue
        for workload in workloads:
            origin = Origin(path, workload.line, commit=commit)
            policies = read_policies(workload.annotations, workload.subject.id, origin)
            if policies.automated or policies.unreadable:
                found.append(Annotated(path, workload, policies, commit))
    return tuple(found), tuple(unread)


def decide_images(
    annotated: Iterable[Annotated],
    is_running: Callable[[Annotated], bool],
    listing_of: ListingOf,
    rejected: Mapping[ContainerId, Rejection],
) -> Decision:
    """Choose for every container. A rejected image is not chosen; what is in its place already is only told."""
    updates: list[ContainerUpdate] = []
    reasons: list[ImageReason] = []
    for each in annotated:
        for choice in _choices(each, listing_of) if is_running(each) else _not_running(each):
            key = each.workload.id, choice.container
            held = rejected.get(key)
            if held is not None and held.image == (choice.wanted or choice.current).canonical:
                problem = _rejected(each, choice, held)
                reasons.append(_reason(each, choice, problem.title, problem))
                continue
            reasons.append(_reason(each, choice, choice.reason, choice.problem))
            if choice.wanted is not None:
                policy = each.policies.pattern(choice.container)
                updates.append(ContainerUpdate(*key, choice.wanted, choice.current, policy.text))
        reasons += _unreadable(each)
    return Decision(tuple(updates), tuple(reasons))


def _choices(each: Annotated, listing_of: ListingOf) -> tuple[ContainerChoice, ...]:
    return choose_images(each.policies, each.images(), lambda image: listing_of(each, image))


def _not_running(each: Annotated) -> tuple[ContainerChoice, ...]:
    hold = each.policies.hold()
    problem = None
    if not hold:
        title = f"{each.workload.id} is automated in git, but not in the cluster"
        fix = "nothing while it is being rolled out; else see why it is not applied"
        problem = Problem(WORKLOAD_NOT_RUNNING, title, each.workload.subject.id, each.origin, fix=fix)
    reason = hold or "it does not run in the cluster"
    return tuple(ContainerChoice(name, image, None, reason, problem) for name, image in each.images().items())


def _unreadable(each: Annotated) -> Iterator[ImageReason]:
    for held in each.workload.containers:
        if held.image is None:
            yield ImageReason(each.workload.id, held.name, "", f"its image can't be read: {held.fault}")


def _reason(each: Annotated, choice: ContainerChoice, reason: str, problem: Problem | None) -> ImageReason:
    return ImageReason(each.workload.id, choice.container, str(choice.current), reason, problem)


def _rejected(each: Annotated, choice: ContainerChoice, held: Rejection) -> Problem:
    shown = clip(printable(held.image), 120)
    subject = each.workload.subject.id
    fix = "push a newer image, or write this one into the file yourself"
    if held.object:
        title = f"{shown} failed for {held.object}, and is not written again by itself"
        return Problem(IMAGE_UNHEALTHY, title, subject, each.origin, cause=held.reason, fix=fix)
    title = f"somebody has changed the image of {choice.container} since {shown} was written, and it stays so"
    cause = f"{each.policies.pattern(choice.container).text} still chooses it"
    return Problem(IMAGE_REJECTED, title, subject, each.origin, cause=cause, fix=fix)
