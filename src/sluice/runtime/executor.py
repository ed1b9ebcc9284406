"""Runs a transaction: sends what `core.transaction` commands to the API server and feeds it the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from sluice.core import codes
from sluice.core.errors import ClusterError, NotReady, SluiceError
from sluice.core.health import needs_watch
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.live import LiveManagers, LiveObject
from sluice.core.managed_fields import MANAGER, take_over, take_over_patch
from sluice.core.order import CRD
from sluice.core.plan import Action, Change, Live, Owner, Plan
from sluice.core.problem import Problem
from sluice.core.record import FailedRevision, Record
from sluice.core.transaction import (
    Answered,
    Apply,
    AwaitHealth,
    AwaitServed,
    Command,
    Deferral,
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
    Transaction,
    Undo,
    Validate,
    Validated,
    begin,
    resume_undo,
    step,
)
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.runtime.gone import await_gone
from sluice.runtime.health_gate import HealthGate, Target
from sluice.runtime.owned import OwnedObjects, live_of, version_of
from sluice.runtime.record_store import RecordStore
from sluice.runtime.together import one_failure, together
from sluice.runtime.undo import Undoer

SERVED_TIMEOUT = 60.0
GONE_TIMEOUT = 60.0
PRUNE_TRIES = 4
TAKE_OVER_TRIES = 4

Progress = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Execution:
    """What one transaction needs besides its plan. Times are seconds."""

    sync: Owner
    epoch: int
    revision: str
    deferral: Deferral
    force: bool
    timeout: float
    targets: tuple[Target, ...]
    progress: Progress
    waiting: Callable[[], AbstractAsyncContextManager[None]]
    superseded: Callable[[], Coroutine[Any, Any, None]]
    on_failure: OnFailure = OnFailure.STOP
    inputs: str = ""


class Executor:
    """Sends, waits and records. One instance serves every transaction."""

    def __init__(self, client: KubeClient, discovery: Discovery, owned: OwnedObjects, records: RecordStore) -> None:
        self._client = client
        self._discovery = discovery
        self._owned = owned
        self._records = records
        self._undoer = Undoer(client, discovery, owned)

    async def run(self, plan: Plan, execution: Execution) -> Transaction:
        """Run `plan` to its end and return the ended transaction; its problems say what went wrong.

        Raises ClusterError when the record can't be written: nothing was changed then that it does not hold.
        """
        record = self._records.get(str(execution.sync))
        state, command = begin(
            plan,
            execution.deferral,
            gate=bool(execution.targets),
            on_failure=execution.on_failure,
            target=record.target if record is not None else None,
        )
        return await self._drive(state, command, execution)

    async def resume_undo(self, plan: Plan, record: Record, execution: Execution) -> Transaction:
        """Go on with the undo that `record` says was begun."""
        assert record.target is not None  # noqa: S101 - the caller looked
        problems = record.failed.problems if record.failed is not None else ()
        state, command = resume_undo(plan, record.target, problems)
        return await self._drive(state, command, execution)

    async def _drive(self, state: Transaction, command: Command, execution: Execution) -> Transaction:
        deadline = time.monotonic() + execution.timeout
        recreate: set[ResourceId] = set()
        following: Command | None = command
        while following is not None:
            event = await self._execute(following, execution, deadline, recreate)
            state, following = step(state, event)
        return state

    async def _execute(
        self, command: Command, execution: Execution, deadline: float, recreate: set[ResourceId]
    ) -> Event:
        match command:
            case Validate(changes):
                await execution.progress(f"Detecting drift and validating {len(changes)} objects")
                return Validated(await self._validate(changes, execution, recreate))
            case TakeImages(changes):
                return await self._undoer.take_images(changes)
            case SaveRecord():
                await self._save(execution, command)
                return Recorded()
            case Apply(changes):
                await execution.progress(f"Applying {len(changes)} objects")
                return await self._apply_all(changes, recreate)
            case AwaitServed(changes):
                return Served(await _found(self._await_served(changes)))
            case AwaitHealth(changed):
                left = max(0.0, deadline - time.monotonic())
                problems = await _found(self._await_health(execution, changed, left))
                mine = changed | {t.id for t in execution.targets if not t.owned}
                return HealthKnown(problems, any(p.subject is None or p.subject in mine for p in problems))
            case Prune(changes):
                await execution.progress(f"Pruning {len(changes)} objects")
                return await self._prune_all(changes, execution.sync)
            case Undo():
                await execution.progress(f"Undoing changes to {len(command.order)} objects")
                return await self._undoer.undo(command, execution.sync)

    async def _save(self, execution: Execution, save: SaveRecord) -> None:
        """Make the record durable; a transaction that changed nothing has nothing to record."""
        owner = str(execution.sync)
        stored = self._records.get(owner)
        before = stored.inventory if stored is not None else Inventory()
        settled = stored is None or (stored.phase is Phase.DONE and stored.failed is None)
        if save.phase is Phase.DONE and before == save.inventory and settled:
            return
        failed = FailedRevision(execution.inputs, save.problems) if save.problems else None
        await self._records.save(
            Record(owner, execution.epoch, save.phase, execution.revision, save.inventory, save.target, failed)
        )

    async def _await_health(
        self, execution: Execution, changed: frozenset[ResourceId], left: float
    ) -> tuple[Problem, ...]:
        """Wait for the gate without holding a worker. Raises Superseded when a newer revision arrives first."""
        await execution.progress(f"Running health checks with a timeout of {left:.0f}s")
        gate = HealthGate(self._client, execution.targets, changed)
        with one_failure():
            async with execution.waiting(), asyncio.TaskGroup() as group:
                waited = group.create_task(gate.wait(left))
                newer = group.create_task(execution.superseded())
                await asyncio.wait({waited, newer}, return_when=asyncio.FIRST_COMPLETED)
                for task in (waited, newer):
                    task.cancel()
        if waited.cancelled():
            raise Superseded
        return waited.result()

    # --- dry-run ------------------------------------------------------------------------------------------------

    async def _validate(
        self, changes: tuple[Change, ...], execution: Execution, recreate: set[ResourceId]
    ) -> tuple[Problem, ...]:
        answers = await together(self._dry_run(change, execution, recreate) for change in changes)
        return tuple(problem for problems in answers for problem in problems)

    async def _dry_run(self, change: Change, execution: Execution, recreate: set[ResourceId]) -> tuple[Problem, ...]:
        try:
            await self._send(change, dry_run=True)
        except SluiceError as error:
            problems = placed(error, change)
            forced = execution.force or (change.manifest is not None and change.manifest.directives.force)
            if forced and any(p.code is codes.IMMUTABLE_FIELD for p in problems):
                recreate.add(change.id)
                return ()
            return problems
        return ()

    # --- apply --------------------------------------------------------------------------------------------------

    async def _apply_all(self, changes: tuple[Change, ...], recreate: set[ResourceId]) -> Answered:
        results = await together(self._apply(change, change.id in recreate) for change in changes)
        return Answered(
            tuple(r for r in results if isinstance(r, Outcome)),
            tuple(p for r in results if not isinstance(r, Outcome) for p in r),
        )

    async def _apply(self, change: Change, recreate: bool) -> Outcome | tuple[Problem, ...]:
        try:
            if recreate:
                await self._delete_and_wait(change)
                change = replace(change, uid="")
            elif change.takes_over:
                await self._take_over(change)
            return await self._send(change, dry_run=False)
        except SluiceError as error:
            return placed(error, change)

    async def _send(self, change: Change, *, dry_run: bool) -> Outcome:
        manifest = change.manifest
        assert manifest is not None  # noqa: S101 - only changes with a manifest are applied
        resource = await self._resource(change)
        body = with_uid(manifest.body, change.uid) if change.uid else manifest.body
        send = partial(self._client.apply, resource, change.id.namespace, change.id.name, body, manager=MANAGER)
        if dry_run:
            answer = await send(dry_run=True)
        else:
            with self._owned.sending(change.id):
                answer = await send()
                self._owned.applied(change.id, answer.meta, steering_keys(manifest.body))
        meta = answer.meta
        result = "created" if answer.created else "configured"
        if not answer.created and meta.resource_version == change.resource_version:
            result = "unchanged"
        entry = Entry(change.id, change.api_version, meta.uid, manifest.digest, version_of(meta))
        return Outcome(change.id, result, entry)

    async def _take_over(self, change: Change) -> None:
        """Make kubectl's fields ours before the first apply; an object that changes meanwhile is looked at again."""
        resource = await self._resource(change)
        key = change.id
        for attempt in range(TAKE_OVER_TRIES):
            raw = await self._client.get(resource, key.namespace, key.name)
            if raw is None:
                return
            meta = msgspec.json.decode(raw, type=LiveObject).metadata
            managers = take_over(msgspec.json.decode(raw, type=LiveManagers).managers, MANAGER)
            if managers is None or meta.uid != change.uid:
                return
            patch = take_over_patch(managers, meta.labels, meta.annotations, meta.resource_version)
            try:
                with self._owned.sending(key):
                    await self._client.json_patch(resource, key.namespace, key.name, patch, manager=MANAGER)
            except ClusterError as error:
                if attempt == TAKE_OVER_TRIES - 1 or error.status not in {409, 422}:
                    raise
            else:
                return

    async def _delete_and_wait(self, change: Change) -> None:
        """Delete an object that must be recreated, and return when it is gone."""
        resource = await self._resource(change)
        key = change.id
        await self._client.delete(resource, key.namespace, key.name, uid=change.uid)
        try:
            async with asyncio.timeout(GONE_TIMEOUT):
                await await_gone(self._client, resource, key, change.uid)
        except TimeoutError:
            raise NotReady(
                Problem(
                    codes.OBJECT_DELETING,
                    f"{key} must be recreated, and its deletion has not ended after {GONE_TIMEOUT:.0f}s",
                    subject=key,
                    cause="a finalizer holds it",
                    fix="let the finalizer's controller finish, or remove the finalizer",
                )
            ) from None

    async def _resource(self, change: Change) -> Resource:
        resource = await self._discovery.find(change.api_version, change.id.kind)
        if resource is None:
            raise KindGone(change)
        return resource

    # --- what must be served before the next stage --------------------------------------------------------------

    async def _await_served(self, changes: tuple[Change, ...]) -> tuple[Problem, ...]:
        targets = []
        for change in changes:
            resource = await self._resource(change)
            origin = change.manifest.origin if change.manifest else None
            targets.append(Target(change.id, resource, owned=True, origin=origin))
        problems: tuple[Problem, ...] = ()
        if any(change.id.group_kind == CRD for change in changes):
            problems = await HealthGate(self._client, targets).wait(SERVED_TIMEOUT)
            await self._discovery.invalidate()
        return problems

    # --- prune --------------------------------------------------------------------------------------------------

    async def _prune_all(self, changes: tuple[Change, ...], sync: Owner) -> Answered:
        results = await together(self._prune(change, sync) for change in changes)
        if any(change.id.group_kind == CRD for change in changes):
            await self._discovery.invalidate()
        return Answered(
            tuple(r for r in results if isinstance(r, Outcome)),
            tuple(r for r in results if isinstance(r, Problem)),
        )

    async def _prune(self, change: Change, sync: Owner) -> Outcome | Problem:
        key = change.id
        try:
            resource = await self._resource(change)
            self._owned.expect_gone(key, expected=True)
            await self._delete_ours(resource, change, sync)
            meta = await self._client.get_metadata(resource, key.namespace, key.name)
        except SluiceError as error:
            self._owned.expect_gone(key, expected=False)
            return Problem(
                codes.PRUNE_FAILED,
                f"{key} left git, but could not be deleted",
                subject=key,
                cause=error.problems[0].cause or error.problems[0].title if error.problems else "",
                fix=error.problems[0].fix if error.problems else "",
            )
        gone = meta is None or meta.uid != change.uid
        if not gone:
            self._owned.expect_gone(key, expected=False)  # when its finalizer lets go, the owner has to know
        return Outcome(key, "deleted" if gone else "deleting")

    async def _delete_ours(self, resource: Resource, change: Change, sync: Owner) -> None:
        """Delete exactly the object that was planned; where it changed meanwhile, look again whether it is ours."""
        key, version = change.id, change.resource_version
        for attempt in range(PRUNE_TRIES):
            try:
                await self._client.delete(resource, key.namespace, key.name, uid=change.uid, resource_version=version)
            except ClusterError as error:
                if error.reason != "Conflict" or attempt == PRUNE_TRIES - 1:
                    raise
                meta = await self._client.get_metadata(resource, key.namespace, key.name)
                if meta is None or meta.uid != change.uid or not _still_ours(live_of(meta), sync):
                    return
                version = meta.resource_version
            else:
                return


async def never() -> None:
    """Wait for ever: nothing supersedes this transaction."""
    await asyncio.Event().wait()


async def _found(waiting: Awaitable[tuple[Problem, ...]]) -> tuple[Problem, ...]:
    """What a wait found; a wait that could not look has found that."""
    try:
        return await waiting
    except SluiceError as error:
        return error.problems


def _still_ours(live: Live, sync: Owner) -> bool:
    wants = live.directives
    return live.owner == sync and wants.prune and wants.reconcile and wants.ssa != "ignore"


class Superseded(Exception):
    """A newer revision arrived while this one was waiting for health. Its record stays open for the next one."""


class KindGone(NotReady):
    """The kind is not served (any more)."""

    def __init__(self, change: Change) -> None:
        super().__init__(
            Problem(
                codes.UNKNOWN_KIND,
                f"kind {change.id.kind} ({change.api_version}) is not installed",
                subject=change.id,
                cause="the API server does not serve it",
                fix="install its CRD first",
            )
        )


def placed(error: SluiceError, change: Change) -> tuple[Problem, ...]:
    """The problems of a refusal, each with the object and the place in git it is about."""
    origin = change.manifest.origin if change.manifest else None
    return tuple(
        replace(problem, subject=problem.subject or change.id, origin=problem.origin or origin)
        for problem in error.problems
    )


class _Metadata(msgspec.Struct, frozen=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class _WithMetadata(msgspec.Struct, frozen=True):
    metadata: _Metadata


def steering_keys(body: bytes) -> frozenset[str]:
    """The keys of the labels and annotations that a manifest sets."""
    metadata = msgspec.json.decode(body, type=_WithMetadata).metadata
    return frozenset((*metadata.labels, *metadata.annotations))


def with_uid(body: bytes, uid: str) -> bytes:
    """The body with `metadata.uid`: an apply that carries it can't recreate an object that was deleted meanwhile."""
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    metadata = msgspec.json.decode(fields["metadata"], type=dict[str, msgspec.Raw])
    metadata["uid"] = msgspec.Raw(msgspec.json.encode(uid))
    fields["metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
    return msgspec.json.encode(fields)


def health_targets(
    plan: Plan, resources: Mapping[ResourceId, Resource | None], skipped: frozenset[ResourceId]
) -> tuple[Target, ...]:
    """Every object of the plan that can be anything but healthy once it exists, except `skipped`."""
    targets = []
    for change in plan.changes():
        resource = resources.get(change.id)
        if change.manifest is None or resource is None or change.id in skipped or change.action is Action.SKIP:
            continue
        if needs_watch(change.id.group_kind):
            targets.append(Target(change.id, resource, owned=True, origin=change.manifest.origin))
    return tuple(targets)
