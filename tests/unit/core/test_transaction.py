"""The execution of a plan, step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.core import codes
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Plan, PlanOptions, build_plan
from sluice.core.problem import Problem
from sluice.core.steps import Deferral
from sluice.core.transaction import Transaction, begin, resume_prune, step
from sluice.core.transaction_messages import (
    Answered,
    Apply,
    AwaitHealth,
    AwaitServed,
    Command,
    Event,
    HealthKnown,
    Imaged,
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
from tests.plans import OWNER, entry, live, manifest

A, B, OLD = (manifest("ConfigMap", name) for name in ("a", "b", "old"))
BAD = Problem(codes.INVALID_OBJECT, "no")


def plan_of(desired: tuple[Manifest, ...], known: tuple[Manifest, ...] = ()) -> Plan:
    return build_plan(OWNER, desired, Inventory(map(entry, known)), {m.id: live() for m in known}.get, PlanOptions())


def good(command: Command) -> Event:
    """The answer when all goes well."""
    match command:
        case Validate():
            return Validated()
        case SaveRecord():
            return Recorded()
        case Apply(changes):
            return Answered(
                tuple(
                    Outcome(
                        c.id, "created", Entry(c.id, c.api_version, "uid-1", c.manifest.digest if c.manifest else b"")
                    )
                    for c in changes
                )
            )
        case AwaitServed():
            return Served()
        case AwaitHealth():
            return HealthKnown()
        case Prune(changes):
            return Answered(tuple(Outcome(c.id, "deleted") for c in changes))
        case TakeImages():
            return Imaged({})
        case Undo(target):
            return Undone(target.inventory)


def run(plan: Plan, deferral: Deferral = Deferral(), *, gate: bool = False) -> tuple[Transaction, list[Command]]:  # noqa: B008
    """Run it to its end, all going well."""
    state, command = begin(plan, deferral, gate=gate)
    commands: list[Command] = []
    following: Command | None = command
    while following is not None:
        commands.append(following)
        state, following = step(state, good(following))
    return state, commands


def names(commands: list[Command]) -> list[str]:
    return [type(c).__name__ for c in commands]


def test_all_that_can_be_judged_is_dry_run_before_the_record_and_the_record_before_the_first_apply() -> None:
    state, commands = run(plan_of((A, B), (OLD,)))
    assert names(commands) == ["Validate", "SaveRecord", "Apply", "SaveRecord", "Prune", "SaveRecord"]
    assert commands[1] == SaveRecord(Phase.APPLYING, state.plan.during)
    assert commands[5] == SaveRecord(Phase.DONE, state.inventory)
    assert state.phase is Phase.DONE
    assert state.inventory.ids() == {A.id, B.id}


def test_what_was_dry_run_just_now_is_not_dry_run_again_unless_it_has_gone_meanwhile() -> None:
    for gone in (False, True):
        there = {} if gone else {A.id: live()}
        options = PlanOptions(suspects=frozenset({A.id}))
        plan = build_plan(OWNER, (A, B), Inventory((entry(A),)), there.get, options)
        _, command = begin(plan, Deferral(), gate=False, accepted=frozenset({A.id}))
        assert isinstance(command, Validate)
        assert {c.id for c in command.changes} == ({A.id, B.id} if gone else {B.id})


def test_a_plan_without_changes_asks_for_one_record_and_nothing_else() -> None:
    state, commands = run(plan_of((A,), (A,)))
    assert commands == [SaveRecord(Phase.DONE, state.plan.before)]


def test_a_plan_without_changes_still_passes_its_gate() -> None:
    _, commands = run(plan_of((A,), (A,)), gate=True)
    assert names(commands) == ["AwaitHealth", "SaveRecord"]


def test_the_gate_stands_between_the_last_apply_and_the_first_prune() -> None:
    _, commands = run(plan_of((A,), (OLD,)), gate=True)
    assert names(commands) == ["Validate", "SaveRecord", "Apply", "AwaitHealth", "SaveRecord", "Prune", "SaveRecord"]
    assert commands[3] == AwaitHealth(frozenset({A.id}))


def test_before_the_first_deletion_it_is_recorded_that_there_is_only_the_way_forward() -> None:
    state, commands = run(plan_of((A,), (OLD,)))
    [saved] = [c for c in commands if isinstance(c, SaveRecord) and c.phase is Phase.PRUNING]
    assert commands[commands.index(saved) + 1] == Prune(state.plan.prunes[0].changes)
    assert saved.inventory.ids() == {A.id, OLD.id}
    assert saved.target == UndoTarget(state.inventory, {})


def test_a_plan_that_only_prunes_records_that_at_once() -> None:
    _, commands = run(plan_of((A,), (A, OLD)))
    assert [c.phase for c in commands if isinstance(c, SaveRecord)] == [Phase.PRUNING, Phase.DONE]


def test_pruning_that_was_cut_short_goes_on_without_an_apply() -> None:
    held = Inventory((entry(A), entry(OLD)))
    plan = replace(plan_of((), (OLD,)), before=held, during=held, after=Inventory((entry(A),)))
    state, command = resume_prune(plan)
    assert command == Prune(plan.prunes[0].changes)
    state, following = step(state, good(command))
    assert following == SaveRecord(Phase.DONE, Inventory((entry(A),)))


def test_crds_and_namespaces_are_served_before_what_needs_them_is_judged_and_sent() -> None:
    crd, home, gadget = (
        manifest("CustomResourceDefinition", "g"),
        manifest("Namespace", "shop"),
        manifest("Gadget", "g"),
    )
    _, commands = run(plan_of((gadget, home, crd)), Deferral(served=frozenset({gadget.id})))
    assert names(commands) == [
        "Validate", "SaveRecord", "Apply", "AwaitServed", "Apply", "AwaitServed", "Validate", "Apply", "SaveRecord",
    ]  # fmt: skip
    validated = [c.changes for c in commands if isinstance(c, Validate)]
    assert [x.id for x in validated[0]] == [crd.id, home.id]
    assert [x.id for x in validated[1]] == [gadget.id]


def test_a_role_is_applied_before_its_binding_is_judged() -> None:
    role, bound = manifest("Role", "r"), manifest("RoleBinding", "b")
    _, commands = run(plan_of((bound, role)), Deferral(applied=frozenset({bound.id})))
    assert names(commands) == ["Validate", "SaveRecord", "Apply", "Validate", "Apply", "SaveRecord"]


def test_a_refused_dry_run_ends_it_with_nothing_written() -> None:
    state, _ = begin(plan_of((A,)), Deferral(), gate=False)
    ended, command = step(state, Validated((BAD,)))
    assert command is None
    assert ended.phase is Phase.FAILED
    assert ended.failed_in is Phase.VALIDATING
    assert not ended.wrote
    assert ended.problems == (BAD,)


def advanced(plan: Plan, until: type, deferral: Deferral = Deferral(), *, gate: bool = False) -> Transaction:  # noqa: B008
    """The state when a command of that type is due."""
    state, command = begin(plan, deferral, gate=gate)
    following: Command | None = command
    while following is not None and not isinstance(following, until):
        state, following = step(state, good(following))
    return state


def test_a_refused_apply_records_the_failure_and_keeps_every_entry() -> None:
    state = advanced(plan_of((A, B), (OLD,)), Apply)
    state, command = step(state, Answered((Outcome(A.id, "created", entry(A, "uid-9")),), (BAD,)))
    assert isinstance(command, SaveRecord)
    assert command.phase is Phase.FAILED
    assert command.inventory.ids() == {A.id, B.id, OLD.id}
    assert command.inventory.get(A.id) == entry(A, "uid-9")
    ended, following = step(state, Recorded())
    assert (ended.phase, following) == (Phase.FAILED, None)


def test_a_refused_late_dry_run_counts_as_a_failure_after_writes() -> None:
    crd, gadget = manifest("CustomResourceDefinition", "g"), manifest("Gadget", "g")
    deferral = Deferral(served=frozenset({gadget.id}))
    state, command = begin(plan_of((crd, gadget)), deferral, gate=False)
    for _ in range(4):
        state, following = step(state, good(command))
        assert following is not None
        command = following
    assert isinstance(command, Validate)
    state, following = step(state, Validated((BAD,)))
    assert isinstance(following, SaveRecord)
    assert following.phase is Phase.FAILED
    assert state.wrote


@pytest.mark.parametrize(("until", "event"), [(AwaitServed, Served((BAD,))), (AwaitHealth, HealthKnown((BAD,)))])
def test_what_is_not_served_or_not_healthy_stops_everything_and_prunes_nothing(until: type, event: Event) -> None:
    state = advanced(plan_of((manifest("Namespace", "shop"), A), (OLD,)), until, gate=True)
    state, command = step(state, event)
    assert isinstance(command, SaveRecord)
    assert command.phase is Phase.FAILED
    assert OLD.id in command.inventory


def test_a_denied_deletion_keeps_its_entry_and_the_others_go_on() -> None:
    secret = manifest("Secret", "old")
    state = advanced(plan_of((A,), (OLD, secret)), Prune)
    state, command = step(state, Answered((), (BAD,)))
    assert isinstance(command, Prune)
    state, command = step(state, good(command))
    assert isinstance(command, SaveRecord)
    assert command.inventory.ids() == {A.id, secret.id}
    ended, _ = step(state, Recorded())
    assert ended.phase is Phase.FAILED
    assert ended.problems == (BAD,)
    assert ended.failed_in is None


def test_an_object_that_is_still_being_deleted_keeps_its_entry_and_fails_nothing() -> None:
    state = advanced(plan_of((A,), (OLD,)), Prune)
    state, command = step(state, Answered((Outcome(OLD.id, "deleting"),)))
    assert isinstance(command, SaveRecord)
    assert OLD.id in command.inventory
    assert step(state, Recorded())[0].phase is Phase.DONE


def test_an_unchanged_answer_is_no_change_for_the_gate() -> None:
    state = advanced(plan_of((A, B)), Apply, gate=True)
    outcomes = (Outcome(A.id, "unchanged", entry(A)), Outcome(B.id, "created", entry(B)))
    _, command = step(state, Answered(outcomes))
    assert command == AwaitHealth(frozenset({B.id}))


@pytest.mark.parametrize(("first", "then", "told"), [
    ("created", "unchanged", "created"),
    ("created", "configured", "created"),
    ("configured", "unchanged", "configured"),
    ("configured", "created", "created"),
    ("unchanged", "configured", "configured"),
])  # fmt: skip
def test_what_is_written_again_while_health_is_waited_for_is_told_as_what_both_writes_came_to(
    first: str, then: str, told: str
) -> None:
    state = advanced(plan_of((A,)), Apply, gate=True)
    state, _ = step(state, Answered((Outcome(A.id, first, entry(A, "uid-1")),)))
    state, _ = step(state, HealthKnown(corrected=(Outcome(A.id, then, entry(A, "uid-2")),)))
    assert state.outcomes[A.id].result == told
    assert state.inventory.get(A.id) == entry(A, "uid-2")


def test_what_an_attempt_that_was_cut_short_wrote_can_still_fail_the_next_one() -> None:
    plan = plan_of((A, B), (A,))
    target = UndoTarget(Inventory(), {})
    state, command = begin(plan, Deferral(), gate=True, target=target)
    while not isinstance(command, AwaitHealth):
        unchanged = (
            Answered(tuple(Outcome(c.id, "unchanged") for c in command.changes)) if isinstance(command, Apply) else None
        )
        following = step(state, unchanged or good(command))
        assert following[1] is not None
        state, command = following[0], following[1]
    assert command.changed == {A.id}


@pytest.mark.parametrize("event", [Recorded(), Answered(()), Served(), HealthKnown()])
def test_an_event_that_the_phase_cannot_have_is_a_bug(event: Event) -> None:
    state, _ = begin(plan_of((A,)), Deferral(), gate=False)
    with pytest.raises(ValueError, match="can't come in phase Validating"):
        step(state, event)


def test_an_ended_transaction_takes_no_event() -> None:
    ended, _ = run(plan_of((A,)))
    assert ended.phase.ended
    with pytest.raises(ValueError, match="can't come in phase Done"):
        step(ended, Recorded())


def test_the_total_counts_what_is_sent_and_deleted() -> None:
    assert run(plan_of((A, B), (B, OLD)))[0].total == 2
