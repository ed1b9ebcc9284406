"""Keeps what was applied last in place while the source's present revision can't be: refused, undone, or waited for.

Only an object whose manifest is, byte for byte, the one whose apply the record confirms is set right. So it does not
matter what else has changed meanwhile, in the spec or in variables: what was not kept, and can't be made again exactly,
is left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import msgspec
import structlog

from sluice.api.kustomization import Kustomization, KustomizationSpec
from sluice.core.adoption import Adopt
from sluice.core.artifact import Artifact
from sluice.core.errors import SluiceError
from sluice.core.history import last_applied
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Manifest
from sluice.core.packed import Packed
from sluice.core.plan import Action, Batch, Change, Owner, PlanOptions, build_plan
from sluice.core.record import Record
from sluice.core.revision import Revision
from sluice.core.transaction_messages import Answered, Phase
from sluice.reconcilers.drift import Drift, Judged, Resources
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.inventory_source import confirmed
from sluice.reconcilers.live_state import find_live
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.planning import Planner, Prepared, applied_of, ignored_by
from sluice.reconcilers.sync_facts import owner_of, source_of
from sluice.render import Rendered
from sluice.runtime.executor import Corrections

RETRY = 30.0
PAUSE = 5.0
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Good:
    """What the last revision that took effect was made from, and the manifests that this gave."""

    artifact: Artifact
    spec: KustomizationSpec
    digest: str
    manifests: Packed[Manifest]


class LastGood:
    """The last good state of every sync."""

    def __init__(self, operator: Operator, planner: Planner, drift: Drift) -> None:
        self._op = operator
        self._planner = planner
        self._drift = drift
        self._sources = GitRepositoryReconciler(operator)
        self._good: dict[NamespacedName, Good] = {}

    def note(self, sync: Kustomization, artifact: Artifact, rendered: Rendered) -> None:
        """That artifact, with the sync's present spec, has taken effect wholly."""
        known = self._good.get(sync.metadata.key)
        manifests = known.manifests if known is not None and _same(known, artifact, rendered) else _packed(rendered)
        self._good[sync.metadata.key] = Good(artifact, sync.spec, rendered.digest, manifests)

    def applied(
        self, sync: Kustomization, resources: Collection[ResourceId], inventory: Inventory
    ) -> dict[ResourceId, Manifest]:
        """Of `resources`, the manifests that are, byte for byte, what was applied last; empty when that is not known.

        Costs as much as there are `resources`.
        """
        good = self._good.get(sync.metadata.key)
        found = [manifest for key in resources if (manifest := good.manifests.get(key)) is not None] if good else []
        return applied_of(found, inventory)

    def forget(self, key: NamespacedName) -> None:
        """The sync is gone."""
        self._good.pop(key, None)

    async def keep(self, sync: Kustomization) -> float | None:
        """Set right what has drifted from the last good state; returns in how many seconds to try again, if at all."""
        try:
            record = self._op.records.get(str(owner_of(sync)))
        except SluiceError:
            return None  # an unreadable record is what the turn has reported
        # In between, the record does not say what was applied; a half-applied revision is its transaction's business.
        if record is None or not (record.phase is Phase.DONE or (record.phase is Phase.FAILED and record.failed)):
            return None
        suspects = self._drift.suspects(sync, record.inventory)
        if not suspects:
            return None
        try:
            good = await self._last_good(sync, record)
            if good is None:
                return None
            then = msgspec.structs.replace(sync, spec=msgspec.structs.replace(good.spec, drift=sync.spec.drift))
            inventory = await confirmed(self._op, record)
            applied = self.applied(sync, suspects, inventory)
            judged = await self._drift.judge(then, frozenset(applied), applied, inventory, {})
            answer = await self.correct(then, judged, applied, record)
        except SluiceError as error:
            log.warning("drift is not corrected: the last good state can't be had", name=str(owner_of(sync)),
                        error=str(error))  # fmt: skip
            return RETRY
        return RETRY if answer.problems else None

    async def correct(
        self, sync: Kustomization, judged: Judged, applied: Mapping[ResourceId, Manifest], record: Record
    ) -> Answered:
        """Apply again, the record first where a new UID is to be expected: what is made must never look foreign.

        Raises NotReady (AccountMissing), ClusterError.
        """
        batches = await self._batches(sync, judged, applied, record.inventory, {})
        made = _made(batches)
        if made:
            intent = (msgspec.structs.replace(e, uid="", version="") if e.id in made else e for e in record.inventory)
            record = await self._save(record, Inventory(intent))
        answer = await self._op.executor.correct(batches, owner_of(sync))
        entries = [o.entry for o in answer.outcomes if o.entry is not None]
        if made:
            await self._save(record, record.inventory.union(Inventory(entries)))
        else:
            self._op.records.move(record.owner, entries)
        self._handled(sync, judged, answer)
        return answer

    def _handled(self, sync: Kustomization, judged: Judged, answer: Answered) -> None:
        self._drift.handled(sync, judged, answer.outcomes, whole=not answer.problems)
        for problem in answer.problems:
            log.warning(
                "drift is not corrected",
                namespace=sync.metadata.namespace,
                name=sync.metadata.name,
                error=str(problem),
            )

    async def keep_while_waiting(
        self,
        sync: Kustomization,
        prepared: Prepared,
        corrections: Corrections,
        tell: Callable[[], None],
    ) -> None:
        """Set right what drifts while a transaction waits for health, until cancelled. `tell` sends the events.

        A correction whose answer nobody takes would be told to nobody, and what it has made would have another UID than
        the record says: so the wait does not end, nor is anything made anew, before that is noted.
        """
        changes = (c for c in prepared.plan.changes() if c.manifest is not None and c.action is not Action.SKIP)
        applied = {change.id: change.manifest for change in changes if change.manifest is not None}
        inventory, resources = prepared.plan.during, prepared.resources
        while True:
            suspects = await self._drift.arrival(sync, applied)
            try:
                judged = await self._drift.judge(sync, suspects, applied, inventory, resources)
                batches = await self._batches(sync, judged, applied, inventory, resources)
                async with corrections.writing:
                    if made := _made(batches):
                        await corrections.expect_anew(made)
                    answer = await self._op.executor.correct(batches, owner_of(sync))
                    corrections.outcomes.extend(answer.outcomes)
                    self._handled(sync, judged, answer)
                    tell()
            except SluiceError as error:
                log.warning("drift is not corrected", name=str(owner_of(sync)), error=str(error))
                await asyncio.sleep(PAUSE)
                continue
            if answer.problems:
                await asyncio.sleep(PAUSE)

    async def _save(self, record: Record, inventory: Inventory) -> Record:
        """Only the inventory moves: what failed stays failed."""
        following = replace(record, epoch=record.epoch + 1, inventory=inventory)
        await self._op.records.save(following)
        return following

    async def _batches(
        self,
        sync: Kustomization,
        judged: Judged,
        applied: Mapping[ResourceId, Manifest],
        inventory: Inventory,
        resources: Resources,
    ) -> tuple[Batch, ...]:
        """What to send, in order; an object that somebody else has taken or made meanwhile is left to them."""
        manifests, owner = tuple(applied[key] for key in sorted(judged.apply)), owner_of(sync)
        kinds = {
            m.id: resources.get(m.id) or await self._op.discovery.find(m.api_version, m.id.kind) for m in manifests
        }
        live = await find_live(self._op, owner, judged.apply, kinds)
        known = Inventory(inventory.get(m.id) or Entry(m.id, m.api_version) for m in manifests)
        adopt = Adopt(sync.spec.adopt or Adopt.ALWAYS)
        options = PlanOptions(suspects=judged.apply, ignored=ignored_by(sync, manifests), adopt=adopt)
        plan = build_plan(owner, manifests, known, live.__getitem__, options)
        kept = (replace(b, changes=tuple(c for c in b.changes if self._is_ours(c, owner))) for b in plan.applies)
        return tuple(batch for batch in kept if batch.changes)

    def _is_ours(self, change: Change, owner: Owner) -> bool:
        """False for what only a whole plan, with its guards, may take over: another object, or another's."""
        return change.action is not Action.ADOPT and self._op.claims.get(change.id) in {None, owner}

    async def _last_good(self, sync: Kustomization, record: Record) -> Good | None:
        """From memory; after a restart from the mirror, which has the commit unless the disk was lost."""
        known = self._good.get(sync.metadata.key)
        if known is not None:
            return known
        revision = last_applied(sync.status.lastAppliedRevision, sync.status.history, record.history)
        if not revision:
            return None
        artifact = self._op.artifacts.get(source_of(sync))
        if artifact is None or str(artifact.revision) != revision:
            source = self._op.git_repositories.get(source_of(sync).namespace, source_of(sync).name)
            if source is None:
                return None
            artifact = await self._sources.earlier(source, Revision.parse(revision))
        rendered, _ = await self._planner.render(sync, artifact)
        self.note(sync, artifact, rendered)
        return self._good[sync.metadata.key]


def _made(batches: Collection[Batch]) -> frozenset[ResourceId]:
    """What these make."""
    return frozenset(c.id for batch in batches for c in batch.changes if c.action is Action.CREATE)


def _same(known: Good, artifact: Artifact, rendered: Rendered) -> bool:
    """Whether the manifests are the same, and at the same places of the same commit."""
    return known.digest == rendered.digest and known.artifact.revision == artifact.revision


def _packed(rendered: Rendered) -> Packed[Manifest]:
    return Packed(rendered.manifests, Manifest, lambda manifest: manifest.id)
