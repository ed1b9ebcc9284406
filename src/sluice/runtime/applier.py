"""Dry-runs and applies: each change one request, its answer an outcome or the problems that say where in git."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import msgspec

from sluice.core import codes
from sluice.core.adoption import owner_mark
from sluice.core.before_image import before_image
from sluice.core.errors import ClusterError, NotReady, SluiceError, UserError
from sluice.core.guard import refuse_adoption
from sluice.core.ids import ResourceId
from sluice.core.ignored_fields import leave_ignored
from sluice.core.inventory import Entry
from sluice.core.irreversible import refuse_recreation
from sluice.core.live import LiveManagers, LiveObject
from sluice.core.managed_fields import MANAGER, created_by, take_over, take_over_patch
from sluice.core.manifest import Manifest
from sluice.core.plan import Action, Change, Owner
from sluice.core.problem import Problem
from sluice.core.transaction_messages import Answered, Outcome
from sluice.kube.client import Applied, KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.runtime.gone import await_gone
from sluice.runtime.identities import ClientOf
from sluice.runtime.outage import outlast
from sluice.runtime.owned import OwnedObjects, version_of
from sluice.runtime.resources import resource_of
from sluice.runtime.together import together

GONE_TIMEOUT = 60.0
# Nothing is written yet, so giving up costs only the dry-runs that were answered; but one lost request of a thousand
# must not cost them.
DRY_RUN_PATIENCE = 10.0  # seconds
TAKE_OVER_TRIES = 4


class Applier:
    """One for all transactions. `recreate` collects, in the dry-run, what can only be replaced.

    `client_of` says as whom the requests about an object are made.
    """

    def __init__(self, discovery: Discovery, owned: OwnedObjects) -> None:
        self._discovery = discovery
        self._owned = owned

    async def validate(
        self,
        changes: tuple[Change, ...],
        force: Callable[[ResourceId], bool],
        recreate: set[ResourceId],
        client_of: ClientOf,
    ) -> tuple[Problem, ...]:
        answers = await together(
            self._dry_run(change, force(change.id), recreate, client_of(change.id)) for change in changes
        )
        return tuple(problem for problems in answers for problem in problems)

    async def _dry_run(
        self, change: Change, force: bool, recreate: set[ResourceId], client: KubeClient
    ) -> tuple[Problem, ...]:
        try:
            await self._send_dry(change, client)
        except SluiceError as error:
            problems = placed(error, change)
            forced = force or (change.manifest is not None and change.manifest.directives.force)
            if forced and any(p.code is codes.IMMUTABLE_FIELD for p in problems):
                if refused := refuse_recreation(change, problems):
                    return refused
                recreate.add(change.id)
                return ()
            return problems
        return ()

    async def apply_all(self, changes: tuple[Change, ...], recreate: set[ResourceId], client_of: ClientOf) -> Answered:
        results = await together(
            self._apply(change, client_of(change.id), recreate=change.id in recreate) for change in changes
        )
        return Answered(
            tuple(r for r in results if isinstance(r, Outcome)),
            tuple(p for r in results if not isinstance(r, Outcome) for p in r),
        )

    async def _apply(self, change: Change, client: KubeClient, *, recreate: bool) -> Outcome | tuple[Problem, ...]:
        try:
            if recreate:
                await self._delete_and_wait(change, client)
                change = replace(change, uid="")
            elif change.takes_over:
                await self._take_over(change, client)
            return await self._send(change, client)
        except SluiceError as error:
            if not change.uid and any(p.code is codes.FIELD_CONFLICT_LIVE for p in error.problems):
                return await self._adopt_unseen(change, error, client)
            return placed(error, change)

    async def _adopt_unseen(
        self, change: Change, conflict: SluiceError, client: KubeClient
    ) -> Outcome | tuple[Problem, ...]:
        """Apply to an object that somebody made between plan and apply, with an image of what they made."""
        resource = await resource_of(self._discovery, change.id, change.api_version)
        raw = await client.get(resource, change.id.namespace, change.id.name)
        if raw is None:
            return placed(conflict, change)
        meta = msgspec.json.decode(raw, type=LiveObject).metadata
        refused = refuse_adoption(change, Owner.of(meta.labels), owner_mark(meta))
        if refused is not None:
            return (refused,)
        seen = replace(
            change, action=Action.ADOPT, uid=meta.uid, resource_version=meta.resource_version, takes_over=True
        )
        answer = await self._apply(seen, client, recreate=False)
        return replace(answer, image=before_image(change.id, raw)) if isinstance(answer, Outcome) else answer

    async def _send_dry(self, change: Change, client: KubeClient) -> None:
        send, _ = await self._request(change, client)
        await outlast(partial(send, dry_run=True, force=True), DRY_RUN_PATIENCE)

    async def _send(self, change: Change, client: KubeClient) -> Outcome:
        send, manifest = await self._request(change, client)
        sent = 0

        async def once() -> Applied:
            nonlocal sent
            sent += 1
            # What is to be created is taken from nobody: whoever made it meanwhile made it without our knowing.
            return await send(force=bool(change.uid))

        with self._owned.sending(change.id):
            answer = await outlast(once)
            self._owned.applied(change.id, answer.meta, steering_keys(manifest.body))
        meta = answer.meta
        ours = answer.created or ((sent > 1 or answer.answer_lost) and made_by_us(_managers(answer.raw)))
        found = not change.uid and not ours
        if found and (refused := refuse_adoption(change, None, owner_mark(meta))) is not None:
            raise UserError(refused)
        result = "created" if ours and not change.uid else "configured"
        if not answer.created and meta.resource_version == change.resource_version:
            result = "unchanged"
        entry = Entry(change.id, change.api_version, meta.uid, manifest.digest, version_of(meta))
        return Outcome(change.id, result, entry, found=found, warnings=answer.warnings)

    async def _request(self, change: Change, client: KubeClient) -> tuple[Callable[..., Awaitable[Applied]], Manifest]:
        manifest = change.manifest
        assert manifest is not None  # noqa: S101 - only changes with a manifest are applied
        resource = await resource_of(self._discovery, change.id, change.api_version)
        body = await self._body(change, resource, client)
        name = (change.id.namespace, change.id.name)
        return partial(client.apply, resource, *name, body, manager=MANAGER), manifest

    async def _body(self, change: Change, resource: Resource, client: KubeClient) -> bytes:
        """What is sent: the manifest, with the fields that are left to the cluster as they are there."""
        assert change.manifest is not None  # noqa: S101 - only changes with a manifest are applied
        live = None
        if change.ignored and change.uid:
            live = await client.get(resource, change.id.namespace, change.id.name)
        return to_send(change.manifest.body, change.uid, live, change.ignored)

    async def _take_over(self, change: Change, client: KubeClient) -> None:
        """Make kubectl's fields ours before the first apply; an object that changes meanwhile is looked at again."""
        resource = await resource_of(self._discovery, change.id, change.api_version)
        key = change.id
        for attempt in range(TAKE_OVER_TRIES):
            raw = await client.get(resource, key.namespace, key.name)
            if raw is None:
                return
            meta = msgspec.json.decode(raw, type=LiveObject).metadata
            managers = take_over(_managers(raw).managers, MANAGER)
            if managers is None or meta.uid != change.uid:
                return
            patch = take_over_patch(managers, meta.labels, meta.annotations, meta.resource_version)
            try:
                with self._owned.sending(key):
                    await client.json_patch(resource, key.namespace, key.name, patch, manager=MANAGER)
            except ClusterError as error:
                if attempt == TAKE_OVER_TRIES - 1 or error.status not in {409, 422}:
                    raise
            else:
                return

    async def _delete_and_wait(self, change: Change, client: KubeClient) -> None:
        """Delete an object that must be recreated, and return when it is gone."""
        resource = await resource_of(self._discovery, change.id, change.api_version)
        key = change.id
        await client.delete(resource, key.namespace, key.name, uid=change.uid)
        try:
            async with asyncio.timeout(GONE_TIMEOUT):
                await await_gone(client, resource, key, change.uid)
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


def _managers(raw: bytes) -> LiveManagers:
    return msgspec.json.decode(raw, type=LiveManagers)


def made_by_us(live: LiveManagers) -> bool:
    """True when an object shows that an apply of ours created it."""
    return created_by(live.managers, live.metadata.creation_timestamp, MANAGER)


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


def to_send(body: bytes, uid: str, live: bytes | None, ignored: tuple[str, ...]) -> bytes:
    """A manifest as it is applied to the object of that UID, if there is one, whose JSON is `live`."""
    if ignored and live is not None:
        body = leave_ignored(body, live, ignored, MANAGER)
    return _with_uid(body, uid) if uid else body


def _with_uid(body: bytes, uid: str) -> bytes:
    """The body with `metadata.uid`: an apply that carries it can't recreate an object that was deleted meanwhile."""
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    metadata = msgspec.json.decode(fields["metadata"], type=dict[str, msgspec.Raw])
    metadata["uid"] = msgspec.Raw(msgspec.json.encode(uid))
    fields["metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
    return msgspec.json.encode(fields)
