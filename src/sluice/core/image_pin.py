"""An image that is named by its tag and by its digest: whether both still mean the same one. Pure."""

from __future__ import annotations

from sluice.core.codes import DIGEST_MISMATCH
from sluice.core.image import ImageRef
from sluice.core.problem import Problem, printable


def pin_mismatch(image: ImageRef, listed: str | None) -> Problem | None:
    """What is wrong when the registry has another digest under the image's tag; None when not, or nobody knows.

    Container runtimes go by the digest and never look at the tag, so what runs is not what the tag promises. Digests
    of different algorithms can't be compared.
    """
    if image.tag is None or image.digest is None or not listed or listed == image.digest:
        return None
    if listed.partition(":")[0] != image.digest.partition(":")[0]:
        return None
    title = f"{image.name}:{image.tag} is another image than {image.digest}, by which it is pinned"
    cause = f"the registry has {printable(listed)} for the tag, which was moved or is a slip; the digest is what runs"
    fix = f"write {image.with_tag(image.tag, listed)}, or the tag that the digest is of"
    return Problem(DIGEST_MISMATCH, title, cause=cause, fix=fix)
