"""Kustomizations that a revision makes or changes, before that has happened: they may be to take what it moves.

A Kustomization that applies others (their parent), and one whose objects git moves into a new one, both run as soon as
their source has fetched the commit. Who prunes first must not delete what the new one is to have. So what a parent is
about to make, or to change, is read from its desired state, and is asked what it wants as if it were there. It is
looked for only when something is about to be deleted that nobody else wants.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import msgspec

from sluice.api.kustomization import GROUP, KIND, Kustomization
from sluice.api.validate_kustomization import validate_kustomization
from sluice.core.condition import READY, find_condition
from sluice.core.errors import SluiceError, StateError
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.inventory import Entry
from sluice.core.manifest import Directives, Manifest
from sluice.core.plan import Owner
from sluice.core.problem import clip
from sluice.core.record import Record
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.possible_takers import (
    MAX_WHY,
    Possible,
    Silent,
    broken,
    desired,
    mentioned_by,
    mentioned_in_tree,
    standing_still,
)
from sluice.reconcilers.sync_facts import owner_of, rollback_of, source_of

SYNC = GroupKind(GROUP, KIND)
# A parent may be told to make any number: whoever writes to its source must not slow down everybody's pruning.
MOST = 200


@dataclass(slots=True)
class ToCome:
    """Which Kustomization that is to come takes what, and which may; `parents` make them, or hold that up."""

    takers: dict[ResourceId, Owner] = field(default_factory=dict)
    unsure: dict[ResourceId, Possible] = field(default_factory=dict)
    parents: dict[ResourceId, Owner] = field(default_factory=dict)

    def left(self, leaving: Iterable[ResourceId]) -> list[ResourceId]:
        """Those that nobody is known to take."""
        return [key for key in leaving if key not in self.takers]

    def hold(self, keys: Iterable[ResourceId], why: Possible, parent: Owner) -> None:
        """Note that these may be taken; of several reasons the first."""
        for key in keys:
            self.unsure.setdefault(key, why)
            self.parents.setdefault(key, parent)

    def give(self, keys: Iterable[ResourceId], taker: Owner, parent: Owner) -> None:
        """Note that these are taken."""
        for key in keys:
            self.unsure.pop(key, None)
            self.takers[key], self.parents[key] = taker, parent


@dataclass(frozen=True, slots=True)
class _Coming:
    """`parent` is to make it as `sync`; `why` keeps the parent from that."""

    sync: Kustomization
    parent: Kustomization
    why: Possible | None = None


def syncs_in(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
    """Those of the manifests that are Kustomizations."""
    return tuple(m for m in manifests if m.id.group_kind == SYNC)


async def takers_to_come(
    operator: Operator, owner: Owner, leaving: Collection[ResourceId], makes: tuple[Manifest, ...], silent: Silent
) -> ToCome:
    """Who that is to come wants which of `leaving`, which leave `owner`, whose desired state `makes` Kustomizations.

    `silent` are those that could not say what they want. Raises StateError, ClusterError.
    """
    found = ToCome()
    if not leaving:
        return found
    coming = deque(
        each for parent, made in _parents(operator, owner, makes) for each in _coming(operator, parent, made)
    )
    for sync in _standing(operator, silent):
        coming.extend(await _of_standing(operator, sync))
    seen: set[Owner] = set()
    while coming and len(seen) < MOST and (left := found.left(leaving)):
        each = coming.popleft()
        taker = owner_of(each.sync)
        if taker in seen or not _is_to_come(operator, each.sync, owner):
            continue
        seen.add(taker)
        coming.extend(await _ask(operator, each, left, found, owner))
    for parent, error in _broken_parents(operator, silent):
        keys = await mentioned_in_tree(operator, parent, found.left(leaving))
        found.hold(keys, _unread(owner_of(parent), error), owner_of(parent))
    return found


def _parents(
    operator: Operator, owner: Owner, makes: tuple[Manifest, ...]
) -> Iterable[tuple[Kustomization, tuple[Manifest, ...]]]:
    for parent, made in {**operator.claims.makers(), owner: makes}.items():
        if (sync := operator.kustomizations.get(parent.namespace, parent.name)) is not None:
            yield sync, made


def _coming(
    operator: Operator, parent: Kustomization, makes: tuple[Manifest, ...], why: Possible | None = None
) -> list[_Coming]:
    found = []
    for manifest in _unmade(operator, owner_of(parent), makes):
        try:
            sync = msgspec.json.decode(manifest.body, type=Kustomization)
        except msgspec.MsgspecError:
            continue  # the API server will not take it
        found.append(_Coming(sync, parent, why))
    return found


def _unmade(operator: Operator, parent: Owner, makes: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    """Those that the parent's last transaction has not made so, or that nobody has asked since it has."""
    if not makes:
        return ()
    try:
        record: Record | None = operator.records.get(str(parent))
    except StateError:
        record = None
    applied = {e.id: e for e in record.inventory if e.id.group_kind == SYNC} if record is not None else {}
    return tuple(m for m in makes if not _is_known(operator, m, applied.get(m.id)) and _is_applied(operator, m))


def _is_known(operator: Operator, manifest: Manifest, applied: Entry | None) -> bool:
    """Whether it has been made so, the watch has told of that, and it has been asked since then."""
    key = manifest.id
    live = operator.kustomizations.get(key.namespace, key.name)
    if applied is None or applied.digest != manifest.digest or live is None:
        return False
    made = applied.version.removeprefix("g")
    is_told = not made.isdecimal() or int(made) <= live.metadata.generation
    return is_told and not operator.doubts.about(owner_of(live))


def _is_applied(operator: Operator, manifest: Manifest) -> bool:
    """Whether the parent makes it, or changes it, as the manifest and the object itself say."""
    wants = manifest.directives
    live = operator.kustomizations.get(manifest.id.namespace, manifest.id.name)
    if not wants.reconcile or wants.ssa == "ignore":
        return False
    if live is None:
        return True
    return wants.ssa != "ifnotpresent" and Directives.of(live.metadata.labels, live.metadata.annotations).reconcile


def _is_to_come(operator: Operator, sync: Kustomization, owner: Owner) -> bool:
    """Whether the operator will have it, and not as it was asked; one that is going does not wait for itself."""
    meta = sync.metadata
    live = operator.kustomizations.get(meta.namespace, meta.name)
    if live is None:
        return operator.watches(meta.namespace)
    if live.metadata.deletionTimestamp and owner_of(sync) == owner:
        return False
    unfetched = operator.artifacts.get(source_of(sync)) is None
    return live.spec != sync.spec or unfetched or operator.doubts.about(owner_of(sync))


async def _ask(
    operator: Operator, each: _Coming, left: Collection[ResourceId], found: ToCome, owner: Owner
) -> list[_Coming]:
    """Note what it wants of `left`, which leaves `owner`; returns the Kustomizations that it will make itself."""
    sync, parent = each.sync, owner_of(each.parent)
    taker, artifact = owner_of(sync), operator.artifacts.get(source_of(sync))
    if artifact is None:
        if _moves_together(operator, owner, each.parent) and not validate_kustomization(sync, operator.rules):
            found.hold(left, _unfetched(sync, parent), parent)
        return []
    try:
        manifests = await desired(operator, sync, artifact)
    except SluiceError as error:
        found.hold(await mentioned_by(operator, sync, artifact, left), broken(taker, error), parent)
        return []
    wanted = {m.id for m in manifests}
    keys = [key for key in left if key in wanted]
    why = each.why or _standing_itself(operator, sync)
    why = why or (_failing(each.parent, taker) if parent != owner else None)
    if why is None:
        found.give(keys, taker, parent)
    else:
        found.hold(keys, why, parent)
    return _coming(operator, sync, syncs_in(manifests), why)


def _standing_itself(operator: Operator, sync: Kustomization) -> Possible | None:
    """Why it takes nothing now: its manifest suspends it, or somebody has stopped it in the cluster."""
    live = operator.kustomizations.get(sync.metadata.namespace, sync.metadata.name)
    if live is not None and (live.spec.suspend or rollback_of(live) is not None):
        return standing_still(live)
    return standing_still(sync) if sync.spec.suspend else None


def _moves_together(operator: Operator, owner: Owner, parent: Kustomization) -> bool:
    """Whether one commit can take something from `owner` and have the parent make who takes it."""
    sync = operator.kustomizations.get(owner.namespace, owner.name)
    return sync is not None and source_of(sync) == source_of(parent)


def _standing(operator: Operator, silent: Silent) -> list[Kustomization]:
    asked = (operator.kustomizations.get(o.namespace, o.name) for o, error in silent.items() if error is None)
    return [sync for sync in asked if sync is not None]


async def _of_standing(operator: Operator, sync: Kustomization) -> list[_Coming]:
    """What a parent that stands still would make."""
    artifact = operator.artifacts.get(source_of(sync))
    if artifact is None:
        return []
    try:
        manifests = await desired(operator, sync, artifact)
    except SluiceError:
        return []
    still = standing_still(sync)
    why = Possible(still.owner, f"makes a Kustomization that {still.why}", still.fix)
    return _coming(operator, sync, syncs_in(manifests), why)


def _broken_parents(operator: Operator, silent: Silent) -> Iterable[tuple[Kustomization, SluiceError]]:
    """Those that can't be rendered and have made Kustomizations until now."""
    for owner, error in silent.items():
        sync = operator.kustomizations.get(owner.namespace, owner.name)
        try:
            record = operator.records.get(str(owner))
        except StateError:
            continue
        made = record.inventory if record is not None else ()
        if error is not None and sync is not None and any(entry.id.group_kind == SYNC for entry in made):
            yield sync, error


def _failing(sync: Kustomization, taker: Owner) -> Possible | None:
    """Why what a parent makes may not be made soon."""
    parent, ready = owner_of(sync), find_condition(sync.status.conditions, READY)
    if ready is None or ready.status != "False":
        return None
    why = f"is to take that over, and {parent}, which makes it, is not ready: {clip(ready.message, MAX_WHY)}"
    return Possible(taker, why, f"mend {parent}; or remove it there, and it is pruned here")


def _unfetched(sync: Kustomization, parent: Owner) -> Possible:
    why = f"is to be made by {parent}, and what it wants can't be told before {source_of(sync)} has fetched a revision"
    return Possible(owner_of(sync), why, f"see why {parent} has not made it yet, or why that fetches nothing")


def _unread(parent: Owner, error: SluiceError) -> Possible:
    known = broken(parent, error)
    return Possible(parent, f"may make a Kustomization that takes that over: it {known.why}", known.fix)
