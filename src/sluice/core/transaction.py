"""The execution of one plan, as a pure state machine: `step(state, event) -> (state, commands)`.

    VALIDATING ─▶ IMAGING ─▶ RECORDING ─▶ APPLYING ⇄ SERVING ─▶ WAITING ─▶ PRUNING ─▶ COMMITTING ─▶ DONE
         │                                    │         │           │
      refused                                 └─────────┴── failed ─┴─▶ RECORDING_UNDO ─▶ UNDOING ─▶ RECORDING_FAILURE
         └────────────────────────────────────────────────────────────────────────────────────────────────▶ FAILED

Before RECORDING nothing has been written, so a refusal there costs nothing. From RECORDING on, the durable record
holds the union inventory and the before-images: whatever the process does next, a restart knows every object that may
exist and what each was. Pruning comes after the last thing that can fail, so undoing never has to bring back what was
deleted.
The state is data (no callbacks, no clock), so it can be stored, replayed and tested without a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sluice.core import codes, condition
from sluice.core.before_image import BeforeImage
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.order import order_of
from sluice.core.plan import Action, Batch, Plan
from sluice.core.problem import Problem
from sluice.core.steps import Deferral, Step, serves, steps_of
from sluice.core.transaction_messages import (
    Answered,
    Apply,
    AwaitHealth,
    AwaitServed,
    Command,
    Event,
    HealthKnown,
    Imaged,
    OnFailure,
    Outcome,
    Phase,
    Prune,
    Recorded,
    SaveRecord,
    Served,
    TakeImages,
    Undo,
    Undone,
    UndoTarget,
    Validate,
    Validated,
)


@dataclass(frozen=True, slots=True)
class Transaction:
    """The state. `steps` are the rest of the plan; `inventory` is the union, narrowed as objects are seen gone."""

    plan: Plan
    phase: Phase
    gate: bool
    inventory: Inventory
    steps: tuple[Step, ...] = ()
    current: tuple[Batch, ...] = ()
    prunes: tuple[Batch, ...] = ()
    outcomes: Mapping[ResourceId, Outcome] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    failed_in: Phase | None = None
    wrote: bool = False
    on_failure: OnFailure = OnFailure.STOP
    target: UndoTarget | None = None
    undone: bool = False
    undo_problems: tuple[Problem, ...] = ()
    kept: tuple[Problem, ...] = ()
    inherited: frozenset[ResourceId] = frozenset()

    @property
    def total(self) -> int:
        """How many objects will be sent or deleted."""
        return self.plan.writes

    @property
    def reason(self) -> str:
        """How it ended, as the reason of the Ready condition."""
        if self.undo_problems:
            return condition.UNDO_FAILED
        if self.undone:
            return condition.UNDONE
        if self.problems:
            return {Phase.WAITING: "HealthCheckFailed", None: "PruneFailed"}.get(self.failed_in, "ReconciliationFailed")
        return condition.RECONCILIATION_SUCCEEDED


def begin(
    plan: Plan,
    deferral: Deferral,
    *,
    gate: bool,
    on_failure: OnFailure = OnFailure.STOP,
    target: UndoTarget | None = None,
    kept: tuple[Problem, ...] = (),
    accepted: frozenset[ResourceId] = frozenset(),
) -> tuple[Transaction, Command]:
    """Start a transaction. `deferral` names the dry-runs that have to wait; `gate` asks for health before pruning.

    `target` is what an earlier transaction, which was neither committed nor undone, would have gone back to: this
    one goes back there too. `kept` is what an earlier undo left in place: another one names it again. `accepted` are
    objects whose dry-run was made just now, in looking for drift: while they exist it is not made again.
    A plan that writes nothing goes straight to its gate, and then to DONE.
    """
    steps = steps_of(plan, deferral)
    changes = (c for batch in plan.applies for c in batch.changes if c.id not in deferral)
    upfront = tuple(c for c in changes if c.id not in accepted or c.action is not Action.UPDATE)
    state = Transaction(
        plan,
        Phase.VALIDATING,
        gate,
        plan.before,
        steps=steps,
        prunes=plan.prunes,
        on_failure=on_failure,
        target=target,
        kept=kept,
    )
    if target is not None:
        state = replace(state, inherited=plan.before.without(target.inventory.ids()).ids() | target.images.keys())
    if upfront:
        return state, Validate(upfront)
    return _validated(state)


def resume_undo(plan: Plan, target: UndoTarget, problems: tuple[Problem, ...]) -> tuple[Transaction, Command]:
    """Go on with an undo that a crash, or a failure of its own, cut short. `plan.before` is the union inventory."""
    state = Transaction(
        plan, Phase.UNDOING, False, plan.before, problems=problems, wrote=True, on_failure=OnFailure.UNDO, target=target
    )
    return state, _undo(state, target)


def resume_prune(plan: Plan) -> tuple[Transaction, Command]:
    """Go on with the pruning of a revision that was applied and healthy. `plan.after` is what is left in the end."""
    return _prune_next(Transaction(plan, Phase.PRUNING, False, plan.before, prunes=plan.prunes, wrote=True))


def step(state: Transaction, event: Event) -> tuple[Transaction, Command | None]:  # noqa: PLR0911 - one row a phase
    """Take one event. No command means that the transaction has ended.

    Raises ValueError on an event that the phase can't have: a bug of the executor.
    """
    match state.phase, event:
        case Phase.VALIDATING, Validated(problems):
            if problems:
                return _failed(state, problems)
            return _apply_next(state) if state.wrote else _validated(state)
        case Phase.IMAGING, Imaged(images, problems):
            return _failed(state, problems) if problems else _record(state, images)
        case Phase.RECORDING, Recorded():
            return _apply_next(replace(state, inventory=state.plan.during))
        case Phase.APPLYING, Answered(outcomes, problems):
            state = noted(state, outcomes)
            if problems and state.on_failure is OnFailure.CONTINUE:
                state = replace(state, problems=state.problems + problems, failed_in=Phase.APPLYING)
                return _after_batch(state)
            return _failed(state, problems) if problems else _after_batch(state)
        case Phase.SERVING, Served(problems):
            return _failed(state, problems) if problems else _apply_next(state)
        case Phase.WAITING, HealthKnown(problems, ours, corrected):
            state = noted(state, corrected)
            state = state if ours else replace(state, on_failure=OnFailure.STOP)
            return _failed(state, problems) if problems else _begin_prune(state)
        case Phase.RECORDING_PRUNE, Recorded():
            return _prune_next(state)
        case Phase.PRUNING, Answered(outcomes, problems):
            state = replace(noted(state, outcomes), problems=state.problems + problems)
            return _prune_next(replace(state, prunes=state.prunes[1:]))
        case ((Phase.COMMITTING | Phase.RECORDING_FAILURE), Recorded()):
            well = state.phase is Phase.COMMITTING and not state.problems
            return replace(state, phase=Phase.DONE if well else Phase.FAILED), None
        case Phase.RECORDING_UNDO, Recorded() if state.target is not None:
            return replace(state, phase=Phase.UNDOING), _undo(state, state.target)
        case Phase.UNDOING, Undone():
            return _undone(state, event)
        case _:
            raise ValueError(f"{type(event).__name__} can't come in phase {state.phase}")


def _validated(state: Transaction) -> tuple[Transaction, Command]:
    plan = state.plan
    if plan.writes == 0 and plan.during == plan.before == plan.after:
        return _wait_or_prune(replace(state, inventory=plan.during))
    if state.on_failure is not OnFailure.UNDO:
        return _record(state, {})
    known = state.target.images if state.target is not None else {}
    unseen = tuple(
        change
        for batch in plan.applies
        for change in batch.changes
        if change.uid and change.id not in known and not _is_ours_new(state, change.id)
    )
    if unseen:
        return replace(state, phase=Phase.IMAGING), TakeImages(unseen)
    return _record(state, {})


def _is_ours_new(state: Transaction, resource: ResourceId) -> bool:
    """True for what an earlier transaction, not committed, has created: it is deleted on undo, not restored."""
    return state.target is not None and resource in state.plan.before and resource not in state.target.inventory


def _record(state: Transaction, images: Mapping[ResourceId, BeforeImage]) -> tuple[Transaction, Command]:
    if not state.steps and not state.gate and state.prunes:
        return _begin_prune(replace(state, inventory=state.plan.during))
    if state.on_failure is OnFailure.UNDO:
        base = state.target or UndoTarget(state.plan.before, {})
        known = {**images, **base.images}
        creating = {c.id for b in state.plan.applies for c in b.changes if c.action is Action.CREATE}
        # What somebody deleted before we came is not there before us, whatever the inventory says: undo leaves it away.
        state = replace(state, target=UndoTarget(base.inventory.without(creating - known.keys()), known))
    return replace(state, phase=Phase.RECORDING), SaveRecord(Phase.APPLYING, state.plan.during, state.target)


def _apply_next(state: Transaction) -> tuple[Transaction, Command]:
    if state.current:
        return replace(state, phase=Phase.APPLYING, wrote=True), Apply(state.current[0].changes)
    if not state.steps:
        return _wait_or_prune(state)
    upcoming = state.steps[0]
    if upcoming.validate:
        rest = (Step(upcoming.batches, ()), *state.steps[1:])
        return replace(state, phase=Phase.VALIDATING, wrote=True, steps=rest), Validate(upcoming.validate)
    state = replace(state, steps=state.steps[1:], current=upcoming.batches)
    return replace(state, phase=Phase.APPLYING, wrote=True), Apply(upcoming.batches[0].changes)


def _after_batch(state: Transaction) -> tuple[Transaction, Command]:
    done, rest = state.current[0], state.current[1:]
    state = replace(state, current=rest)
    if serves(done):
        return replace(state, phase=Phase.SERVING), AwaitServed(done.changes)
    return _apply_next(state)


def _wait_or_prune(state: Transaction) -> tuple[Transaction, Command]:
    if state.problems:  # onFailure: Continue did what it could; nothing is pruned for a revision that is not whole
        return replace(state, phase=Phase.RECORDING_FAILURE), SaveRecord(Phase.FAILED, state.inventory)
    if not state.gate:
        return _begin_prune(state)
    changed = frozenset(o.id for o in state.outcomes.values() if o.result != "unchanged")
    return replace(state, phase=Phase.WAITING), AwaitHealth(changed | state.inherited)


def _begin_prune(state: Transaction) -> tuple[Transaction, Command]:
    """From the first deletion on there is only the way forward, and whoever comes after a crash has to know."""
    if not state.prunes:
        return _prune_next(state)
    leaving = {change.id for batch in state.prunes for change in batch.changes}
    after = UndoTarget(_released(state).without(leaving), {})
    return replace(state, phase=Phase.RECORDING_PRUNE), SaveRecord(Phase.PRUNING, state.inventory, after)


def _released(state: Transaction) -> Inventory:
    return state.inventory.without(c.id for c in state.plan.kept if c.action is Action.RELEASE)


def _prune_next(state: Transaction) -> tuple[Transaction, Command]:
    if state.prunes:
        return replace(state, phase=Phase.PRUNING), Prune(state.prunes[0].changes)
    inventory = _released(state)
    return replace(state, phase=Phase.COMMITTING, inventory=inventory), SaveRecord(Phase.DONE, inventory)


def noted(state: Transaction, outcomes: tuple[Outcome, ...]) -> Transaction:
    """The state with these outcomes entered: an applied object's entry gets its UID and digest, a deleted one goes."""
    entries = Inventory(o.entry for o in outcomes if o.entry is not None)
    gone = [o.id for o in outcomes if o.result == "deleted"]
    found = [o.entry for o in outcomes if o.found and o.entry is not None]
    images = {o.id: o.image for o in outcomes if o.image is not None}
    if state.target is not None and (found or images):
        known = state.target
        state = replace(
            state,
            target=UndoTarget(known.inventory.union(Inventory(found)), {**images, **known.images}),
            kept=(*state.kept, *(_found(entry.id) for entry in found)),
        )
    return replace(
        state,
        inventory=state.inventory.union(entries).without(gone),
        outcomes={**state.outcomes, **{o.id: _since(state.outcomes.get(o.id), o) for o in outcomes}},
    )


_WRITTEN = frozenset({"created", "configured"})


def _since(before: Outcome | None, after: Outcome) -> Outcome:
    """What two writes of one object came to: what the first did is not undone by a second that found it done."""
    if before is None or before.result not in _WRITTEN or after.result not in {"unchanged", "configured"}:
        return after
    return replace(after, result=before.result)


def _found(resource: ResourceId) -> Problem:
    return Problem(
        codes.UNDO_KEPT,
        f"{resource} is kept",
        subject=resource,
        cause="somebody else created it at the moment when it was applied",
        fix="delete it by hand if nobody needs it",
    )


def _failed(state: Transaction, problems: tuple[Problem, ...]) -> tuple[Transaction, Command | None]:
    state = replace(state, problems=state.problems + problems, failed_in=state.phase)
    if not state.wrote:
        return replace(state, phase=Phase.FAILED), None
    if state.on_failure is OnFailure.UNDO and state.target is not None:
        save = SaveRecord(Phase.UNDOING, state.inventory, state.target, state.problems)
        return replace(state, phase=Phase.RECORDING_UNDO), save
    return replace(state, phase=Phase.RECORDING_FAILURE), SaveRecord(Phase.FAILED, state.inventory)


def _undo(state: Transaction, target: UndoTarget) -> Undo:
    """The reverse of the order of kinds; it covers what earlier transactions, not committed, have touched, too."""
    touched = {*target.images, *(state.inventory.ids() - target.inventory.ids())}
    order = tuple(sorted(touched, key=lambda i: (order_of(i.group_kind), i), reverse=True))
    return Undo(target, order, state.inventory)


def _undone(state: Transaction, event: Undone) -> tuple[Transaction, Command | None]:
    named = {problem.subject for problem in event.kept}
    earlier = (p for p in state.kept if p.subject in event.inventory.ids() - named)
    state = replace(
        state,
        phase=Phase.RECORDING_FAILURE,
        inventory=event.inventory,
        kept=(*event.kept, *earlier),
        undo_problems=event.problems,
        undone=not event.problems,
    )
    if event.problems:
        return state, SaveRecord(Phase.UNDOING, event.inventory, state.target, state.problems)
    return state, SaveRecord(Phase.FAILED, event.inventory, None, (*state.problems, *state.kept))
