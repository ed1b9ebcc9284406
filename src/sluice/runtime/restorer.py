"""Takes one object that existed back to its before-image: its values, its owners, and where it was replaced, itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import msgspec

from sluice.core import codes
from sluice.core.before_image import BeforeImage, Restored, restore
from sluice.core.errors import ClusterError, NotReady, SluiceError
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry
from sluice.core.irreversible import WHAT_GOES
from sluice.core.live import LiveManagers, LiveMeta, LiveObject
from sluice.core.managed_fields import MANAGER, created_by
from sluice.core.order import JOB
from sluice.core.plan import Owner
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.runtime.gone import await_gone
from sluice.runtime.owned import OwnedObjects, version_of
from sluice.runtime.resources import resource_of

TRIES = 5
GONE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Former:
    """An object as it was, and what we know of what became of it.

    `entry` is what the inventory had of it, `made` the UID that our last write found or left there. `again` says that
    it is made again if nobody has it: it was ours, or it was we who deleted it. `ground` says that its Namespace or its
    CRD is taken back, too, and after it.
    """

    image: BeforeImage
    entry: Entry | None
    made: str
    owner: Owner
    again: bool
    ground: bool = False


class _Refused(Exception):
    """The API server will not let the object have the values it had."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.title)
        self.problem = problem


class Restorer:
    """One for all transactions; keeps nothing between them."""

    def __init__(self, discovery: Discovery, owned: OwnedObjects) -> None:
        self._discovery = discovery
        self._owned = owned

    async def restore(self, former: Former, seen: bytes | None, client: KubeClient) -> Entry | Problem | None:
        """Take one object back; `seen` is how it was a moment ago, if that is known.

        What we have put in its place goes, where it can't become what was there. Returns the entry for the inventory,
        None for what was not ours, or why it was left as it is (UndoKept). Raises NotReady, ClusterError.
        """
        image, key = former.image, former.image.id
        try:
            resource = await resource_of(self._discovery, key, image.api_version, "install its CRD again")
        except NotReady as gone:
            if former.ground:
                raise
            return kept(key, gone.problems[0].title, "install its CRD again, in git or by hand")
        for attempt in range(TRIES):
            raw, seen = seen or await client.get(resource, key.namespace, key.name), None
            if raw is None:
                return await self._make_again(resource, former, client)
            meta = msgspec.json.decode(raw, type=LiveObject).metadata
            if meta.uid not in {image.uid, former.made} and not _is_our_work(former.owner, meta, raw):
                return kept(key, "somebody recreated it meanwhile", "look whether it is what you want")
            restored = restore(image, raw, MANAGER)
            if not restored.changes:
                return _settled(former, restored, meta)
            try:
                after = await self._write_back(resource, former, restored, client, at_once=attempt == 0)
            except _Refused as refused:
                if meta.uid == image.uid:
                    why = refused.problem
                    return kept(key, f"{why.title}: {why.cause}", why.fix or "correct the object by hand")
                return await self._replace(resource, former, meta, client)
            except ClusterError as error:
                # A controller wrote in between: the patch's test of the resourceVersion answers 422, not 409.
                if error.status not in {409, 422} or attempt == TRIES - 1:
                    raise
                continue
            if after is None:
                continue
            return _settled(former, restored, after)
        return None

    # --- the object is there ------------------------------------------------------------------------------------

    async def _write_back(
        self, resource: Resource, former: Former, restored: Restored, client: KubeClient, *, at_once: bool
    ) -> LiveMeta | None:
        """Write it; None when one apply did not come to the same, which the two writes then do."""
        key = former.image.id
        with self._owned.sending(key):
            if at_once and restored.ours is not None:
                after = await self._apply(resource, key, restored, client)
            else:
                after = await self._write(resource, key, restored, client)
            if after is not None:
                self._owned.applied(key, after, frozenset())
        return after

    async def _apply(
        self, resource: Resource, key: ResourceId, restored: Restored, client: KubeClient
    ) -> LiveMeta | None:
        body = msgspec.json.encode(restored.ours)
        try:
            answer = await client.apply(resource, key.namespace, key.name, body, manager=MANAGER, force=False)
        except SluiceError as error:
            if isinstance(error, ClusterError) and error.is_temporary:
                raise
            return None
        return answer.meta if restored.is_reached(answer.raw) else None

    async def _write(self, resource: Resource, key: ResourceId, restored: Restored, client: KubeClient) -> LiveMeta:
        """Values first, then owners: the server gives each changed field to whoever changes it."""
        body = msgspec.json.encode(restored.body)
        try:
            answer = await client.replace(resource, key.namespace, key.name, body, manager=MANAGER)
        except ClusterError as error:
            if error.status == 422 and error.problems[0].code is not codes.ADMISSION_DENIED:
                raise _Refused(error.problems[0]) from error
            raise
        version = msgspec.json.decode(answer, type=LiveObject).metadata.resource_version
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/managedFields", "value": restored.managers or [{}]},
        ]
        answer = await client.json_patch(resource, key.namespace, key.name, msgspec.json.encode(patch), manager=MANAGER)
        return msgspec.json.decode(answer, type=LiveObject).metadata

    # --- another one is in its place, or none -------------------------------------------------------------------

    async def _replace(
        self, resource: Resource, former: Former, meta: LiveMeta, client: KubeClient
    ) -> Entry | Problem | None:
        """Delete what we have put in its place, and make it again as it was."""
        key = former.image.id
        if (what := WHAT_GOES.get(key.group_kind)) is not None:
            return kept(key, f"it was replaced, and taking that back would delete {what}", "look whether it is needed")
        if key.group_kind == JOB:
            return kept(key, "it was replaced, and what it was would run again", "nothing, if it need not run")
        self._owned.expect_gone(key, expected=True)
        await client.delete(resource, key.namespace, key.name, uid=meta.uid)
        try:
            async with asyncio.timeout(GONE_SECONDS):
                await await_gone(client, resource, key, meta.uid)
        except TimeoutError:
            return kept(key, f"what replaced it is not gone after {GONE_SECONDS:.0f}s", "see what holds it")
        return await self._make_again(resource, replace(former, again=True), client)

    async def _make_again(self, resource: Resource, former: Former, client: KubeClient) -> Entry | Problem | None:
        """Create it with the values it had; its fields are then given back to their owners."""
        key = former.image.id
        if not former.again:
            return kept(key, "somebody deleted it meanwhile", "nothing, if that was meant")
        if key.group_kind == JOB:
            return kept(key, "it is gone, and would run again", "nothing, if it need not run")
        try:
            answer = await client.create(resource, key.namespace, former.image.body, manager=MANAGER)
        except ClusterError as error:
            if former.ground or error.problems[0].code is not codes.NAMESPACE_ABSENT:
                raise
            return kept(key, "somebody deleted its namespace meanwhile", "bring it back, in git or by hand")
        made = msgspec.json.decode(answer, type=LiveObject).metadata.uid
        return await self.restore(replace(former, made=made, again=False), None, client)


def kept(key: ResourceId, why: str, fix: str) -> Problem:
    """An undo leaves the object in place, and this is why."""
    return Problem(codes.UNDO_KEPT, f"{key} is kept", subject=key, cause=why, fix=fix)


def _settled(former: Former, restored: Restored, meta: LiveMeta) -> Entry | Problem | None:
    """What came of it: an object with fields that others hold now is not as it was, also where nothing was to write."""
    if restored.left:
        fields = ", ".join(restored.left[:10])
        return kept(former.image.id, f"somebody else changed {fields} since", "decide whose value is right")
    entry = former.entry
    return msgspec.structs.replace(entry, uid=meta.uid, version=version_of(meta)) if entry is not None else None


def _is_our_work(owner: Owner, meta: LiveMeta, raw: bytes) -> bool:
    """Whether an apply of ours, or an undo, whose answer was never noted has made what is there."""
    managers = msgspec.json.decode(raw, type=LiveManagers).managers
    made = created_by(managers, meta.creation_timestamp, MANAGER, ("Apply", "Update"))
    return made and Owner.of(meta.labels) == owner
