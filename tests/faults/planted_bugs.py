"""Seven bugs that an operator could have, planted from outside into one that the bench starts; each has to be caught.

They replace attributes of a process of its own. A bug that a change of `src` makes impossible to plant fails here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from sluice import wiring
from sluice.core import codes, condition, plan, transaction
from sluice.core.errors import UserError
from sluice.core.inventory import Entry, Inventory
from sluice.core.timestamp import rfc3339
from sluice.core.transaction_messages import Phase, Prune
from sluice.kube.lease import Candidate
from sluice.kube.well_known import SECRETS
from sluice.reconcilers import inventory_source, kustomization
from sluice.reconcilers.sync_facts import source_of
from sluice.render import Rendered, Renderer
from sluice.runtime import record_store
from sluice.runtime.executor import Executor
from sluice.runtime.owned import OwnedObjects


def plant(where: Any, name: str, what: Any) -> None:
    """Replace an attribute that must be there."""
    assert hasattr(where, name), f"{where} has no {name} any more: plant the bug elsewhere"
    setattr(where, name, what)


def inventory_after_apply() -> None:
    """The intent is not made durable before the first write."""
    original = Executor._save

    async def save(self: Executor, command: Any, run: Any, state: Any) -> None:
        if command.phase is not Phase.APPLYING:
            await original(self, command, run, state)

    plant(Executor, "_save", save)


def prune_before_apply() -> None:
    """What left git is deleted before what came is applied."""
    apply_next, prune_next = transaction._apply_next, transaction._prune_next

    def pruning(state: Any) -> Any:
        return replace(state, phase=Phase.PRUNING, wrote=True), Prune(state.prunes[0].changes)

    plant(transaction, "_apply_next", lambda state: pruning(state) if state.prunes else apply_next(state))

    def then(state: Any) -> Any:
        if state.prunes:
            return pruning(state)
        return apply_next(state) if state.steps or state.current else prune_next(state)

    plant(transaction, "_prune_next", then)


def uid_ignored() -> None:
    """An object of the same name is taken for the one that was applied."""
    original = plan._leaving
    plant(plan, "_leaving", lambda owner, entry, *rest: original(owner, msgspec.structs.replace(entry, uid=""), *rest))


def missing_is_empty() -> None:
    """A folder that is not there is taken for one without objects."""
    original = Renderer.render

    async def render(self: Renderer, given: Any) -> Rendered:
        try:
            return await original(self, given)
        except UserError as error:
            if error.problems[0].code is not codes.PATH_MISSING:
                raise
            return Rendered((), (), "0" * 64, cached=False)

    plant(Renderer, "render", render)


def ready_too_early() -> None:
    """A revision is reported as applied when its transaction begins."""
    original = kustomization.KustomizationReconciler._sync

    async def sync(self: Any, given: Any, turn: Any, progress: Any) -> Any:
        artifact = self._op.artifacts.get(source_of(given))
        if artifact is not None:
            stamp = condition.Stamp(given.metadata.generation, rfc3339(self._op.now()))
            conditions = condition.succeeded(given.status.conditions, "applied", stamp)
            status = {"conditions": conditions, "lastAppliedRevision": str(artifact.revision)}
            await self._op.sync_status.write(given.metadata.key, status, given.status)
        return await original(self, given, turn, progress)

    plant(kustomization.KustomizationReconciler, "_sync", sync)


def no_epoch_check() -> None:
    """A record is written whoever wrote it since."""
    original = record_store.RecordStore._write_head

    async def write(self: Any, name: str, body: Any, version: str) -> bytes:
        if not version:
            return await original(self, name, body, version)
        answer: bytes = await self._client.replace(SECRETS, self._namespace, name, msgspec.json.encode(body))
        return answer

    plant(record_store.RecordStore, "_write_head", write)


def labels_are_ownership() -> None:
    """Whatever carries our owner labels is taken for ours."""
    original = inventory_source.inventory_of

    async def everything(operator: Any, owner: Any, sync: Any) -> Inventory:
        known = await original(operator, owner, sync)
        owned: OwnedObjects = operator.owned
        seen = ((key, owned.get(key)) for kind in owned._synced for key in owned._live.ids_of(kind))
        ours = ((key, live) for key, live in seen if live is not None and live.owner == owner)
        return Inventory(Entry(key, "v1", live.uid) for key, live in ours).union(known)

    plant(kustomization, "inventory_of", everything)


def blind_leader() -> None:
    """No bug of the seven: an operator that believes that it leads, to stand for one that can't know better."""

    async def held(candidates: Any, *told: Any) -> None:
        return None

    async def for_ever(self: Candidate) -> str:
        await asyncio.Event().wait()
        return ""

    async def nothing(self: Candidate) -> None:
        return None

    plant(wiring, "acquire_all", held)
    plant(Candidate, "keep", for_ever)
    plant(Candidate, "holds", lambda self: True)
    plant(Candidate, "release", nothing)


BUGS: dict[str, Callable[[], None]] = {
    "inventory-after-apply": inventory_after_apply,
    "prune-before-apply": prune_before_apply,
    "uid-ignored": uid_ignored,
    "missing-is-empty": missing_is_empty,
    "ready-too-early": ready_too_early,
    "no-epoch-check": no_epoch_check,
    "labels-are-ownership": labels_are_ownership,
}
