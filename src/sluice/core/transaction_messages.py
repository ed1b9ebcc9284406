"""What a transaction says to its executor and hears from it: phases, outcomes, commands, events. All of it is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sluice.core.before_image import BeforeImage
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.plan import Change
from sluice.core.problem import Problem


class Phase(StrEnum):
    """Where a transaction stands."""

    VALIDATING = "Validating"
    IMAGING = "Imaging"
    RECORDING = "Recording"
    APPLYING = "Applying"
    SERVING = "Serving"
    WAITING = "Waiting"
    RECORDING_PRUNE = "RecordingPrune"
    PRUNING = "Pruning"
    COMMITTING = "Committing"
    RECORDING_UNDO = "RecordingUndo"
    UNDOING = "Undoing"
    RECORDING_FAILURE = "RecordingFailure"
    DONE = "Done"
    FAILED = "Failed"

    @property
    def ended(self) -> bool:
        """True when there is nothing more to do."""
        return self in {Phase.DONE, Phase.FAILED}


class OnFailure(StrEnum):
    """What a failure half-way leads to: take back everything, leave things as they are, or do what can be done."""

    UNDO = "Undo"
    STOP = "Stop"
    CONTINUE = "Continue"


@dataclass(frozen=True, slots=True)
class UndoTarget:
    """What the cluster goes back to: what was ours before the first transaction that has not been committed since.

    Once a transaction prunes there is no way back: then it is what the cluster goes forward to, without images.
    `images` are the objects that existed; every entry of the union inventory that is not in `inventory` was created.
    """

    inventory: Inventory
    images: Mapping[ResourceId, BeforeImage]


# What was to be deleted is another sync's by now. That one may still give it back: the entry stays in the inventory.
HANDED_OVER = "handed over"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one write came to: created, configured, unchanged, deleted, deleting or handed over.

    Of an object that somebody else made between plan and apply there is an `image` of what they made; or it is only
    `found`, when that can't be known any more because our apply went through. `warnings` are the API server's.
    """

    id: ResourceId
    result: str
    entry: Entry | None = None
    image: BeforeImage | None = None
    found: bool = False
    warnings: tuple[str, ...] = ()


# --- commands: what the executor is to do -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Validate:
    """Dry-run these, all of them, and answer with every problem."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class TakeImages:
    """Read these objects as they are, before anything is written."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class SaveRecord:
    """Make phase, inventory and undo target durable, by compare-and-swap. `problems` are why a revision failed."""

    phase: Phase
    inventory: Inventory
    target: UndoTarget | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Undo:
    """Take every object back to `target`, in this order; `union` are the entries of all that may exist by now."""

    target: UndoTarget
    order: tuple[ResourceId, ...]
    union: Inventory


@dataclass(frozen=True, slots=True)
class Apply:
    """Send these, concurrently; answer when all have been answered."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class AwaitServed:
    """Wait until these CRDs are established and these Namespaces active."""

    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class AwaitHealth:
    """Watch the health of what the sync asked for; `changed` are the objects that this transaction wrote."""

    changed: frozenset[ResourceId]


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete these, concurrently, each with its UID as the precondition."""

    changes: tuple[Change, ...]


Command = Validate | TakeImages | SaveRecord | Apply | AwaitServed | AwaitHealth | Prune | Undo

# --- events: what came back ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Validated:
    """The dry-runs' answer: every problem of every object."""

    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """The record is durable."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A batch of applies or deletions has been answered, wholly."""

    outcomes: tuple[Outcome, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """What AwaitServed waited for is served, or `problems` say why not."""

    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthKnown:
    """The health gate has opened, or `problems` say why not.

    `ours` is True when an object that this transaction changed, or a named health check, is among them: what else is
    unhealthy was so without us, and is no reason to take anything back. `corrected` are writes that set drift right
    meanwhile.
    """

    problems: tuple[Problem, ...] = ()
    ours: bool = True
    corrected: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Imaged:
    """The before-images, or the problems that kept one from being taken."""

    images: Mapping[ResourceId, BeforeImage]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Undone:
    """Everything that could be taken back is: `inventory` is ours now.

    `kept` was left on purpose (it is, or holds, somebody else's); `problems` are to be tried again.
    """

    inventory: Inventory
    kept: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()


Event = Validated | Imaged | Recorded | Answered | Served | HealthKnown | Undone
