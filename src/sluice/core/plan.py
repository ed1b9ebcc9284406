"""Desired manifests and what is live become the ordered changes that turn one into the other.

The plan is pure: equal inputs give equal plans. It names every object it will not touch, with the reason, and it
prunes only what an inventory proves to be ours (DESIGN, promise 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from sluice.core.adoption import Adopt
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import DEFAULT_DIRECTIVES, TOOLKIT, Directives, Manifest
from sluice.core.order import Stage, order_of

OWNER_NAME = f"{TOOLKIT}/name"
OWNER_NAMESPACE = f"{TOOLKIT}/namespace"


class Owner(msgspec.Struct, frozen=True, gc=False):
    """The sync that an object belongs to, as its owner labels say."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    def labels(self) -> dict[str, str]:
        """The labels that mark an object as this owner's."""
        return {OWNER_NAME: self.name, OWNER_NAMESPACE: self.namespace}

    @staticmethod
    def of(labels: Mapping[str, str]) -> Owner | None:
        """The owner that the labels name, or None."""
        name, namespace = labels.get(OWNER_NAME), labels.get(OWNER_NAMESPACE)
        return Owner(namespace, name) if name and namespace else None


@dataclass(frozen=True, slots=True)
class Live:
    """What the plan needs to know of an object in the cluster. `version` is its generation, else resourceVersion.

    `mark` says which other tool seems to own it.
    """

    uid: str
    resource_version: str
    version: str
    owner: Owner | None = None
    directives: Directives = DEFAULT_DIRECTIVES
    deleting: bool = False
    mark: str = ""


class Action(StrEnum):
    """What is done with one object. KEEP, SKIP, OFFER and RELEASE touch nothing and carry their reason.

    OFFER holds an object that has left until the sync that git gives it to has taken it; RELEASE lets go of it.
    """

    CREATE = "create"
    UPDATE = "update"
    ADOPT = "adopt"
    KEEP = "keep"
    SKIP = "skip"
    PRUNE = "prune"
    OFFER = "offer"
    RELEASE = "release"

    @property
    def applies(self) -> bool:
        """True when the object is sent to the API server."""
        return self in {Action.CREATE, Action.UPDATE, Action.ADOPT}


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a plan. `uid` is the live object's when there is one; `reason` says why, where it is not obvious.

    `takes_over` asks for the fields that kubectl owns: only ever on the first apply to an object that exists.
    `previous` and `mark` say whose an adopted object seems to be, `adopt` what the sync may take.
    `ignored` are JSON pointers to fields that an apply leaves as they are in the cluster.
    """

    id: ResourceId
    api_version: str
    action: Action
    manifest: Manifest | None = None
    uid: str = ""
    resource_version: str = ""
    reason: str = ""
    takes_over: bool = False
    wave: int = 0
    previous: Owner | None = None
    mark: str = ""
    adopt: Adopt = Adopt.ALWAYS
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes of one wave, stage and rank: independent of each other, sent together."""

    wave: int
    stage: Stage
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The ordered changes of one sync. `during` = before ∪ after: it is recorded before the first write."""

    owner: Owner
    applies: tuple[Batch, ...]
    prunes: tuple[Batch, ...]
    kept: tuple[Change, ...]
    before: Inventory
    during: Inventory
    after: Inventory

    @property
    def writes(self) -> int:
        """How many objects will be sent or deleted."""
        return sum(len(b.changes) for b in self.applies) + sum(len(b.changes) for b in self.prunes)

    def changes(self) -> Iterable[Change]:
        """Every change in the order of execution, those that touch nothing last."""
        for batch in (*self.applies, *self.prunes):
            yield from batch.changes
        yield from self.kept

    def digest(self) -> str:
        """Names exactly this plan: what would be sent, deleted and kept."""
        sha = hashlib.sha256()
        for change in self.changes():
            body = change.manifest.digest if change.manifest else b""
            sha.update(f"{change.action} {change.id.inventory_id()} {change.uid} ".encode() + body + b"\n")
        return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How one sync wants its plan.

    `suspects` are objects that may have drifted: they are never kept unasked. `handed_over` are objects that others
    want, or are taking: when they leave this one they are neither pruned nor let go before one of those has them.
    `unsure` says of some of these why nobody knows whether they are wanted, or what keeps them from being taken.
    `ignored` are the fields left to the cluster.
    """

    prune: bool = True
    suspects: frozenset[ResourceId] = frozenset()
    handed_over: Mapping[ResourceId, tuple[Owner, ...]] = field(default_factory=dict)
    unsure: Mapping[ResourceId, str] = field(default_factory=dict)
    adopt: Adopt = Adopt.ALWAYS
    ignored: Mapping[ResourceId, tuple[str, ...]] = field(default_factory=dict)


def needs_live(desired: Iterable[Manifest], inventory: Inventory, options: PlanOptions) -> frozenset[ResourceId]:
    """The objects whose live state the plan has to see: what may change, and what left the desired state."""
    ids = {m.id for m in desired if _applied_by_us(m) and not _is_unchanged(m, inventory.get(m.id), options)}
    wanted = {m.id for m in desired}
    return frozenset(ids | {e.id for e in inventory if e.id not in wanted})


def build_plan(
    owner: Owner,
    desired: tuple[Manifest, ...],
    inventory: Inventory,
    live: Callable[[ResourceId], Live | None],
    options: PlanOptions,
) -> Plan:
    """Work out the changes that turn what is live into `desired`.

    `live` must answer for every id of `needs_live`; None means "looked, and not there", never "could not look".
    """
    changes = [_change_of(owner, m, inventory.get(m.id), live, options) for m in desired]
    wanted = {m.id for m in desired}
    applied = Inventory(_entry_after(c, inventory.get(c.id)) for c in changes)
    # One object may be served under two groups, with one UID: it is there as long as one of them is desired.
    shown = {(e.uid, e.id.namespace, e.id.name): e.id for e in applied if e.uid}
    left = [_leaving(owner, e, live(e.id), options, shown) for e in inventory if e.id not in wanted]
    held = Inventory(e for e in inventory if e.id not in wanted)
    staying = {c.id for c in left if c.action in {Action.KEEP, Action.OFFER}}
    pruned = [c for c in left if c.action is Action.PRUNE]
    return Plan(
        owner=owner,
        applies=batches_of([c for c in changes if c.action.applies]),
        prunes=tuple(reversed(batches_of(pruned))),
        kept=tuple(c for c in (*changes, *left) if not c.action.applies and c.action is not Action.PRUNE),
        before=inventory,
        during=held.union(applied),
        after=applied.union(Inventory(e for e in held if e.id in staying)),
    )


def _applied_by_us(manifest: Manifest) -> bool:
    return manifest.directives.reconcile and manifest.directives.ssa != "ignore"


def _is_unchanged(manifest: Manifest, entry: Entry | None, options: PlanOptions) -> bool:
    return (
        entry is not None
        and bool(entry.uid)
        and entry.digest == manifest.digest
        and manifest.id not in options.suspects
    )


def _change_of(
    owner: Owner,
    manifest: Manifest,
    entry: Entry | None,
    live: Callable[[ResourceId], Live | None],
    options: PlanOptions,
) -> Change:
    def change(action: Action, found: Live | None = None, reason: str = "") -> Change:
        return Change(
            manifest.id,
            manifest.api_version,
            action,
            manifest,
            uid=found.uid if found else "",
            resource_version=found.resource_version if found else "",
            reason=reason,
            wave=manifest.directives.wave,
            previous=found.owner if found and action is Action.ADOPT else None,
            mark=found.mark if found and action is Action.ADOPT else "",
            adopt=options.adopt,
            takes_over=found is not None and entry is None and action.applies and manifest.directives.ssa != "merge",
            ignored=options.ignored.get(manifest.id, ()),
        )

    wants = manifest.directives
    if not _applied_by_us(manifest):
        return change(Action.SKIP, reason=f"{TOOLKIT}/{'ssa: Ignore' if wants.reconcile else 'reconcile: disabled'}")
    if _is_unchanged(manifest, entry, options):
        return change(Action.KEEP, reason="unchanged")
    found = live(manifest.id)
    if found is None:
        return change(Action.CREATE)
    if not found.directives.reconcile:
        return change(Action.SKIP, found, f"{TOOLKIT}/reconcile: disabled on the live object")
    if wants.ssa == "ifnotpresent":
        return change(Action.SKIP, found, f"{TOOLKIT}/ssa: IfNotPresent, and it exists")
    if found.owner == owner:
        return change(Action.UPDATE, found)
    if entry is not None and entry.uid == found.uid:
        return change(Action.UPDATE, found, "somebody changed its owner labels")
    if found.owner is not None:
        return change(Action.ADOPT, found, f"belongs to {found.owner} until now")
    return change(Action.ADOPT, found, f"seems to belong to {found.mark}" if found.mark else "exists and has no owner")


def _leaving(
    owner: Owner,
    entry: Entry,
    found: Live | None,
    options: PlanOptions,
    shown: Mapping[tuple[str, str, str], ResourceId],
) -> Change:
    """What happens to an object of the inventory that is not desired any more."""

    def change(action: Action, reason: str) -> Change:
        uid, version = (found.uid, found.resource_version) if found else ("", "")
        wave = found.directives.wave if found else 0
        return Change(entry.id, entry.api_version, action, uid=uid, resource_version=version, reason=reason, wave=wave)

    if found is None:
        return change(Action.RELEASE, "already gone")
    if not options.prune:
        return change(Action.RELEASE, "pruning is off")
    takers = options.handed_over.get(entry.id, ())
    if found.owner in takers:
        return change(Action.OFFER, f"{found.owner} is taking it over")
    if found.owner != owner:
        return change(Action.RELEASE, f"now belongs to {found.owner}" if found.owner else "has lost our owner labels")
    if entry.uid and entry.uid != found.uid:
        return change(Action.RELEASE, "was recreated by somebody else: not the object we applied")
    if (same := shown.get((found.uid, entry.id.namespace, entry.id.name))) is not None:
        return change(Action.RELEASE, f"is the same object as {same} of group {same.group or 'core'}, which stays")
    if why := _asks_to_stay(found.directives):
        return change(Action.RELEASE, why)
    if found.deleting:
        return change(Action.KEEP, "is being deleted; a finalizer holds it")
    if takers:
        return change(Action.OFFER, options.unsure.get(entry.id) or f"{' or '.join(map(str, takers))} takes it over")
    return change(Action.PRUNE, "left the desired state")


def _asks_to_stay(wants: Directives) -> str:
    """Why a live object is not to be pruned, by its own annotations; empty when it may be."""
    if not wants.prune:
        return f"{TOOLKIT}/prune: disabled"
    if not wants.reconcile or wants.ssa == "ignore":
        return f"{TOOLKIT}/reconcile: disabled or ssa: Ignore on the live object"
    return ""


def _entry_after(change: Change, known: Entry | None) -> Entry:
    """The inventory entry while the transaction runs: a digest stays only where nothing will be sent."""
    if change.action is Action.KEEP and known is not None:
        return Entry(known.id, change.api_version, known.uid, known.digest, known.version)
    return Entry(change.id, change.api_version, change.uid or (known.uid if known else ""))


def batches_of(changes: Iterable[Change]) -> tuple[Batch, ...]:
    """The changes in the order of wave, stage and kind; those that are of one rank together."""

    def key(change: Change) -> tuple[int, Stage, int]:
        return order_of(change.id.group_kind, change.wave)

    grouped: dict[tuple[int, Stage, int], list[Change]] = {}
    for change in sorted(changes, key=lambda c: (key(c), c.id)):
        grouped.setdefault(key(change), []).append(change)
    return tuple(Batch(wave, stage, tuple(group)) for (wave, stage, _), group in grouped.items())
