"""Which objects of a sync others have touched, what that came to, and when each is set right: kept between turns.

A suspicion comes from the watch and costs nothing. It is settled by looking: a GET and a dry-run show which fields of
ours differ, if any. Everything is kept per object that was touched, never per object that is well.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from sluice.api.kustomization import Kustomization
from sluice.core.drift import Drifted, DriftMode, expires, find_drift, mode_of, warned
from sluice.core.errors import ClusterError, SluiceError
from sluice.core.fight import WINDOW, Fight, corrected, fought
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.inventory import Inventory
from sluice.core.live import LiveObject
from sluice.core.managed_fields import MANAGER
from sluice.core.manifest import Directives, Manifest
from sluice.core.plan import Owner
from sluice.core.problem import Problem
from sluice.core.timestamp import rfc3339
from sluice.core.transaction_messages import Outcome
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from sluice.reconcilers.drift_report import DriftReport
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.planning import ignored_by
from sluice.reconcilers.sync_facts import owner_of
from sluice.runtime.applier import steering_keys, to_send
from sluice.runtime.metrics import DRIFT_CORRECTIONS
from sluice.runtime.outage import is_outage
from sluice.runtime.together import together

Resources = Mapping[ResourceId, Resource | None]
MAX_TOLD = 50


@dataclass(frozen=True, slots=True)
class Judged:
    """What looking came to: objects to apply again, and what was found of those that had drifted.

    `accepted` are those of `apply` whose manifests the API server has just taken in a dry-run.
    """

    apply: frozenset[ResourceId] = frozenset()
    found: tuple[Drifted, ...] = ()
    accepted: frozenset[ResourceId] = frozenset()


@dataclass(slots=True)
class _Ledger:
    """What is known of one sync.

    `taken` are suspects that a turn has begun to settle. `seen` is the UID and version at which an object was looked
    at and not written: while it stays there, there is no reason to look again.
    """

    suspects: set[ResourceId] = field(default_factory=set)
    taken: set[ResourceId] = field(default_factory=set)
    seen: dict[ResourceId, tuple[str, str]] = field(default_factory=dict)
    expired: set[ResourceId] = field(default_factory=set)
    warned: dict[ResourceId, Drifted] = field(default_factory=dict)
    fights: dict[ResourceId, Fight] = field(default_factory=dict)
    corrected: list[Drifted] = field(default_factory=list)
    unsent: list[Drifted] = field(default_factory=list)
    told: object = None
    generation: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pending(self) -> set[ResourceId]:
        return self.suspects | self.taken

    def begin(self, candidates: Collection[ResourceId]) -> None:
        self.suspects.difference_update(candidates)
        self.taken.update(candidates)

    def narrow(self, known: Collection[ResourceId], now: float) -> None:
        """Forget what is not the sync's any more, and fights that have ended."""
        for kept in (self.seen, self.warned):
            for gone in [key for key in kept if key not in known]:
                del kept[gone]
        for group in (self.suspects, self.taken, self.expired):
            group.intersection_update(known)
        for key in [key for key, fight in self.fights.items() if fight.ended(now) or key not in known]:
            del self.fights[key]


class Drift:
    """Every sync's drift. One for all."""

    def __init__(self, operator: Operator) -> None:
        self._op = operator
        self._ledgers: dict[NamespacedName, _Ledger] = {}

    def forget(self, key: NamespacedName) -> None:
        """The sync is gone."""
        self._ledgers.pop(key, None)

    def _of(self, sync: Kustomization) -> _Ledger:
        return self._ledgers.setdefault(sync.metadata.key, _Ledger())

    def _held(self, ledger: _Ledger, resource: ResourceId, now: float) -> float:
        """Seconds for which an object that is fought over is left alone."""
        fight = ledger.fights.get(resource)
        return fight.held(now, seen=self._op.owned.get(resource) is not None) if fight is not None else 0.0

    # --- suspicion ----------------------------------------------------------------------------------------------

    def suspect(self, owner: Owner, resource: ResourceId) -> float | None:
        """Note that an object may have drifted; returns in how many seconds its sync's turn is due, None for never."""
        key = NamespacedName(owner.namespace, owner.name)
        ledger = self._ledgers.setdefault(key, _Ledger())
        ledger.suspects.add(resource)
        sync = self._op.kustomizations.get(key.namespace, key.name)
        if sync is not None and self._mode(sync, resource, None) is DriftMode.IGNORE:
            return None
        ledger.arrived.set()
        return self._held(ledger, resource, time.monotonic())

    def open(self, sync: Kustomization) -> frozenset[ResourceId]:
        """Objects that are to be looked at now. Costs as much as they are."""
        ledger, now = self._of(sync), time.monotonic()
        return frozenset(key for key in ledger.pending if not self._held(ledger, key, now))

    def dismiss(self, sync: Kustomization, resources: Collection[ResourceId]) -> None:
        """These are not the sync's: there is nothing to settle."""
        ledger = self._of(sync)
        ledger.suspects.difference_update(resources)
        ledger.taken.difference_update(resources)

    def suspects(self, sync: Kustomization, inventory: Inventory) -> frozenset[ResourceId]:
        """Objects that are not as our last write left them, as far as the watches know."""
        ledger = self._of(sync)
        if ledger.generation != sync.metadata.generation:
            ledger.generation = sync.metadata.generation
            ledger.fights.clear()  # somebody has decided something: a fight that goes on is found again
        ledger.narrow(inventory.ids(), time.monotonic())
        found = {key for key in self._moved(sync, inventory) if ledger.seen.get(key) != self._seen(key)}
        return frozenset(found | ledger.pending)

    def is_quiet(self, sync: Kustomization, inventory: Inventory) -> bool:
        """Whether every object is as our last write left it, as far as the watches know, and nothing stands."""
        ledger = self._of(sync)
        if ledger.pending or ledger.warned or ledger.fights or ledger.expired:
            return False
        return next(self._moved(sync, inventory), None) is None

    def _moved(self, sync: Kustomization, inventory: Inventory) -> Iterator[ResourceId]:
        """What of `inventory` was applied, and is not as that left it, as far as the watches know."""
        owned, owner = self._op.owned, owner_of(sync)
        for entry in inventory:
            if entry.digest and owned.knows(entry.id.group_kind):
                live = owned.get(entry.id)
                if live is None or (live.uid, live.version, live.owner) != (entry.uid, entry.version, owner):
                    yield entry.id

    def _seen(self, resource: ResourceId) -> tuple[str, str]:
        live = self._op.owned.get(resource)
        return (live.uid, live.version) if live is not None else ("", "")

    def _mode(self, sync: Kustomization, resource: ResourceId, manifest: Manifest | None) -> DriftMode:
        live = self._op.owned.get(resource)
        return mode_of(
            sync.spec.drift, manifest.directives if manifest else None, live.directives if live is not None else None
        )

    # --- looking ------------------------------------------------------------------------------------------------

    def everything(self, sync: Kustomization, suspects: frozenset[ResourceId]) -> Judged:
        """A revision that changes something is applied as usual: what has drifted is set right with it, in any mode."""
        ledger = self._of(sync)
        ledger.begin(suspects)
        return Judged((suspects | ledger.warned.keys()) - ledger.expired)

    async def judge(
        self,
        sync: Kustomization,
        suspects: frozenset[ResourceId],
        applied: Mapping[ResourceId, Manifest],
        inventory: Inventory,
        resources: Resources,
    ) -> Judged:
        """Look at each suspect of `applied`, which is what was applied last; note what is only told.

        One that was made again just as it was is applied once more: its new UID must be recorded.

        Raises ClusterError when the API server can't be asked, NotReady (AccountMissing).
        """
        ledger, now = self._of(sync), time.monotonic()
        ledger.begin(suspects & applied.keys())  # of the rest nothing says how it should be: there is nothing to settle
        ledger.suspects.difference_update(suspects)
        looks: list[tuple[ResourceId, DriftMode, tuple[str, str]]] = []
        for key in sorted(suspects | ledger.warned.keys()):
            manifest = applied.get(key)
            mode = self._mode(sync, key, manifest)
            if mode is DriftMode.IGNORE:
                ledger.warned.pop(key, None)
            settled = key not in suspects and mode is DriftMode.WARN
            held = mode is DriftMode.CORRECT and self._held(ledger, key, now) > 0
            if manifest is not None and mode is not DriftMode.IGNORE and not settled and not held:
                looks.append((key, mode, self._seen(key)))
        ignored = ignored_by(sync, (applied[key] for key, _, _ in looks))
        if looks:
            await self._op.identities.check([owner_of(sync)])
        client = self._op.identities.client(owner_of(sync))
        results = await together(
            self._look(ledger, applied[key], ignored.get(key, ()), resources, client) for key, _, _ in looks
        )
        found: list[Drifted] = []
        anew: set[ResourceId] = set()
        for (key, mode, seen), (drifted, uid) in zip(looks, results, strict=True):
            ledger.warned.pop(key, None)
            entry = inventory.get(key)
            if mode is DriftMode.CORRECT and drifted is not None:
                found.append(drifted)
                continue
            if mode is DriftMode.CORRECT and uid and entry is not None and entry.uid not in {"", uid}:
                anew.add(key)
                continue
            ledger.seen[key] = seen
            ledger.taken.discard(key)
            if drifted is not None:
                ledger.warned[key] = drifted
        accepted = anew | {d.id for d in found if d.fields}
        return Judged(frozenset(d.id for d in found) | anew, tuple(found), frozenset(accepted))

    async def _look(
        self,
        ledger: _Ledger,
        manifest: Manifest,
        ignored: tuple[str, ...],
        resources: Resources,
        client: KubeClient,
    ) -> tuple[Drifted | None, str]:
        """What differs, and the UID of the object, empty when it is not there or not to be touched."""
        key = manifest.id
        resource = resources.get(key) or await self._op.discovery.find(manifest.api_version, key.kind)
        live = await client.get(resource, key.namespace, key.name) if resource is not None else None
        ledger.expired.discard(key)
        if resource is None or live is None:
            if not expires(manifest):
                return Drifted(key, deleted=True, origin=manifest.origin, seen=rfc3339(self._op.now())), ""
            ledger.expired.add(key)
            return None, ""
        meta = msgspec.json.decode(live, type=LiveObject).metadata
        if meta.deletion_timestamp or not Directives.of(meta.labels, meta.annotations).reconcile:
            return None, ""
        body = to_send(manifest.body, meta.uid, live, ignored)
        try:
            answer = await client.apply(resource, key.namespace, key.name, body, manager=MANAGER, dry_run=True)
        except SluiceError as error:
            if isinstance(error, ClusterError) and is_outage(error):
                raise
            return Drifted(key, why=error.problems[0].title, origin=manifest.origin), meta.uid
        drifted = find_drift(manifest, live, answer.raw, MANAGER)
        if drifted is None:
            self._op.owned.looked(key, meta, steering_keys(manifest.body))
            return None, meta.uid
        return replace(drifted, seen=rfc3339(self._op.now())), meta.uid

    async def arrival(self, sync: Kustomization, applied: Mapping[ResourceId, Manifest]) -> frozenset[ResourceId]:
        """Wait until something of `applied` should be looked at, and return what."""
        ledger = self._of(sync)
        while True:
            ledger.arrived.clear()
            now = time.monotonic()
            open_ = [
                key
                for key in ledger.pending & applied.keys()
                if self._mode(sync, key, applied[key]) is not DriftMode.IGNORE
            ]
            if due := frozenset(key for key in open_ if not self._held(ledger, key, now)):
                return due
            pause = min((self._held(ledger, key, now) for key in open_), default=None)
            try:
                async with asyncio.timeout(pause):
                    await ledger.arrived.wait()
            except TimeoutError:
                continue

    # --- afterwards ---------------------------------------------------------------------------------------------

    def handled(self, sync: Kustomization, judged: Judged, outcomes: Collection[Outcome], *, whole: bool) -> None:
        """Note what was written. `whole` says that all of it went well, so that nothing of it is left to settle."""
        ledger, now = self._of(sync), time.monotonic()
        changed = {outcome.id for outcome in outcomes if outcome.result != "unchanged"}
        for drifted in judged.found:
            if drifted.id in changed:
                DRIFT_CORRECTIONS.labels(drifted.id.kind).inc()
                ledger.fights[drifted.id] = corrected(ledger.fights.get(drifted.id), drifted, now)
                if len(ledger.corrected) < MAX_TOLD:
                    ledger.corrected.append(drifted)
                    ledger.unsent.append(drifted)
        done = judged.apply if whole else judged.apply & {outcome.id for outcome in outcomes}
        ledger.taken.difference_update(done)
        for key in done:
            ledger.warned.pop(key, None)

    def renewed(self, sync: Kustomization, changed: Collection[ResourceId]) -> None:
        """Git says something else of these objects now: what was fought over may be settled by that."""
        fights = self._of(sync).fights
        for key in fights.keys() & changed:
            del fights[key]

    def unsent(self, sync: Kustomization) -> tuple[Drifted, ...]:
        """What was set right and no event has said yet."""
        ledger = self._of(sync)
        found, ledger.unsent = tuple(ledger.unsent), []
        return found

    def expired(self, sync: Kustomization) -> frozenset[ResourceId]:
        """Jobs that finished and that the cluster has deleted since."""
        return frozenset(self._of(sync).expired)

    def due(self, sync: Kustomization) -> float | None:
        """Seconds until something that is fought over is to be corrected, or a fight has ended; None for neither."""
        ledger, now = self._of(sync), time.monotonic()
        waits = [held for key in ledger.pending if (held := self._held(ledger, key, now))]
        waits += [max(1.0, fight.last + WINDOW - now) for fight in ledger.fights.values() if fight.is_on]
        return min(waits, default=None)

    def report(self, sync: Kustomization) -> DriftReport:
        """What is to be told now; what was set right is told once."""
        ledger, now = self._of(sync), time.monotonic()
        done, ledger.corrected = tuple(ledger.corrected), []
        on = [fight for _, fight in sorted(ledger.fights.items()) if fight.is_on and not fight.ended(now)]
        fights: tuple[Problem, ...] = tuple(fought(fight) for fight in on)
        told = tuple(warned(drifted) for _, drifted in sorted(ledger.warned.items()))
        report = DriftReport(fights, told, done)
        news, ledger.told = ledger.told != report.subjects, report.subjects
        return replace(report, news=news and bool(report.standing))
