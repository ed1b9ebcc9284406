"""Who works on a Kustomization: it alone, or its group; never both at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager

from sluice.core.ids import NamespacedName
from sluice.core.plan import Owner
from sluice.reconcilers.group import GroupReconciler
from sluice.reconcilers.group_members import open_group_of
from sluice.reconcilers.kustomization import KustomizationReconciler
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import group_of
from sluice.runtime.queue import Turn


class SyncTurns:
    """Gives each turn of a Kustomization to its own reconciler, or hands it to its group's."""

    def __init__(
        self,
        operator: Operator,
        single: KustomizationReconciler,
        groups: GroupReconciler,
        wake_sync: Callable[[NamespacedName], None],
        wake_group: Callable[[NamespacedName], None],
    ) -> None:
        self._op = operator
        self._single = single
        self._groups = groups
        self._wake_sync = wake_sync
        self._wake_group = wake_group
        self._leaving: dict[NamespacedName, set[NamespacedName]] = {}
        self._locks: dict[NamespacedName, asyncio.Lock] = {}

    async def of_sync(self, turn: Turn[NamespacedName]) -> float | None:
        """A turn of one Kustomization. Returns the seconds until the next."""
        if self._is_handed_over(turn.key):
            return None
        async with self._held({turn.key}):
            if self._is_handed_over(turn.key):  # it may have joined while this waited
                return None
            later = await self._single.reconcile(turn)
        if self._op.kustomizations.get(turn.key.namespace, turn.key.name) is None:
            self._locks.pop(turn.key, None)
        return later

    async def of_drift(self, turn: Turn[NamespacedName]) -> float | None:
        """What has drifted of one Kustomization. Returns the seconds until something of it is to be looked at again.

        It waits for a turn that is under way; what it can't settle becomes a turn.
        """
        async with AsyncExitStack() as stack:
            async with turn.waiting():
                await stack.enter_async_context(self._held({turn.key}))
            sync = self._op.kustomizations.get(turn.key.namespace, turn.key.name)
            if sync is None or sync.metadata.deletionTimestamp or sync.spec.suspend or self._is_handed_over(turn.key):
                return None
            if await self._single.settle_drift(sync):
                return self._single.drift_due(sync)
        self._wake_sync(turn.key)
        return None

    async def of_group(self, turn: Turn[NamespacedName]) -> float | None:
        """A turn of a group, once none of its members has one of its own. Returns the seconds until the next."""
        while True:
            involved = self._groups.involved(turn.key)
            async with AsyncExitStack() as stack:
                async with turn.waiting():
                    await stack.enter_async_context(self._held(involved))
                if self._groups.involved(turn.key) <= involved:
                    try:
                        return await self._groups.reconcile(turn)
                    finally:
                        self._give_back(turn.key)

    def _give_back(self, group: NamespacedName) -> None:
        """Who has left, and was part of what was under way, gets the turn that the group took from it."""
        leaving = self._leaving.pop(group, set())
        held = {key for key in leaving if open_group_of(self._op, Owner(key.namespace, key.name)) == group}
        if held:
            self._leaving[group] = held
        for key in leaving - held:
            self._wake_sync(key)

    def _is_handed_over(self, key: NamespacedName) -> bool:
        """True when the group has the turn instead: its transaction is open, or the sync is a member and not going."""
        sync = self._op.kustomizations.get(key.namespace, key.name)
        member = sync is not None and not sync.metadata.deletionTimestamp and not sync.spec.suspend
        own = group_of(sync) if sync is not None and member else None
        open_ = open_group_of(self._op, Owner(key.namespace, key.name))
        if open_ is not None and open_ != own:
            self._leaving.setdefault(open_, set()).add(key)
        group = open_ or own
        if group is None:
            return False
        self._wake_group(group)
        return True

    @asynccontextmanager
    async def _held(self, keys: Collection[NamespacedName]) -> AsyncIterator[None]:
        """Everybody takes them in one order, so that nobody waits in a circle."""
        async with AsyncExitStack() as stack:
            for key in sorted(keys, key=str):
                await stack.enter_async_context(self._locks.setdefault(key, asyncio.Lock()))
            yield
