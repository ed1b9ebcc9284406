"""Runs a transaction: sends what `core.transaction` commands to the API server and feeds it the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from sluice.core.errors import SluiceError
from sluice.core.health import CustomHealth, needs_watch, rule_for
from sluice.core.history import Counts, Past
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.order import CRD
from sluice.core.plan import Action, Batch, Change, Owner, Plan
from sluice.core.problem import Problem
from sluice.core.record import FailedRevision, Record, holds_what_is_wanted
from sluice.core.shares import Shares
from sluice.core.steps import Deferral
from sluice.core.timestamp import rfc3339
from sluice.core.transaction import Transaction, begin, noted, resume_prune, resume_undo, step
from sluice.core.transaction_messages import (
    Answered,
    Apply,
    AwaitHealth,
    AwaitServed,
    Command,
    Event,
    HealthKnown,
    OnFailure,
    Outcome,
    Phase,
    Prune,
    Recorded,
    SaveRecord,
    Served,
    TakeImages,
    Undo,
    UndoTarget,
    Validate,
    Validated,
)
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.runtime import tracing
from sluice.runtime.applier import Applier
from sluice.runtime.health_gate import HealthGate, Target
from sluice.runtime.identities import Identities
from sluice.runtime.journal import Journal, SyncJournal
from sluice.runtime.metrics import TRANSACTION_SECONDS, TRANSACTIONS
from sluice.runtime.owned import OwnedObjects
from sluice.runtime.pruner import Pruner
from sluice.runtime.record_store import RecordStore
from sluice.runtime.resources import resource_of
from sluice.runtime.together import one_failure
from sluice.runtime.undo import Undoer

SERVED_TIMEOUT = 60.0

NOTHING_DEFERRED = Deferral()

Progress = Callable[[str], Awaitable[None]]


async def _no_requests() -> frozenset[str]:
    return frozenset()


async def _as_they_are(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    return problems


def _never_forced(resource: ResourceId) -> bool:
    return False


def _untold() -> None:
    """Nobody asks when everything was applied."""


async def _never() -> None:
    """Wait for ever: nothing supersedes this transaction."""
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Corrections:
    """How drift is set right while a transaction waits for health.

    Whoever does it holds `writing` from the first write until `outcomes` has what came of it: the wait does not end in
    between, or nobody would know of it. `expect_anew` makes durable which objects are about to be made anew, so that
    they are known as ours whatever becomes of the process.
    """

    outcomes: list[Outcome]
    expect_anew: Callable[[Collection[ResourceId]], Awaitable[None]]
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


async def _keep_nothing(corrections: Corrections) -> None:
    """Wait for ever: nobody sets drift right while this transaction waits."""
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Execution:
    """What one transaction needs besides its plan. Times are seconds. `requests` are those made until it is asked.

    `keep` runs while the transaction waits for health, and sets drift right.
    `made_from` names all that the desired state, of `wanted` objects, was made from; empty where that can't be named.
    `accepted` are the objects whose manifests the API server has just taken in a dry-run.
    `force` says of an object whether its sync's spec asks to recreate it where a field can't be changed.
    `journal` is where a group's transaction is recorded; a sync's own is in its record.
    `placed` says of problems where in git they stand: a failure that is remembered is told as it was when it was new.
    `applied` is called when everything is applied and the wait for health begins.
    """

    sync: Owner
    revision: str
    timeout: float
    progress: Progress
    deferral: Deferral = NOTHING_DEFERRED
    accepted: frozenset[ResourceId] = frozenset()
    force: Callable[[ResourceId], bool] = _never_forced
    targets: tuple[Target, ...] = ()
    waiting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    superseded: Callable[[], Coroutine[Any, Any, None]] = _never
    keep: Callable[[Corrections], Coroutine[Any, Any, None]] = _keep_nothing
    on_failure: OnFailure = OnFailure.STOP
    inputs: str = ""
    made_from: str = ""
    wanted: int = 0
    requests: Callable[[], Awaitable[frozenset[str]]] = _no_requests
    digest: str = ""
    author: str = ""
    subject: str = ""
    journal: Journal | None = None
    placed: Callable[[tuple[Problem, ...]], Awaitable[tuple[Problem, ...]]] = _as_they_are
    applied: Callable[[], None] = _untold


@dataclass(slots=True)
class _Run:
    """One transaction under way.

    `recreate` are the objects whose dry-run said that they can only be replaced, `corrected` what was set right while
    it waits for health.
    """

    execution: Execution
    journal: Journal
    epoch: int
    started: float
    deadline: float
    recreate: set[ResourceId] = field(default_factory=set)
    corrected: list[Outcome] = field(default_factory=list)


class Executor:
    """Sends, waits and records. One instance serves every transaction."""

    def __init__(
        self,
        client: KubeClient,
        discovery: Discovery,
        owned: OwnedObjects,
        records: RecordStore,
        identities: Identities,
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._records = records
        self._identities = identities
        self._applier = Applier(discovery, owned)
        self._pruner = Pruner(discovery, owned)
        self._undoer = Undoer(client, discovery, owned)

    async def run(self, plan: Plan, execution: Execution) -> Transaction:
        """Run `plan` to its end and return the ended transaction; its problems say what went wrong.

        Whoever made the plan has seen that the accounts of its syncs are there. Raises ClusterError when the record
        can't be written: nothing was changed then that it does not hold.
        """
        journal = self._journal_of(execution)
        state, command = begin(
            plan,
            execution.deferral,
            gate=bool(execution.targets),
            on_failure=execution.on_failure,
            target=journal.target,
            kept=journal.kept,
            accepted=execution.accepted,
        )
        return await self._drive(state, command, execution, journal.epoch + 1)

    def _journal_of(self, execution: Execution) -> Journal:
        return execution.journal or SyncJournal(self._records, execution.sync)

    async def correct(self, batches: Iterable[Batch], owner: Owner) -> Answered:
        """Apply again what the record's inventory holds already: no transaction, and the record is the caller's.

        Raises NotReady (AccountMissing), ClusterError.
        """
        await self._identities.check([owner])
        client_of = self._identities.of_shares(Shares.of_one(owner))
        outcomes: list[Outcome] = []
        problems: list[Problem] = []
        for batch in batches:
            answer = await self._applier.apply_all(batch.changes, set(), client_of)
            outcomes += answer.outcomes
            problems += answer.problems
        return Answered(tuple(outcomes), tuple(problems))

    async def resume_undo(self, plan: Plan, record: Record, execution: Execution) -> Transaction:
        """Go on with the undo that `record` says was begun. Raises NotReady (AccountMissing), ClusterError."""
        assert record.target is not None  # noqa: S101 - the caller looked
        await self._identities.check(self._journal_of(execution).shares.members)
        problems = record.failed.problems if record.failed is not None else ()
        state, command = resume_undo(plan, record.target, problems)
        return await self._drive(state, command, execution, record.epoch)

    async def resume_prune(self, plan: Plan, record: Record, execution: Execution) -> Transaction:
        """Go on with the pruning that `record` says was begun: nothing is applied. Raises NotReady (AccountMissing)."""
        await self._identities.check(self._journal_of(execution).shares.members)
        state, command = resume_prune(plan)
        return await self._drive(state, command, execution, record.epoch)

    async def _drive(self, state: Transaction, command: Command, execution: Execution, epoch: int) -> Transaction:
        started = time.monotonic()
        run = _Run(execution, self._journal_of(execution), epoch, started, started + execution.timeout)
        following: Command | None = command
        while following is not None:
            try:
                with _span_of(following):
                    event = await self._execute(following, run, state)
            except Superseded:
                state = noted(state, tuple(run.corrected))
                await self._save(SaveRecord(Phase.APPLYING, _unconfirmed(state), state.target), run, state)
                TRANSACTIONS.labels("superseded").inc()
                raise
            state, following = step(state, event)
        _count(state, time.monotonic() - started)
        return state

    async def _execute(self, command: Command, run: _Run, state: Transaction) -> Event:
        execution, shares = run.execution, run.journal.shares
        client_of = self._identities.of_shares(shares)
        match command:
            case Validate(changes):
                await execution.progress(f"Detecting drift and validating {len(changes)} objects")
                return Validated(await self._applier.validate(changes, execution.force, run.recreate, client_of))
            case TakeImages(changes):
                return await self._undoer.take_images(changes, shares, client_of)
            case SaveRecord():
                await self._save(command, run, state)
                return Recorded()
            case Apply(changes):
                await execution.progress(f"Applying {len(changes)} objects")
                return await self._applier.apply_all(changes, run.recreate, client_of)
            case AwaitServed(changes):
                return Served(await _found(self._await_served(changes)))
            case AwaitHealth(changed):
                execution.applied()
                left = max(0.0, run.deadline - time.monotonic())
                problems = await _found(self._await_health(run, changed, left))
                mine = changed | {t.id for t in execution.targets if not t.owned}
                ours = any(p.subject is None or p.subject in mine for p in problems)
                return HealthKnown(problems, ours, tuple(run.corrected))
            case Prune(changes):
                await execution.progress(f"Pruning {len(changes)} objects")
                return await self._pruner.prune_all(changes, shares, client_of)
            case Undo():
                await execution.progress(f"Undoing changes to {len(command.order)} objects")
                return await self._undoer.undo(command, shares, client_of, run.recreate)

    async def _save(self, save: SaveRecord, run: _Run, state: Transaction) -> None:
        """Make the record durable; a transaction that changed nothing has nothing to record."""
        execution = run.execution
        if save.phase is Phase.DONE and run.journal.tells(save.inventory):
            return
        failed = None
        if save.problems:
            problems = save.problems
            with suppress(SluiceError):  # a record without places is better than none
                problems = await execution.placed(problems)
            failed = FailedRevision(execution.inputs, problems, await execution.requests())
        past = _past(run, state) if save.phase in {Phase.DONE, Phase.FAILED} else None
        owner = str(execution.sync)
        record = Record(owner, run.epoch, save.phase, execution.revision, save.inventory, save.target, failed)
        if save.phase is Phase.DONE and holds_what_is_wanted(save.inventory, execution.wanted):
            record = replace(record, inputs=execution.made_from)
        await run.journal.write(record, past, state.outcomes.values())

    async def _await_health(self, run: _Run, changed: frozenset[ResourceId], left: float) -> tuple[Problem, ...]:
        """Wait for the gate without holding a worker. Raises Superseded when a newer revision arrives first."""
        execution = run.execution
        await execution.progress(f"Running health checks with a timeout of {left:.0f}s")
        gate = HealthGate(self._client, execution.targets, changed, lambda target: self._acting_for(execution, target))
        corrections = Corrections(run.corrected, run.journal.expect_anew)
        with one_failure():
            async with execution.waiting(), asyncio.TaskGroup() as group:
                waited = group.create_task(gate.wait(left))
                newer = group.create_task(execution.superseded())
                keeping = group.create_task(execution.keep(corrections))
                await asyncio.wait({waited, newer}, return_when=asyncio.FIRST_COMPLETED)
                async with corrections.writing:
                    for task in (waited, newer, keeping):
                        task.cancel()
        if waited.cancelled():
            raise Superseded
        return waited.result()

    def _acting_for(self, execution: Execution, target: Target) -> KubeClient:
        return self._identities.client(target.by or self._journal_of(execution).shares.owner_of(target.id))

    # --- what must be served before the next stage --------------------------------------------------------------

    async def _await_served(self, changes: tuple[Change, ...]) -> tuple[Problem, ...]:
        targets = []
        for change in changes:
            resource = await resource_of(self._discovery, change.id, change.api_version)
            origin = change.manifest.origin if change.manifest else None
            targets.append(Target(change.id, resource, owned=True, origin=origin))
        problems: tuple[Problem, ...] = ()
        if any(change.id.group_kind == CRD for change in changes):
            problems = await HealthGate(self._client, targets).wait(SERVED_TIMEOUT)
            await self._discovery.invalidate()
        return problems


def _unconfirmed(state: Transaction) -> Inventory:
    """What a superseded transaction knows of its objects, to be sent again by the next: who they are, but no digest."""
    return Inventory(msgspec.structs.replace(e, digest=b"") if e.id in state.outcomes else e for e in state.inventory)


def _count(ended: Transaction, seconds: float) -> None:
    """A turn that found everything as it was ran no transaction that anybody would count."""
    if not ended.problems and not any(outcome.result != "unchanged" for outcome in ended.outcomes.values()):
        return
    TRANSACTIONS.labels(outcome_of(ended)).inc()
    tracing.worth_telling()
    if ended.outcomes:
        TRANSACTION_SECONDS.observe(seconds)


def _span_of(command: Command) -> AbstractContextManager[object]:
    """What a trace shows of it: writing the record belongs to what it is written for."""
    match command:
        case Validate(changes):
            return tracing.span("validate", objects=len(changes))
        case Apply(changes):
            return tracing.span("apply", objects=len(changes))
        case AwaitServed(changes):
            return tracing.span("serve", objects=len(changes))
        case AwaitHealth(changed):
            return tracing.span("health", objects=len(changed))
        case Prune(changes):
            return tracing.span("prune", objects=len(changes))
        case Undo():
            return tracing.span("undo", objects=len(command.order))
    return nullcontext()


def outcome_of(ended: Transaction) -> str:
    """One word: succeeded, refused (before any write), undone, undo_failed, or failed (and left as it was then)."""
    if not ended.problems:
        return "succeeded"
    if ended.undo_problems:
        return "undo_failed"
    if ended.undone:
        return "undone"
    return "failed" if ended.wrote else "refused"


def _past(run: _Run, state: Transaction) -> Past:
    execution = run.execution
    return Past(
        execution.revision,
        execution.digest,
        state.reason,
        rfc3339(datetime.now(UTC)),
        round(time.monotonic() - run.started, 3),
        Counts.of(state.outcomes.values()),
        execution.author,
        execution.subject,
    )


async def _found(waiting: Awaitable[tuple[Problem, ...]]) -> tuple[Problem, ...]:
    """What a wait found; a wait that could not look has found that."""
    try:
        return await waiting
    except SluiceError as error:
        return error.problems


class Superseded(Exception):
    """A newer revision arrived while this one was waiting for health. Its record stays open for the next one."""


def health_targets(
    plan: Plan,
    resources: Mapping[ResourceId, Resource | None],
    skipped: frozenset[ResourceId],
    rules: tuple[CustomHealth, ...] = (),
) -> tuple[Target, ...]:
    """Every object of the plan that can be anything but healthy once it exists, except `skipped`."""
    targets = []
    for change in plan.changes():
        resource = resources.get(change.id)
        if change.manifest is None or resource is None or change.id in skipped or change.action is Action.SKIP:
            continue
        rule = rule_for(change.id.group_kind, rules)
        if rule is not None or needs_watch(change.id.group_kind):
            targets.append(Target(change.id, resource, owned=True, origin=change.manifest.origin, rule=rule))
    return tuple(targets)


def changed_targets(
    plan: Plan,
    resources: Mapping[ResourceId, Resource | None],
    target: UndoTarget | None,
    rules: tuple[CustomHealth, ...] = (),
) -> tuple[Target, ...]:
    """Those of the objects that a plan sends; and what a transaction that was cut short (`target`) had changed."""
    changed = {change.id for change in plan.changes() if change.action.applies}
    if target is not None:
        changed |= target.images.keys() | plan.before.without(target.inventory.ids()).ids()
    skipped = frozenset(change.id for change in plan.changes() if change.id not in changed)
    return health_targets(plan, resources, skipped, rules)
