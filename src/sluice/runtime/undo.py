"""Takes objects back to what they were before a transaction touched them, and proves that what it deletes is ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping

import msgspec

from sluice.core import codes
from sluice.core.before_image import BeforeImage, before_image
from sluice.core.errors import ClusterError, SluiceError
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.live import LiveManagers
from sluice.core.order import CRD, NAMESPACE
from sluice.core.plan import Change, Owner
from sluice.core.problem import Problem
from sluice.core.shares import Shares
from sluice.core.transaction_messages import (
    Imaged,
    Undo,
    Undone,
    UndoTarget,
)
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.runtime.applier import made_by_us
from sluice.runtime.bodies import listed_bodies
from sluice.runtime.foreign import holds_foreign
from sluice.runtime.gone import await_gone
from sluice.runtime.identities import ClientOf
from sluice.runtime.owned import OwnedObjects, live_of
from sluice.runtime.resources import resource_of
from sluice.runtime.restorer import GONE_SECONDS, TRIES, Former, Restorer, kept
from sluice.runtime.together import together

PVC = GroupKind("", "PersistentVolumeClaim")


class Undoer:
    """One for all transactions; keeps nothing between them.

    `client_of` says as whom an object is read and written. Whether what we created holds objects of others, and when it
    is gone, is looked for with the operator's own rights.
    """

    def __init__(self, client: KubeClient, discovery: Discovery, owned: OwnedObjects) -> None:
        self._client = client
        self._discovery = discovery
        self._owned = owned
        self._restorer = Restorer(discovery, owned)

    async def take_images(self, changes: tuple[Change, ...], shares: Shares, client_of: ClientOf) -> Imaged:
        """Read every object that is to be changed. One that is gone by now has no image, and is no problem."""
        images: dict[ResourceId, BeforeImage] = {}
        try:
            wanted = {change.id: await self._as_it_is(change) for change in changes}
            async for page in self._listed(wanted, shares, shares.was_of, client_of):
                images |= {key: before_image(key, raw) for key, raw in page.items()}
            rest = {key: resource for key, resource in wanted.items() if key not in images}
            asked = await together(client_of(key).get(r, key.namespace, key.name) for key, r in rest.items())
        except SluiceError as error:
            return Imaged({}, error.problems)
        found = zip(rest, asked, strict=True)
        return Imaged({**images, **{key: before_image(key, raw) for key, raw in found if raw is not None}})

    async def _listed(
        self,
        wanted: Mapping[ResourceId, Resource],
        shares: Shares,
        owner_of: Callable[[ResourceId], Owner],
        client_of: ClientOf,
    ) -> AsyncIterator[dict[ResourceId, bytes]]:
        """Pages of `wanted`, of each sync by its own labels."""
        for member in shares.members:
            own = {key: resource for key, resource in wanted.items() if owner_of(key) == member}
            if own:
                async for page in listed_bodies(client_of(next(iter(own))), own, member):
                    yield page

    async def undo(
        self, command: Undo, shares: Shares, client_of: ClientOf, replaced: Collection[ResourceId] = ()
    ) -> Undone:
        """Undo in the order given, kind by kind; objects of one kind at once.

        `replaced` are those that this transaction has deleted, or was about to, in order to create them anew.
        What can't be taken back is named, stays in the inventory, and does not keep the rest from being undone.
        """
        target = command.target
        entries: dict[ResourceId, Entry] = {e.id: e for e in target.inventory}
        problems: list[Problem] = []
        for group in _by_kind(command.order):
            results = await self._undo_kind(group, command, shares, client_of, replaced)
            for key, result in results.items():
                if isinstance(result, Entry):
                    entries[key] = result
                elif isinstance(result, Problem):
                    problems.append(result)
                    # It is not as the target has it: whoever is left there has to be known, and sent again.
                    if (left_there := command.union.get(key)) is not None:
                        entries[key] = msgspec.structs.replace(left_there, digest=b"")
        left = tuple(p for p in problems if p.code is codes.UNDO_KEPT)
        failed = tuple(p for p in problems if p.code is not codes.UNDO_KEPT)
        return Undone(Inventory(entries.values()), left, failed)

    async def _undo_kind(
        self,
        group: list[ResourceId],
        command: Undo,
        shares: Shares,
        client_of: ClientOf,
        replaced: Collection[ResourceId],
    ) -> dict[ResourceId, Entry | Problem | None]:
        results: dict[ResourceId, Entry | Problem | None] = {}

        async def settle(key: ResourceId, raw: bytes | None) -> None:
            results[key] = await self._undo_one(key, command, shares, raw, client_of(key), replaced)

        images = [command.target.images[key] for key in group if key in command.target.images]
        wanted: dict[ResourceId, Resource] = {}
        with contextlib.suppress(SluiceError):  # then each object meets it, and says so
            wanted = {image.id: await self._resource(image.id, image.api_version) for image in images}
        async for page in self._listed(wanted, shares, shares.owner_of, client_of):
            await together(settle(key, raw) for key, raw in page.items())
        await together(settle(key, None) for key in group if key not in results)
        return results

    async def _undo_one(
        self,
        key: ResourceId,
        command: Undo,
        shares: Shares,
        raw: bytes | None,
        client: KubeClient,
        replaced: Collection[ResourceId],
    ) -> Entry | Problem | None:
        try:
            return await self._take_back(key, command, shares, raw, client, replaced)
        except SluiceError as error:
            if error.problems[0].code is not codes.UNKNOWN_KIND:
                return _not_as_before(key, error.problems[0])
        with contextlib.suppress(SluiceError):  # its CRD may have gone since the kinds were read
            await self._discovery.invalidate()
        try:
            return await self._take_back(key, command, shares, None, client, replaced)
        except SluiceError as error:
            return _not_as_before(key, error.problems[0])

    async def _take_back(
        self,
        key: ResourceId,
        command: Undo,
        shares: Shares,
        raw: bytes | None,
        client: KubeClient,
        replaced: Collection[ResourceId],
    ) -> Entry | Problem | None:
        image, known = command.target.images.get(key), command.union.get(key)
        if image is None:
            return await self._delete(known, shares, client) if known is not None else None
        entry, made = command.target.inventory.get(key), known.uid if known is not None else ""
        again = entry is not None or key in replaced
        former = Former(image, entry, made, shares.owner_of(key), again, _ground_returns(key, command.target))
        return await self._restorer.restore(former, raw, client)

    # --- objects that did not exist -----------------------------------------------------------------------------

    async def _delete(self, created: Entry, shares: Shares, client: KubeClient) -> Entry | Problem | None:
        key = created.id
        resource = await self._discovery.find_any(created.api_version, key.kind)
        if resource is None:
            return None  # its CRD is gone, and so is the object
        for attempt in range(TRIES):
            meta = await client.get_metadata(resource, key.namespace, key.name)
            if meta is None:
                return None
            live = live_of(meta)
            if created.uid and created.uid != meta.uid:
                return None  # ours is gone: this is another object of the same name
            unsure = not created.uid and not await self._is_our_work(resource, key, meta.uid, client)
            if live.owner != shares.owner_of(key):
                if unsure:
                    return None  # no apply of ours has reached it
                return kept(key, "it no longer carries our owner labels", "delete it by hand if nobody needs it")
            if unsure:
                return kept(key, "somebody else may have created it", "delete it by hand if nobody needs it")
            if key.group_kind == PVC:
                return kept(key, "it may hold data", "delete it by hand if nobody needs its data")
            if key.group_kind in {NAMESPACE, CRD}:
                foreign = await holds_foreign(self._client, self._discovery, key, shares)
                if foreign:
                    return kept(key, f"it holds objects that are not ours: {foreign}", "move or delete them")
            try:
                self._owned.expect_gone(key, expected=True)
                await client.delete(
                    resource, key.namespace, key.name, uid=meta.uid, resource_version=meta.resource_version
                )
            except ClusterError as error:
                self._owned.expect_gone(key, expected=False)
                if error.reason != "Conflict" or attempt == TRIES - 1:
                    raise
                continue
            return await self._gone(resource, created, meta.uid)
        return None

    async def _is_our_work(self, resource: Resource, key: ResourceId, uid: str, client: KubeClient) -> bool:
        """Whether an apply whose answer never came has made the object."""
        raw = await client.get(resource, key.namespace, key.name)
        live = msgspec.json.decode(raw, type=LiveManagers) if raw is not None else None
        return live is not None and live.metadata.uid == uid and made_by_us(live)

    async def _gone(self, resource: Resource, created: Entry, uid: str) -> Entry | Problem | None:
        """Wait until it is gone, so that the next transaction does not meet it; a finalizer may hold it longer."""
        try:
            async with asyncio.timeout(GONE_SECONDS):
                await await_gone(self._client, resource, created.id, uid)
        except TimeoutError:
            return kept(created.id, f"its deletion has not ended after {GONE_SECONDS:.0f}s", "see what holds it")
        return None

    async def _as_it_is(self, change: Change) -> Resource:
        """How the object can be read now: the version that is to be applied may come with this very revision."""
        served = await self._discovery.find_any(change.api_version, change.id.kind)
        return served or await self._resource(change.id, change.api_version)

    async def _resource(self, key: ResourceId, api_version: str) -> Resource:
        return await resource_of(self._discovery, key, api_version, "install its CRD again")


def _not_as_before(key: ResourceId, why: Problem) -> Problem:
    return Problem(
        codes.UNDO_FAILED,
        f"{key} is not as it was before",
        subject=key,
        cause=f"{why.title}: {why.cause}" if why.cause else why.title,
        fix=why.fix or "it is tried again; or correct the object by hand",
    )


def _ground_returns(key: ResourceId, target: UndoTarget) -> bool:
    """Whether what the object stands on, its Namespace or a CRD of its group, is taken back in the same undo."""
    return any(
        (i.group_kind == NAMESPACE and i.name == key.namespace)
        or (i.group_kind == CRD and i.name.endswith(f".{key.group}"))
        for i in target.images
    )


def _by_kind(order: tuple[ResourceId, ...]) -> list[list[ResourceId]]:
    groups: list[list[ResourceId]] = []
    for key in order:
        if not groups or groups[-1][0].group_kind != key.group_kind:
            groups.append([])
        groups[-1].append(key)
    return groups
