"""The batches of a plan, cut wherever something must be served, or applied, before what follows can be judged."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.core.ids import ResourceId
from sluice.core.order import Stage
from sluice.core.plan import Batch, Change, Plan


@dataclass(frozen=True, slots=True)
class Deferral:
    """Dry-runs that can't be judged yet, for want of something this plan creates or changes.

    `served` wait for a CRD or a Namespace to be served; `applied` for an object of an earlier rank (a Role, a
    ServiceAccount, a PriorityClass) to be there.
    """

    served: frozenset[ResourceId] = frozenset()
    applied: frozenset[ResourceId] = frozenset()

    def __contains__(self, resource: ResourceId) -> bool:
        return resource in self.served or resource in self.applied


@dataclass(frozen=True, slots=True)
class Step:
    """Batches that run one after the other once `validate` has been dry-run and everything before is served."""

    batches: tuple[Batch, ...]
    validate: tuple[Change, ...]


def steps_of(plan: Plan, deferral: Deferral) -> tuple[Step, ...]:
    """Cut the batches into steps wherever something must be served, or applied, before the next can be judged."""
    steps: list[Step] = []
    for segment in _segments(plan.applies):
        # What waited only for the segment before it is judged at once, ahead of every write of this one.
        early = tuple(c for b in segment for c in b.changes if c.id in deferral.served)
        for number, group in enumerate(_groups(segment, deferral.applied)):
            late = tuple(c for c in group[0].changes if c.id in deferral.applied)
            steps.append(Step(tuple(group), (early if number == 0 else ()) + late))
    return tuple(steps)


def _segments(batches: tuple[Batch, ...]) -> list[list[Batch]]:
    segments: list[list[Batch]] = []
    for batch in batches:
        last = segments[-1][-1] if segments else None
        if last is None or (serves(last) and (batch.wave, batch.stage) != (last.wave, last.stage)):
            segments.append([])
        segments[-1].append(batch)
    return segments


def _groups(segment: list[Batch], applied: frozenset[ResourceId]) -> list[list[Batch]]:
    groups: list[list[Batch]] = []
    for batch in segment:
        if not groups or any(c.id in applied for c in batch.changes):
            groups.append([])
        groups[-1].append(batch)
    return groups


def serves(batch: Batch) -> bool:
    """True for CRDs and Namespaces: what follows them has to wait until the API server serves them."""
    return batch.stage in {Stage.CRDS, Stage.NAMESPACES}
