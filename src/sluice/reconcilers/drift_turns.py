"""Sets drift right without a turn of its sync's own: at the cost of what has drifted, however many objects there are.

That is possible while the last turn's success still holds: same spec, same artifact, same record. Whatever is more than
an object of ours whose fields differ (one that was deleted or made anew, a refusal, a sync that waits for health) is
left to the sync's own turn, with its plan, its transaction and its report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sluice.api.kustomization import Kustomization
from sluice.core.artifact import Artifact
from sluice.core.errors import SluiceError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Entry
from sluice.core.plan import Owner
from sluice.core.record import Record
from sluice.reconcilers.drift import Drift
from sluice.reconcilers.kustomization_report import Turnout
from sluice.reconcilers.last_good import LastGood
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import owner_of, source_of
from sluice.reconcilers.sync_reporter import SyncReporter


@dataclass(frozen=True, slots=True)
class _Settled:
    """What the last turn of a sync came to, and what it was about."""

    uid: str
    generation: int
    annotations: Mapping[str, str]
    artifact: Artifact | None
    record: Record | None
    turnout: Turnout


class DriftTurns:
    """What is known of every sync whose last turn has succeeded, and how its drift is set right meanwhile."""

    def __init__(self, operator: Operator, drift: Drift, last_good: LastGood, reporter: SyncReporter) -> None:
        self._op = operator
        self._drift = drift
        self._last_good = last_good
        self._reporter = reporter
        self._settled: dict[NamespacedName, _Settled] = {}

    def note(self, sync: Kustomization, artifact: Artifact | None, turnout: Turnout) -> None:
        """A turn has ended, and was about that artifact."""
        if not turnout.succeeded:
            self.forget(sync.metadata.key)
            return
        # What is told again is that the revision stands, not what its turn has done.
        standing = replace(turnout, digest="", inventory=None, outcomes=(), warnings=(), gated=False, unproved=())
        meta, record = sync.metadata, self._op.records.get(str(owner_of(sync)))
        self._settled[meta.key] = _Settled(meta.uid, meta.generation, meta.annotations, artifact, record, standing)

    def forget(self, key: NamespacedName) -> None:
        """The sync is gone, or not settled any more."""
        self._settled.pop(key, None)

    async def settle(self, sync: Kustomization) -> bool:
        """Set right what has drifted, and tell it; False when the sync's own turn has to do that, or to follow."""
        pending = self._drift.open(sync)
        if not pending:
            return True
        settled = self._settled.get(sync.metadata.key)
        try:
            if settled is None or settled.record is None or not self._holds(settled, sync):
                return False
            return await self._correct(sync, settled.record, settled.turnout, pending)
        except SluiceError:
            return False  # it meets the same, and says so

    def _holds(self, settled: _Settled, sync: Kustomization) -> bool:
        meta = sync.metadata
        same = (meta.uid, meta.generation, meta.annotations) == (settled.uid, settled.generation, settled.annotations)
        artifact = self._op.artifacts.get(source_of(sync))
        return same and artifact is settled.artifact and self._op.records.get(str(owner_of(sync))) is settled.record

    async def _correct(
        self, sync: Kustomization, record: Record, turnout: Turnout, pending: frozenset[ResourceId]
    ) -> bool:
        entries = {key: entry for key in pending if (entry := record.inventory.get(key)) is not None}
        strangers = pending - entries.keys()
        self._drift.dismiss(sync, strangers)
        if not strangers.isdisjoint(turnout.strays):
            return False  # what is left over is told with the revision: whether it still is has to be looked at
        applied = self._last_good.applied(sync, entries, record.inventory)
        if not all(key in applied and self._is_as_recorded(entry, owner_of(sync)) for key, entry in entries.items()):
            return False
        judged = await self._drift.judge(sync, frozenset(applied), applied, record.inventory, {})
        if judged.apply != judged.accepted:
            return False
        if judged.apply and (await self._last_good.correct(sync, judged, applied, record)).problems:
            return False
        await self._reporter.report_drift(sync, turnout)
        # Whether it is as healthy as before is seen by waiting for it.
        return not judged.apply or not (sync.spec.wait or sync.spec.healthChecks)

    def _is_as_recorded(self, entry: Entry, owner: Owner) -> bool:
        """Whether it is the object that the record tells of, and nobody else's meanwhile."""
        live = self._op.owned.get(entry.id)
        return live is not None and (live.uid, live.owner) == (entry.uid, owner)
