"""Laws of the transaction: any plan, any answers, any crash."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from sluice.core import codes
from sluice.core.before_image import BeforeImage
from sluice.core.deferral import defined_kinds, find_deferred
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Action, Change, Live, Plan, PlanOptions, build_plan
from sluice.core.problem import Problem
from sluice.core.steps import Deferral
from sluice.core.transaction import Transaction, begin, step
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
from tests.plans import OWNER, desired, inventories, lives

BAD = (Problem(codes.INVALID_OBJECT, "no"),)


@dataclass(frozen=True)
class Story:
    """A plan and the luck it meets."""

    plan: Plan
    deferral: Deferral
    gate: bool


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Any plan, with the deferrals that follow from it and some more."""
    wanted: tuple[Manifest, ...] = draw(desired())
    known: Inventory = draw(inventories())
    cluster: dict[ResourceId, Live] = draw(lives())
    plan = build_plan(OWNER, wanted, known, cluster.get, PlanOptions(prune=draw(st.booleans())))
    found = find_deferred(plan, defined_kinds(wanted))
    applying = [c.id for batch in plan.applies for c in batch.changes]
    served = frozenset(draw(st.lists(st.sampled_from(applying), max_size=3))) if applying else frozenset()
    return Story(plan, Deferral(found.served | served, found.applied - served), draw(st.booleans()))


@dataclass
class Log:
    """What was commanded and answered, and what is durable."""

    commands: list[Command] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    durable: Inventory = field(default_factory=Inventory)
    touched: set[ResourceId] = field(default_factory=set)
    way_back: UndoTarget | None = None


def answer(command: Command, draw: st.DataObject) -> Event:
    """Any legal answer; mostly good ones."""
    fails = draw.draw(st.integers(0, 9)) == 0
    problems = BAD if fails else ()
    match command:
        case Validate():
            return Validated(problems)
        case SaveRecord():
            return Recorded()
        case Apply(changes):
            done = changes[: draw.draw(st.integers(0, len(changes)))] if fails else changes
            results = st.sampled_from(["created", "configured", "unchanged"])
            return Answered(tuple(Outcome(c.id, draw.draw(results), _entry(c)) for c in done), problems)
        case AwaitServed():
            return Served(problems)
        case AwaitHealth():
            return HealthKnown(problems)
        case Prune(changes):
            done = changes[: draw.draw(st.integers(0, len(changes)))] if fails else changes
            return Answered(
                tuple(Outcome(c.id, draw.draw(st.sampled_from(["deleted", "deleting"]))) for c in done), problems
            )
        case TakeImages(changes):
            return Imaged({c.id: BeforeImage(c.id, c.api_version, c.uid, b"{}", b"[]") for c in changes}, problems)
        case Undo(target):
            return Undone(target.inventory, problems=problems)


def _entry(change: Change) -> Entry:
    assert change.manifest is not None
    return Entry(change.id, change.api_version, change.uid or "fresh", change.manifest.digest, "g2")


def play(
    story: Story, draw: st.DataObject, limit: int = 1000, on_failure: OnFailure = OnFailure.STOP
) -> tuple[Transaction, Log]:
    """Run it with any answers, until it ends or crashes after `limit` commands."""
    log = Log(durable=story.plan.before)
    state, command = begin(story.plan, story.deferral, gate=story.gate, on_failure=on_failure)
    following: Command | None = command
    while following is not None and len(log.commands) < limit:
        log.commands.append(following)
        if isinstance(following, Apply):
            log.touched |= {c.id for c in following.changes}
        if isinstance(following, SaveRecord):
            log.durable, log.way_back = following.inventory, following.target
        event = answer(following, draw)
        log.events.append(event)
        state, following = step(state, event)
    return state, log


def what_was_there(plan: Plan) -> Inventory:
    """The inventory before, less what somebody had deleted."""
    return plan.before.without(c.id for b in plan.applies for c in b.changes if c.action is Action.CREATE)


STORIES = stories()


@given(STORIES, st.data())
def test_every_transaction_ends_and_says_how(story: Story, draw: st.DataObject) -> None:
    state, log = play(story, draw)
    assert state.phase.ended
    assert (state.phase is Phase.FAILED) == bool(state.problems)
    assert len(log.commands) < 100


@given(STORIES, st.data())
def test_a_step_is_deterministic(story: Story, draw: st.DataObject) -> None:
    ended, log = play(story, draw)
    state, command = begin(story.plan, story.deferral, gate=story.gate)
    following: Command | None = command
    for said, event in zip(log.commands, log.events, strict=True):
        assert following == said
        state, following = step(state, event)
    assert state == ended


@given(STORIES, st.data())
def test_every_deletion_comes_after_the_last_apply_and_after_the_gate(story: Story, draw: st.DataObject) -> None:
    kinds = [type(c) for c in play(story, draw)[1].commands]
    if Prune in kinds:
        first = kinds.index(Prune)
        assert not {Apply, Validate, AwaitServed, AwaitHealth} & set(kinds[first:])
        assert not story.gate or AwaitHealth in kinds[:first]


@given(STORIES, st.data())
def test_the_union_inventory_is_durable_before_the_first_write(story: Story, draw: st.DataObject) -> None:
    commands = play(story, draw)[1].commands
    writes = [n for n, c in enumerate(commands) if isinstance(c, Apply | Prune)]
    if writes:
        saved = [c for c in commands[: writes[0]] if isinstance(c, SaveRecord)]
        assert saved[0].inventory == story.plan.during
        assert saved[0].phase is (Phase.APPLYING if story.plan.applies or story.gate else Phase.PRUNING)


@given(STORIES, st.data())
def test_after_a_failure_nothing_is_sent_any_more(story: Story, draw: st.DataObject) -> None:
    _, log = play(story, draw)
    failed = False
    for command, event in zip(log.commands, log.events, strict=True):
        if failed:
            assert isinstance(command, SaveRecord)
        failed = failed or (not isinstance(command, Prune) and bool(getattr(event, "problems", ())))


@given(STORIES, st.data())
def test_every_object_is_sent_at_most_once_and_dry_run_before(story: Story, draw: st.DataObject) -> None:
    judged: set[ResourceId] = set()
    sent: list[ResourceId] = []
    for command in play(story, draw)[1].commands:
        if isinstance(command, Validate):
            judged |= {c.id for c in command.changes}
        if isinstance(command, Apply):
            sent += [c.id for c in command.changes]
            assert set(sent) <= judged
    assert len(sent) == len(set(sent))


@given(STORIES, st.data())
def test_a_successful_transaction_sends_and_deletes_all_of_its_plan(story: Story, draw: st.DataObject) -> None:
    state, log = play(story, draw)
    if state.phase is Phase.DONE:
        sent = {c.id for command in log.commands if isinstance(command, Apply | Prune) for c in command.changes}
        assert len(sent) == story.plan.writes
        assert state.inventory.ids() >= story.plan.after.ids()


@given(STORIES, st.data())
def test_the_inventory_narrows_only_by_what_was_seen_deleted_or_is_released(story: Story, draw: st.DataObject) -> None:
    state, log = play(story, draw)
    deleted = {o.id for e in log.events if isinstance(e, Answered) for o in e.outcomes if o.result == "deleted"}
    released = {c.id for c in story.plan.kept if c.action is Action.RELEASE}
    gone = story.plan.before.ids() - state.inventory.ids()
    assert gone <= deleted | released
    if state.problems and state.failed_in is not None:
        assert gone == set()


@given(STORIES, st.data(), st.integers(0, 30))
def test_a_crash_at_any_point_leaves_every_object_that_may_exist_in_the_record(
    story: Story, draw: st.DataObject, limit: int
) -> None:
    _, log = play(story, draw, limit)
    deleted = {o.id for e in log.events if isinstance(e, Answered) for o in e.outcomes if o.result == "deleted"}
    assert log.touched <= log.durable.ids()
    released = {c.id for c in story.plan.kept if c.action is Action.RELEASE}
    assert story.plan.before.ids() - deleted - released <= log.durable.ids()


@given(STORIES, st.data(), st.integers(0, 30))
def test_what_the_server_confirmed_is_in_the_record_of_an_ended_transaction_with_its_uid(
    story: Story, draw: st.DataObject, limit: int
) -> None:
    state, log = play(story, draw)
    if state.phase.ended and state.wrote:
        for event in log.events:
            for outcome in event.outcomes if isinstance(event, Answered) else ():
                if outcome.entry is not None:
                    assert log.durable.get(outcome.id) == outcome.entry


@given(STORIES, st.data(), st.integers(0, 30))
def test_with_undo_a_crash_at_any_point_leaves_the_way_back_of_every_object_touched_or_the_way_forward(
    story: Story, draw: st.DataObject, limit: int
) -> None:
    state, log = play(story, draw, limit, OnFailure.UNDO)
    if state.phase is Phase.PRUNING:
        assert log.way_back is not None
        assert log.way_back.inventory.ids() <= log.durable.ids()
        assert not log.way_back.inventory.ids() & {c.id for batch in story.plan.prunes for c in batch.changes}
    elif log.touched and not state.phase.ended and state.phase is not Phase.COMMITTING:
        assert log.way_back is not None
        assert log.way_back.inventory == what_was_there(story.plan)
        existed = {c.id for batch in story.plan.applies for c in batch.changes if c.uid}
        assert log.touched & existed <= log.way_back.images.keys()


@given(STORIES, st.data())
def test_with_undo_a_failure_after_a_write_takes_back_every_object_touched_and_nothing_is_pruned(
    story: Story, draw: st.DataObject
) -> None:
    state, log = play(story, draw, on_failure=OnFailure.UNDO)
    undos = [c for c in log.commands if isinstance(c, Undo)]
    if state.problems and state.wrote and state.failed_in is not None:
        assert len(undos) == 1
        assert log.touched <= set(undos[0].order)
        assert not any(isinstance(c, Prune) for c in log.commands)
        if state.undone:
            assert state.inventory == what_was_there(story.plan)
            assert log.way_back is None
        else:
            assert log.way_back is not None, "what could not be undone is tried again, from the record"
    else:
        assert undos == []


@given(STORIES, st.data())
def test_an_undo_is_recorded_before_it_begins(story: Story, draw: st.DataObject) -> None:
    commands = play(story, draw, on_failure=OnFailure.UNDO)[1].commands
    for number, command in enumerate(commands):
        if isinstance(command, Undo):
            saved = commands[number - 1]
            assert isinstance(saved, SaveRecord)
            assert saved.phase is Phase.UNDOING
            assert saved.target == command.target


@given(STORIES, st.data())
def test_continue_sends_every_batch_and_prunes_nothing_of_a_revision_that_is_not_whole(
    story: Story, draw: st.DataObject
) -> None:
    state, log = play(story, draw, on_failure=OnFailure.CONTINUE)
    if state.problems and state.failed_in is Phase.APPLYING:
        assert not any(isinstance(c, Prune | Undo) for c in log.commands)
