"""What is live of the objects that we own, kept by one metadata watch per kind, and who touched them.

The watches select our owner label. Per object a small `Live` is kept, never the object. They answer two questions
without a request: is the object as we left it, and did somebody else just change it. A status update changes neither
generation nor metadata, so it is not drift; anything else is a suspicion, and the owner's next turn looks.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from sluice.core.adoption import owner_mark
from sluice.core.errors import AuthenticationFailed, ClusterError
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.live import LiveMeta
from sluice.core.manifest import Directives
from sluice.core.plan import OWNER_NAME, Live, Owner
from sluice.core.schedule import backoff
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.kube.watch import STANDING, EventType
from sluice.runtime.live_table import Kept, LiveTable

log = structlog.get_logger()
Suspect = Callable[[Owner, ResourceId], None]


def live_of(meta: LiveMeta) -> Live:
    """What the plan needs of an object's metadata."""
    return Live(
        uid=meta.uid,
        resource_version=meta.resource_version,
        version=version_of(meta),
        owner=Owner.of(meta.labels),
        directives=Directives.of(meta.labels, meta.annotations),
        deleting=bool(meta.deletion_timestamp),
        mark=owner_mark(meta),
    )


def version_of(meta: LiveMeta) -> str:
    """Changes whenever the desired part of an object does: its generation, or its resourceVersion where none is."""
    return f"g{meta.generation}" if meta.generation else meta.resource_version


class OwnedObjects:
    """Live metadata of every object that carries our owner label, of the kinds in use."""

    def __init__(self, client: KubeClient, group: asyncio.TaskGroup, suspect: Suspect) -> None:
        self._client = client
        self._group = group
        self._suspect = suspect
        self._live = LiveTable()
        self._synced: dict[GroupKind, asyncio.Event] = {}
        self._tried: dict[GroupKind, asyncio.Event] = {}
        self._sending: dict[ResourceId, LiveMeta | None] = {}
        self._senders: Counter[ResourceId] = Counter()
        self._expected_gone: set[ResourceId] = set()

    def ensure(self, resource: Resource) -> None:
        """Watch that kind from now on."""
        kind = GroupKind(resource.group, resource.kind)
        if kind not in self._synced:
            synced = self._synced[kind] = asyncio.Event()
            self._tried[kind] = asyncio.Event()
            # It outlives the turn that needed it first: what it logs is not that turn's.
            fresh = contextvars.Context()
            self._group.create_task(self._follow(resource, synced), name=f"owned {kind}", context=fresh)

    async def first_look(self, resource: Resource) -> None:
        """Watch that kind from now on; returns once its initial state is in, or could not be had.

        What may not be watched must hold up nothing but itself: plans look for it by request.
        """
        self.ensure(resource)
        await self._tried[GroupKind(resource.group, resource.kind)].wait()

    def knows(self, kind: GroupKind) -> bool:
        """True when the watch of that kind has its initial state."""
        synced = self._synced.get(kind)
        return synced is not None and synced.is_set()

    def get(self, resource: ResourceId) -> Live | None:
        """The live object if it carries an owner label; None says nothing about objects that carry none."""
        kept = self._live.get(resource)
        return kept.live if kept is not None else None

    @contextmanager
    def sending(self, resource: ResourceId) -> Iterator[None]:
        """Hold what the watch says of an object while our own write is under way: it may tell before the answer.

        Two syncs may have one object in git, and send it at the same time: it is held until both have their answers.
        """
        self._senders[resource] += 1
        self._sending.setdefault(resource, None)
        try:
            yield
        finally:
            self._senders[resource] -= 1
            if not self._senders[resource]:
                del self._senders[resource]
                held = self._sending.pop(resource)
                if held is not None:
                    self._changed(resource, held, fresh=True)

    def applied(self, resource: ResourceId, meta: LiveMeta, keys: frozenset[str]) -> None:
        """Note our own write, so that its watch event is not taken for somebody else's.

        `keys` are the labels and annotations that we set: what others put beside them is theirs. Whose the object was
        before has to know that it is not any more.
        """
        old = self._live.get(resource)
        self._expected_gone.discard(resource)
        self._keep(resource, meta, keys)
        if old is not None and old.live.owner is not None and old.live.owner != Owner.of(meta.labels):
            self._suspect(old.live.owner, resource)

    def looked(self, resource: ResourceId, meta: LiveMeta, keys: frozenset[str]) -> None:
        """Note which labels and annotations of an object are ours, when somebody has looked and sent nothing."""
        if (kept := self._live.get(resource)) is not None:
            self._live.put(resource, Kept(kept.live, keys, _digest(meta, keys)))

    def expect_gone(self, resource: ResourceId, *, expected: bool) -> None:
        """Say whether the deletion of an object would be our own doing."""
        if expected:
            self._expected_gone.add(resource)
        else:
            self._expected_gone.discard(resource)

    def _keep(self, resource: ResourceId, meta: LiveMeta, keys: frozenset[str] | None) -> Kept | None:
        live = live_of(meta)
        if live.owner is None:
            self._live.pop(resource)
            return None
        kept = Kept(live, keys, _digest(meta, keys))
        self._live.put(resource, kept)
        return kept

    async def _follow(self, resource: Resource, synced: asyncio.Event) -> None:
        """Watch one kind until the server no longer serves it; then its objects are gone, and so is the watch."""
        kind = GroupKind(resource.group, resource.kind)
        failures = 0
        while True:
            try:
                await self._take_events(resource, kind, synced)
            except (ClusterError, AuthenticationFailed) as error:
                if isinstance(error, ClusterError) and error.status == 404:
                    break
                failures += 1
                log.warning("owned objects are not watched", kind=str(kind), error=str(error))
            self._tried[kind].set()
            synced.clear()  # what the watch knew is not known any more: plans look for themselves meanwhile
            await asyncio.sleep(backoff(failures, 1.0, 60.0))
        del self._synced[kind]
        self._tried.pop(kind).set()
        self._forget_unseen(kind, set(), "")

    async def _take_events(self, resource: Resource, kind: GroupKind, synced: asyncio.Event) -> None:
        seen: set[ResourceId] = set()
        async for event in self._client.watch(resource, labels=OWNER_NAME, policy=STANDING):
            match event.type:
                case EventType.RESTARTED:
                    seen.clear()
                case EventType.SYNCED:
                    self._forget_unseen(kind, seen, event.resource_version)
                    seen.clear()
                    synced.set()
                    self._tried[kind].set()
                case _ if event.item is not None:
                    meta = event.item
                    key = ResourceId(resource.group, resource.kind, meta.namespace, meta.name)
                    if event.type is EventType.DELETED:
                        self._deleted(key)
                    else:
                        seen.add(key)
                        self._changed(key, meta, fresh=synced.is_set())

    def _changed(self, key: ResourceId, meta: LiveMeta, *, fresh: bool) -> None:
        if key in self._sending:
            self._sending[key] = meta
            return
        old = self._live.get(key)
        known = old.live.resource_version if old is not None else ""
        if _is_older(meta.resource_version, known):
            return  # the watch is behind the answer to our own write
        new = self._keep(key, meta, old.keys if old is not None else None)
        if new is None or new.live.owner is None or meta.resource_version == known:
            return
        if old is None:
            if fresh:
                self._suspect(new.live.owner, key)
        elif new.digest != old.digest or _state(new.live) != _state(old.live):
            self._suspect(new.live.owner, key)
            if old.live.owner is not None and old.live.owner != new.live.owner:
                self._suspect(old.live.owner, key)

    def _deleted(self, key: ResourceId) -> None:
        old = self._live.pop(key)
        if key in self._expected_gone:
            self._expected_gone.discard(key)
        elif old is not None and old.live.owner is not None:
            self._suspect(old.live.owner, key)

    def _forget_unseen(self, kind: GroupKind, seen: set[ResourceId], version: str) -> None:
        """A full state as of `version` has been told: what was not in it, and was not written since, is gone."""
        for key in [k for k in self._live.ids_of(kind) if k not in seen]:
            live = self.get(key)
            if live is not None and not _is_older(version, live.resource_version):
                self._deleted(key)


def _state(live: Live) -> tuple[object, ...]:
    return live.uid, live.version, live.deleting, live.directives


def _digest(meta: LiveMeta, keys: frozenset[str] | None) -> int:
    """A digest of the labels and annotations that an apply set, which no generation counts; None is all there are.

    After a restart it is not known which are ours: then any that changes is a reason to look, once.
    """
    if keys is None:
        return hash((tuple(sorted(meta.labels.items())), tuple(sorted(meta.annotations.items()))))
    return hash(tuple((k, meta.labels.get(k), meta.annotations.get(k)) for k in sorted(keys)))


def _is_older(version: str, than: str) -> bool:
    """Resource versions of one kind are comparable integers (KEP-5504); anything else is taken as newer."""
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)
