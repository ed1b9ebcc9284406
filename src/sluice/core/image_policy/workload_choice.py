"""A workload of fluxd's dialect: its policies, its containers' images and the known tags → what each should run.

The image that git has is the one to start from, not the one that runs. Nothing is skipped in silence: each container
gets a reason, also the one that stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sluice.core.codes import TAGS_INCOMPLETE
from sluice.core.image import ImageRef, ImageTag
from sluice.core.image_pin import pin_mismatch
from sluice.core.image_policy.choice import Choice, Previous, decide
from sluice.core.image_policy.policy import quoted
from sluice.core.image_policy.workload_policies import WorkloadPolicies
from sluice.core.problem import Problem


@dataclass(frozen=True, slots=True)
class Listing:
    """What is known of a repository's tags; `complete` when it is all of them."""

    tags: Iterable[ImageTag]
    complete: bool


@dataclass(frozen=True, slots=True)
class ContainerChoice:
    """What a container is to run. `wanted` is None when it stays as it is; `reason` says why, either way."""

    container: str
    current: ImageRef
    wanted: ImageRef | None
    reason: str
    problem: Problem | None = None


def choose_images(
    policies: WorkloadPolicies,
    containers: Mapping[str, ImageRef],
    listing_of: Callable[[ImageRef], Listing | None],
) -> tuple[ContainerChoice, ...]:
    """Choose the image of every container, in the order given. `listing_of` gives None for what was never scanned."""
    hold = policies.hold()
    if hold:
        problem = policies.unreadable[0] if policies.unreadable else None
        return tuple(ContainerChoice(name, image, None, hold, problem) for name, image in containers.items())
    return tuple(choose_image(policies, name, image, listing_of) for name, image in containers.items())


def choose_image(
    policies: WorkloadPolicies, name: str, image: ImageRef, listing_of: Callable[[ImageRef], Listing | None]
) -> ContainerChoice:
    """Choose the image of one container by its pattern, whether or not the workload is held: a person asked."""
    if image.tag is None and image.digest is not None:
        return ContainerChoice(name, image, None, "it is named by its digest alone, which has no place in any order")
    listing = listing_of(image)
    if listing is None:
        reason = f"{image.canonical_name} has not been scanned yet"
        return ContainerChoice(name, image, None, reason, Problem(TAGS_INCOMPLETE, "No tags are known", cause=reason))
    # An image without a tag is `latest`: what container runtimes pull.
    current = Previous(ImageTag(image.tag or "latest", image.digest))
    return _outcome(name, image, decide(policies.policy(name), listing.tags, current, listing.complete))


def _outcome(name: str, image: ImageRef, choice: Choice) -> ContainerChoice:
    if choice.outcome != "chosen" or choice.tag is None:
        return ContainerChoice(name, image, None, choice.reason, choice.problem)
    if choice.tag.tag == (image.tag or "latest"):
        problem = pin_mismatch(image, choice.tag.digest)
        reason = problem.title if problem is not None else f"it is up to date: {choice.reason}"
        return ContainerChoice(name, image, None, reason, problem)
    if image.digest is None:
        return ContainerChoice(name, image, image.with_tag(choice.tag.tag), choice.reason)
    if choice.tag.digest is None:
        reason = f"it is pinned by digest, and that of {quoted(choice.tag.tag)} is not known"
        return ContainerChoice(name, image, None, reason, Problem(TAGS_INCOMPLETE, "A digest is missing", cause=reason))
    return ContainerChoice(name, image, image.with_tag(choice.tag.tag, choice.tag.digest), choice.reason)
