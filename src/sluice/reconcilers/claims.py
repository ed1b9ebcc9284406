"""Which sync's desired state holds which object: two syncs that want the same one must not take turns with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain

from sluice.core.id_map import IdMap
from sluice.core.ids import ResourceId
from sluice.core.manifest import Manifest
from sluice.core.packed import Packed
from sluice.core.plan import Owner


@dataclass(frozen=True, slots=True)
class _Stake:
    """Who has to do with one object. The many objects of a sync share one."""

    claimed_by: Owner | None = None
    wanted_by: tuple[Owner, ...] = ()

    def claimed(self, owner: Owner) -> _Stake:
        return self if self.claimed_by == owner else replace(self, claimed_by=owner)

    def let_go(self, owner: Owner) -> _Stake:
        return replace(self, claimed_by=None) if self.claimed_by == owner else self

    def unwanted(self, owner: Owner) -> _Stake:
        return replace(self, wanted_by=tuple(other for other in self.wanted_by if other != owner))

    def wanted(self, owner: Owner) -> _Stake:
        return self if owner in self.wanted_by else replace(self, wanted_by=(*self.wanted_by, owner))


NOBODYS = _Stake()


@dataclass(frozen=True, slots=True)
class _Told:
    """What is known of one sync: what it claims, and what it was seen to want at a version of its source and spec.

    `makes` are the Kustomizations among that.
    """

    claimed: Packed[ResourceId]
    wanted: Packed[ResourceId]
    version: str = ""
    makes: tuple[Manifest, ...] = ()


class Claims:
    """What each sync rendered last. Memory only: every sync claims again at its first turn.

    A claim is made by a sync's own turn. That git has taken an object from it may be seen before that.
    """

    def __init__(self) -> None:
        self._stakes: IdMap[_Stake] = IdMap()
        self._told: dict[Owner, _Told] = {}

    def get(self, resource: ResourceId) -> Owner | None:
        """The sync that claims the object, or None."""
        stake = self._stakes.get(resource)
        return stake.claimed_by if stake is not None else None

    def is_at(self, owner: Owner, version: str) -> bool:
        """Whether that is what `owner` has claimed by its own turn."""
        told = self._told.get(owner)
        return told is not None and told.version == version and told.claimed is told.wanted

    def seen(self, owner: Owner, version: str) -> frozenset[ResourceId] | None:
        """What `owner` wants at that version of its source and spec; None when nobody has rendered it yet."""
        told = self._told.get(owner)
        return frozenset(told.wanted) if told is not None and told.version == version else None

    def makers(self) -> dict[Owner, tuple[Manifest, ...]]:
        """Everyone who was seen to want Kustomizations, with these."""
        return {owner: told.makes for owner, told in self._told.items() if told.makes}

    def replace(
        self, owner: Owner, wanted: Iterable[ResourceId], version: str, makes: tuple[Manifest, ...] = ()
    ) -> None:
        """From now on `owner` claims exactly these; what another claims meanwhile becomes its own."""
        told, ids = self._of(owner), tuple(wanted)
        kept = _packed(ids)
        if kept != told.claimed:
            self._change(frozenset(told.claimed).difference(ids), lambda stake: stake.let_go(owner))
        self._change(ids, lambda stake: stake.claimed(owner))
        if kept != told.wanted:
            self._want(owner, told, frozenset(ids))
        self._told[owner] = _Told(kept, kept, version, makes)

    def note(self, owner: Owner, wanted: frozenset[ResourceId], version: str, makes: tuple[Manifest, ...] = ()) -> None:
        """`owner` will want exactly these at its next turn: it claims no more, but perhaps less, from now on."""
        told = self._of(owner)
        claimed = frozenset(told.claimed)
        self._change(claimed - wanted, lambda stake: stake.let_go(owner))
        self._want(owner, told, wanted)
        self._told[owner] = _Told(_packed(claimed & wanted), _packed(wanted), version, makes)

    def unsee(self, owner: Owner) -> None:
        """What `owner` wants at its next turn can't be said any more; what it claims stays."""
        told = self._of(owner)
        self._want(owner, told, frozenset())
        self._told[owner] = _Told(told.claimed, _packed(()))

    def others(self, owner: Owner, resource: ResourceId) -> tuple[Owner, ...]:
        """Every other sync that wants the object, as far as it was rendered."""
        return tuple(o for o in (self._stakes.get(resource) or NOBODYS).wanted_by if o != owner)

    def others_in(self, owner: Owner, namespace: str) -> dict[Owner, ResourceId]:
        """The other syncs that want or claim something inside of a namespace, each with one such object.

        Costs as much as there are objects.
        """
        found = {}
        for other, told in self._told.items():
            wanted = (r for r in told.wanted if r.namespace == namespace)
            claimed = (r for r in told.claimed if r.namespace == namespace and self.get(r) == other)
            if other != owner and (resource := next(chain(wanted, claimed), None)) is not None:
                found[other] = resource
        return found

    def drop(self, owner: Owner) -> None:
        """`owner` is gone."""
        self._change(self._of(owner).claimed, lambda stake: stake.let_go(owner))
        self.unsee(owner)
        del self._told[owner]

    def _of(self, owner: Owner) -> _Told:
        nothing = _packed(())
        return self._told.get(owner) or _Told(nothing, nothing)

    def _want(self, owner: Owner, told: _Told, wanted: frozenset[ResourceId]) -> None:
        before = frozenset(told.wanted)
        self._change(before - wanted, lambda stake: stake.unwanted(owner))
        self._change(wanted - before, lambda stake: stake.wanted(owner))

    def _change(self, resources: Iterable[ResourceId], change: Callable[[_Stake], _Stake]) -> None:
        """What had one stake has one stake afterwards."""
        changed: dict[int, tuple[_Stake, _Stake | None]] = {}
        for resource in resources:
            before = self._stakes.get(resource) or NOBODYS
            if id(before) not in changed:
                found = change(before)
                changed[id(before)] = (before, found if found != NOBODYS else None)
            _, after = changed[id(before)]
            if after is None:
                self._stakes.pop(resource)
            elif after is not before:
                self._stakes.put(resource, after)


def _packed(ids: Iterable[ResourceId]) -> Packed[ResourceId]:
    return Packed(sorted(ids), ResourceId, lambda resource: resource)
