"""What a person or an automation asks of the operator, and what became of it: fluxd's UpdateSpec and JobStatus. Pure.

The JSON of both is `update_wire`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sluice.core.image import ImageRef
from sluice.core.image_update.policy_annotation import PolicyUpdate
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.result import ImageChange
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem

SpecKind = Literal["image", "containers", "policy", "auto", "sync"]
Mode = Literal["plan", "execute"]
JobState = Literal["queued", "running", "failed", "succeeded"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Who asked, and why, in the caller's own words: nothing of it is proved."""

    message: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """An image for workloads. `image` None is the newest of each; without `workloads` all are meant."""

    image: ImageRef | None
    workloads: tuple[WorkloadId, ...] = ()
    excludes: tuple[WorkloadId, ...] = ()
    mode: Mode = "execute"
    force: bool = False


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """Images for chosen containers. Where `current` of an update is given, it must be what git has."""

    updates: tuple[ContainerUpdate, ...]
    mode: Mode = "execute"
    skip_mismatches: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """Policies to set and to take away, each workload once."""

    updates: tuple[PolicyUpdate, ...]


@dataclass(frozen=True, slots=True)
class AutoSpec:
    """Images that an automation chose, with those that it chose them for (`current`)."""

    changes: tuple[ContainerUpdate, ...]


@dataclass(frozen=True, slots=True)
class SyncSpec:
    """Fetch the repository, and apply what is new."""


Spec = ImageSpec | ContainerSpec | PolicySpec | AutoSpec | SyncSpec
_KINDS: dict[type, SpecKind] = {
    ImageSpec: "image",
    ContainerSpec: "containers",
    PolicySpec: "policy",
    AutoSpec: "auto",
    SyncSpec: "sync",
}


@dataclass(frozen=True, slots=True)
class UpdateSpec:
    """One request: what is wanted, and who wants it."""

    spec: Spec
    cause: Cause = Cause()

    @property
    def kind(self) -> SpecKind:
        """fluxd's name of this type of request."""
        return _KINDS[type(self.spec)]

    @property
    def is_plan(self) -> bool:
        """True when only an answer is wanted and nothing is to be written."""
        return isinstance(self.spec, ImageSpec | ContainerSpec) and self.spec.mode == "plan"

    @property
    def named(self) -> tuple[WorkloadId, ...]:
        """The workloads that are named, each once and in that order; none where all are meant."""
        names: Iterable[WorkloadId] = ()
        match self.spec:
            case ImageSpec(workloads=workloads):
                names = workloads
            case ContainerSpec(updates=updates) | AutoSpec(changes=updates):
                names = (update.workload for update in updates)
            case PolicySpec(updates=policies):
                names = (update.workload for update in policies)
            case SyncSpec():
                pass
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What became of an update in one of several repositories: a commit, or why there is none."""

    repository: str
    revision: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """Where a job is. `revision` is the commit that it made, or for a sync the head that it found; else empty.

    `result` has every workload that was looked at, by its id. `changes` are the values of files that were, or would
    be, changed; a client of fluxd's API is not told of them. `parts` are those of several repositories in which
    something was done, or failed.
    """

    state: JobState
    problem: Problem | None = None
    revision: str = ""
    spec: UpdateSpec | None = None
    result: Mapping[str, WorkloadResult] = field(default_factory=dict)
    changes: tuple[ImageChange, ...] = ()
    parts: tuple[PartOutcome, ...] = ()
