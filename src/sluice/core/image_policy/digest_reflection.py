"""What an ImagePolicy reports of its tag's digest, by `digestReflectionPolicy`: none, the known one, or a new look."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from sluice.core.image import ImageRef

ReflectionPolicy = Literal["Never", "IfNotPresent", "Always"]


class DigestStep(Enum):
    """What to do about the digest of the chosen image."""

    OMIT = "omit"
    KEEP = "keep"
    FETCH = "fetch"


def digest_step(policy: ReflectionPolicy, chosen: ImageRef, reported: ImageRef | None) -> DigestStep:
    """Whether the digest is left out, stays as it was reported, or is asked of the registry.

    `chosen` has the new name and tag, `reported` is what the status says. With `Always` the caller comes here each
    `spec.interval`, so a tag that moves is seen; with `IfNotPresent` a digest stays until name or tag change.
    """
    if policy == "Never":
        return DigestStep.OMIT
    if policy == "Always" or reported is None or not reported.digest:
        return DigestStep.FETCH
    same = (reported.name, reported.tag) == (chosen.name, chosen.tag)
    return DigestStep.KEEP if same else DigestStep.FETCH
