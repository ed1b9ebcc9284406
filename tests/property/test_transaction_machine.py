"""The engine against a small cluster in memory: commits, crashes, lost and partial answers, supersession, other hands.

The pure engine is the real one (`build_plan`, `begin`, `step`, `resume_undo`); the cluster below it keeps what an API
server would: objects with UIDs and owners, preconditions, and the durable record. After every action the invariants of
a transaction have to hold; in the end, when nothing disturbs it any more, the cluster is as git has it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sluice.core import codes
from sluice.core.before_image import BeforeImage
from sluice.core.deferral import defined_kinds, find_deferred
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Live, Owner, Plan, PlanOptions, build_plan
from sluice.core.problem import Problem
from sluice.core.transaction import Transaction, begin, resume_prune, resume_undo, step
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
from tests.plans import OWNER, manifest

KINDS = ("Namespace", "CustomResourceDefinition", "ConfigMap", "Deployment")
SHAPES = st.dictionaries(
    st.tuples(st.sampled_from(KINDS), st.sampled_from("ab")), st.sampled_from("123"), min_size=1, max_size=8
)
BAD = (Problem(codes.INVALID_OBJECT, "no"),)
Shape = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Thing:
    """A live object: who made it, whose labels it carries, and what it holds."""

    uid: str
    owner: Owner | None
    digest: bytes
    ours: bool


@dataclass(frozen=True)
class Stored:
    """The durable record."""

    phase: Phase
    inventory: Inventory
    target: UndoTarget | None
    failed: tuple[Problem, ...]


class Cluster(RuleBasedStateMachine):
    """One sync, its transactions, and what happens to both."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[ResourceId, Thing] = {}
        self.record = Stored(Phase.DONE, Inventory(), None, ())
        self.running: tuple[Transaction, Command] | None = None
        self.head: tuple[Manifest, ...] = ()
        self.going_to: tuple[Manifest, ...] = ()
        self.whole: dict[ResourceId, bytes] | None = {}
        self.serial = 0
        self.disturbed = False
        self.deleted_in_this = False
        self.kept: dict[ResourceId, str] = {}
        self.imaged: dict[str, Thing] = {}

    # --- what happens -------------------------------------------------------------------------------------------

    @initialize(shape=SHAPES)
    def first(self, shape: Shape) -> None:
        self.push(shape)

    @rule(shape=SHAPES)
    def push(self, shape: Shape) -> None:
        """Somebody commits."""
        self.head = tuple(manifest(kind, name, content) for (kind, name), content in sorted(shape.items()))

    @precondition(lambda self: self.running is None)
    @rule(gate=st.booleans())
    def start(self, gate: bool) -> None:
        """A turn begins: an undo that was cut short goes on, else the head is gone for."""
        record = self.record
        if record.phase is Phase.UNDOING and record.target is not None:
            union = record.inventory
            plan = Plan(OWNER, (), (), (), before=union, during=union, after=Inventory())
            self.running = resume_undo(plan, record.target, record.failed)
            return
        suspects = frozenset(self.live.keys() | record.inventory.ids())
        options = PlanOptions(suspects=suspects)
        plan = build_plan(OWNER, self.head, record.inventory, self._look, options)
        deferral = find_deferred(plan, defined_kinds(self.head))
        self.going_to, self.deleted_in_this, self.disturbed = self.head, False, False
        wanted = {m.id for m in self.head}
        self.kept = {key: thing.uid for key, thing in self.live.items() if key in wanted and key in record.inventory}
        target = record.target if record.phase is not Phase.PRUNING else None
        self.running = begin(plan, deferral, gate=gate, on_failure=OnFailure.UNDO, target=target)

    @precondition(lambda self: self.running is None and self.record.phase in {Phase.APPLYING, Phase.PRUNING})
    @rule()
    def refuse(self) -> None:
        """What git has now can't be applied: what was cut short is taken back, or its pruning finished."""
        record = self.record
        assert record.target is not None
        union = record.inventory
        if record.phase is Phase.APPLYING:
            plan = Plan(OWNER, (), (), (), before=union, during=union, after=Inventory())
            self.running = resume_undo(plan, record.target, BAD)
            return
        leaving = union.without(record.target.inventory.ids())
        plan = build_plan(OWNER, (), leaving, self._look, PlanOptions())
        self.running = resume_prune(replace(plan, before=union, during=union, after=record.target.inventory))

    @precondition(lambda self: self.running is not None)
    @rule(fails=st.sampled_from([False, False, False, True]), part=st.integers(0, 4))
    def answer(self, fails: bool, part: int) -> None:
        """The command is carried out, wholly or in part, and answered."""
        assert self.running is not None
        state, command = self.running
        state, following = step(state, self._carry_out(command, fails, part))
        if following is not None:
            self.running = (state, following)
            return
        self.running = None

    @precondition(lambda self: self.running is not None)
    @rule(done=st.booleans(), fails=st.booleans(), part=st.integers(0, 4))
    def crash(self, done: bool, fails: bool, part: int) -> None:
        """The process dies before the command reached the server, or after: wholly or in part, unanswered."""
        assert self.running is not None
        if done:
            self._carry_out(self.running[1], fails, part)
        self.running = None

    @precondition(lambda self: self.running is not None and isinstance(self.running[1], AwaitHealth))
    @rule()
    def supersede(self) -> None:
        """A newer revision ends the wait."""
        self.running = None

    @rule(data=st.data())
    def somebody_edits_or_deletes(self, data: st.DataObject) -> None:
        """Another hand changes an object or deletes it, at any time."""
        if not self.live:
            return
        key = data.draw(st.sampled_from(sorted(self.live)))
        self.whole, self.disturbed = None, True
        if data.draw(st.booleans()):
            self.live[key] = replace(self.live[key], digest=b"edited")
        else:
            del self.live[key]

    @precondition(lambda self: self.running is None)
    @rule(data=st.data(), labelled=st.booleans())
    def somebody_makes(self, data: st.DataObject, labelled: bool) -> None:
        """Another hand makes an object of a name that could be ours; it may even carry our labels."""
        kind, name = data.draw(st.tuples(st.sampled_from(KINDS), st.sampled_from("abz")))
        key = manifest(kind, name).id
        self.whole = None
        self.live[key] = Thing(self._uid("theirs"), OWNER if labelled else None, b"theirs", ours=False)

    # --- the server ---------------------------------------------------------------------------------------------

    def _uid(self, what: str) -> str:
        self.serial += 1
        return f"{what}-{self.serial}"

    def _look(self, key: ResourceId) -> Live | None:
        thing = self.live.get(key)
        return Live(thing.uid, thing.uid, "g1", thing.owner) if thing is not None else None

    def _carry_out(self, command: Command, fails: bool, part: int) -> Event:
        problems = BAD if fails else ()
        match command:
            case Validate():
                return Validated(problems)
            case TakeImages(changes):
                there = {c.id: self.live[c.id] for c in changes if c.id in self.live}
                images = {k: BeforeImage(k, "v1", t.uid, t.digest, repr(t.owner).encode()) for k, t in there.items()}
                self.imaged |= {t.uid: t for t in there.values()}
                return Imaged(images, problems)
            case SaveRecord(phase, inventory, target, why):
                self.record = Stored(phase, inventory, target, why)
                if phase is Phase.DONE and self.running is not None:
                    whole = not self.disturbed and not self.running[0].problems
                    self.whole = {m.id: m.digest for m in self.going_to} if whole else None
                return Recorded()
            case Apply(changes):
                return self._apply(changes[: part if fails else None], problems)
            case AwaitServed():
                return Served(problems)
            case AwaitHealth():
                return HealthKnown(problems)
            case Prune(changes):
                return self._prune(changes[: part if fails else None], problems)
            case Undo():
                return self._undo(command, fails, part)

    def _apply(self, changes: tuple[Any, ...], problems: tuple[Problem, ...]) -> Answered:
        assert not self.deleted_in_this, "an apply after a deletion of the same transaction"
        outcomes = []
        for change in changes:
            assert change.id in self.record.inventory, f"{change.id} is written, and the record does not know of it"
            old = self.live.get(change.id)
            if change.uid and (old is None or old.uid != change.uid):
                problems = (*problems, Problem(codes.OBJECT_CHANGED, "changed", change.id))
                continue
            made = Thing(self._uid("ours"), OWNER, change.manifest.digest, ours=True) if old is None else old
            self.live[change.id] = replace(made, owner=OWNER, digest=change.manifest.digest)
            entry = Entry(change.id, change.api_version, self.live[change.id].uid, change.manifest.digest, "g1")
            outcomes.append(Outcome(change.id, "created" if old is None else "configured", entry))
        return Answered(tuple(outcomes), problems)

    def _prune(self, changes: tuple[Any, ...], problems: tuple[Problem, ...]) -> Answered:
        outcomes = []
        for change in changes:
            assert change.id not in {m.id for m in self.going_to}, f"{change.id} is desired, and deleted"
            self.deleted_in_this = True
            thing = self.live.get(change.id)
            if thing is not None and thing.uid == change.uid:
                known = self.record.inventory.get(change.id)
                assert known is not None, f"{change.id} is deleted, and was never ours"
                assert known.uid in {"", thing.uid}, f"{change.id} is deleted, and is another object"
                assert thing.owner == OWNER, f"{change.id} is deleted, and does not carry our labels"
                del self.live[change.id]
            outcomes.append(Outcome(change.id, "deleted"))
        return Answered(tuple(outcomes), problems)

    def _undo(self, command: Undo, fails: bool, part: int) -> Undone:
        """As `runtime.undo` does it, object by object; a failure leaves the rest as it is, tracked."""
        assert self.record.phase is not Phase.PRUNING, "an undo after a deletion"
        entries = {e.id: e for e in command.target.inventory}
        order = command.order[: part if fails else None]
        for key in order:
            image, created, thing = command.target.images.get(key), command.union.get(key), self.live.get(key)
            if image is not None and thing is not None and thing.uid == image.uid:
                self.live[key] = self.imaged[image.uid]
            elif image is None and created is not None and thing is not None and created.uid in {"", thing.uid}:
                self.live = {k: t for k, t in self.live.items() if k != key or not t.ours}
        if len(order) < len(command.order):
            left = {key: e for key in command.order[len(order) :] if (e := command.union.get(key)) is not None}
            return Undone(Inventory({**entries, **left}.values()), problems=BAD)
        return Undone(command.target.inventory)

    # --- what has to be true --------------------------------------------------------------------------------------

    @invariant()
    def whatever_we_made_is_in_the_durable_inventory(self) -> None:
        """I2: owned ⊇ created."""
        made = {key for key, thing in self.live.items() if thing.ours}
        assert made <= self.record.inventory.ids()

    @invariant()
    def with_no_transaction_open_the_cluster_is_at_one_revision(self) -> None:
        """I1: unless somebody else had a hand in it."""
        record = self.record
        if self.running is not None or record.target is not None or record.phase is not Phase.DONE:
            return
        if self.whole is not None:
            tracked = record.inventory.ids()
            assert {key: thing.digest for key, thing in self.live.items() if key in tracked} == self.whole

    @invariant()
    def an_object_of_both_revisions_keeps_its_uid(self) -> None:
        """I8: nothing of ours recreates it; `kept` forgets what others deleted."""
        for key, uid in list(self.kept.items()):
            thing = self.live.get(key)
            if thing is None or not thing.ours:
                del self.kept[key]  # only other hands delete what is desired: `_prune` and `_undo` were checked
            else:
                assert thing.uid == uid or self.disturbed

    @invariant()
    def an_open_transaction_knows_its_way_back(self) -> None:
        """From the first write until commit or the end of an undo."""
        if self.record.phase in {Phase.APPLYING, Phase.PRUNING, Phase.UNDOING}:
            assert self.record.target is not None

    def teardown(self) -> None:
        """L1: left alone, it comes to the head; and then there is nothing to do (I14)."""
        for _ in range(200):
            if self.running is not None:
                self.answer(fails=False, part=0)
                continue
            wanted = {m.id: m.digest for m in self.head}
            settled = self.record.phase is Phase.DONE and self.record.inventory.ids() == wanted.keys()
            if settled and all(k in self.live and self.live[k].digest == d for k, d in wanted.items()):
                break
            self.start(gate=False)
        ours = {key: thing.digest for key, thing in self.live.items() if thing.ours}
        wanted = {m.id: m.digest for m in self.head}
        assert ours.items() <= wanted.items()
        assert {key: self.live[key].digest for key in wanted} == wanted
        again = build_plan(OWNER, self.head, self.record.inventory, self._look, PlanOptions())
        assert again.writes == 0


TestTransactions = Cluster.TestCase
TestTransactions.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
