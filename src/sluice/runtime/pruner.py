"""Deletes what left git: exactly the object that was planned, with its UID and version as preconditions."""

from __future__ import annotations

from functools import partial

from sluice.core import codes
from sluice.core.errors import ClusterError, SluiceError
from sluice.core.order import CRD
from sluice.core.plan import Change, Live, Owner
from sluice.core.problem import Problem
from sluice.core.shares import Shares
from sluice.core.transaction_messages import HANDED_OVER, Answered, Outcome
from sluice.kube.client import KubeClient
from sluice.kube.discovery import Discovery
from sluice.kube.resource import Resource
from sluice.runtime.identities import ClientOf
from sluice.runtime.outage import outlast
from sluice.runtime.owned import OwnedObjects, live_of
from sluice.runtime.resources import resource_of
from sluice.runtime.together import together

PRUNE_TRIES = 4


class Pruner:
    """One for all transactions. `client_of` says as whom an object is deleted."""

    def __init__(self, discovery: Discovery, owned: OwnedObjects) -> None:
        self._discovery = discovery
        self._owned = owned

    async def prune_all(self, changes: tuple[Change, ...], shares: Shares, client_of: ClientOf) -> Answered:
        results = await together(
            self._prune(change, shares.owner_of(change.id), client_of(change.id)) for change in changes
        )
        if any(change.id.group_kind == CRD for change in changes):
            await self._discovery.invalidate()
        return Answered(
            tuple(r for r in results if isinstance(r, Outcome)),
            tuple(r for r in results if isinstance(r, Problem)),
        )

    async def _prune(self, change: Change, sync: Owner, client: KubeClient) -> Outcome | Problem:
        key = change.id
        try:
            served = await self._discovery.find_any(change.api_version, key.kind)
            resource = served or await resource_of(self._discovery, key, change.api_version)
            self._owned.expect_gone(key, expected=True)
            taken = await self._delete_ours(resource, change, sync, client)
            meta = await outlast(partial(client.get_metadata, resource, key.namespace, key.name))
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
        return Outcome(key, "deleted" if gone else HANDED_OVER if taken else "deleting")

    async def _delete_ours(self, resource: Resource, change: Change, sync: Owner, client: KubeClient) -> bool:
        """Delete exactly the object that was planned; where it changed meanwhile, look again whether it is ours.

        True when another sync has taken it.
        """
        key, version = change.id, change.resource_version
        delete = partial(client.delete, resource, key.namespace, key.name, uid=change.uid)
        for attempt in range(PRUNE_TRIES):
            try:
                await outlast(partial(delete, resource_version=version))
            except ClusterError as error:
                if error.reason != "Conflict" or attempt == PRUNE_TRIES - 1:
                    raise
                meta = await client.get_metadata(resource, key.namespace, key.name)
                if meta is None or meta.uid != change.uid:
                    return False
                live = live_of(meta)
                if not _still_ours(live, sync):
                    return live.owner not in {None, sync}
                version = meta.resource_version
            else:
                break
        return False


def _still_ours(live: Live, sync: Owner) -> bool:
    wants = live.directives
    return live.owner == sync and wants.prune and wants.reconcile and wants.ssa != "ignore"
