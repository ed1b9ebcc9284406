"""Files that several kustomizations take in, and what is said of a workload that stands in one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sluice.core import codes
from sluice.core.image_update.workload import Workload
from sluice.core.problem import Origin, Problem, printable

MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class Sharing:
    """Whose files a folder's kustomization takes in: `shared_by` has, for each that others take in, too, who does."""

    folder: str = ""
    shared_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def is_beside(self, path: str) -> bool:
        """True for a file outside of the folder."""
        return bool(self.folder) and not path.startswith(f"{self.folder}/")


def shared_image(workload: Workload, origin: Origin, sharing: Sharing) -> Problem:
    """Say that an image is not changed in a shared file; who reads it lets the overlay say its image."""
    names = dict.fromkeys(each.image.name for each in workload.containers if each.image is not None)
    entries = ", ".join(f"{{name: {printable(name)}, newTag: TAG}}" for name in list(names)[:MAX_NAMED])
    fix = f"say the image in the kustomization.yaml of this overlay, as images: [{entries}]; then it is changed there"
    return _shared(workload, origin, sharing, fix)


def shared_policy(workload: Workload, origin: Origin, sharing: Sharing) -> Problem:
    """Say that annotations are not changed in a shared file; who reads it changes them for all, or takes a copy."""
    folder = printable(origin.path.rpartition("/")[0]) or "."
    fix = (
        f"change {printable(origin.path)} for all of them, by --local {folder} in a checkout or by hand; "
        "for this one alone, give it a file of its own"
    )
    return _shared(workload, origin, sharing, fix)


def named_sharers(sharers: Sequence[str]) -> str:
    """Who shares a file, in words."""
    if not sharers:
        return "by other folders, too"
    if len(sharers) == 1:
        return f"several times by {printable(sharers[0])}"
    more = f" and {len(sharers) - MAX_NAMED} more" if len(sharers) > MAX_NAMED else ""
    return f"by {', '.join(map(printable, sharers[:MAX_NAMED]))}{more}"


def _shared(workload: Workload, origin: Origin, sharing: Sharing, fix: str) -> Problem:
    title = "the workload is in a file that is not this sync's alone"
    sharers = named_sharers(sharing.shared_by.get(origin.path, ()))
    cause = f"{workload.id} is at {printable(origin.path)}:{origin.line}, which is taken in {sharers}"
    return Problem(codes.WORKLOAD_MISSING, title, None, origin, "", cause, fix)
