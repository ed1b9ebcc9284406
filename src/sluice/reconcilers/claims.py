"""Which sync's desired state holds which object: two syncs that want the same one must not take turns with it."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.core.ids import ResourceId
from sluice.core.plan import Owner


class Claims:
    """What each sync rendered last. Memory only: every sync claims again at its first turn.

    A claim is made by a sync's own turn. That git has taken an object from it may be seen before that.
    """

    def __init__(self) -> None:
        self._owner: dict[ResourceId, Owner] = {}
        self._claimed: dict[Owner, frozenset[ResourceId]] = {}
        self._seen: dict[Owner, tuple[str, frozenset[ResourceId]]] = {}
        self._wanters: dict[ResourceId, tuple[Owner, ...]] = {}

    def get(self, resource: ResourceId) -> Owner | None:
        """The sync that claims the object, or None."""
        return self._owner.get(resource)

    def seen(self, owner: Owner, version: str) -> frozenset[ResourceId] | None:
        """What `owner` wants at that version of its source and spec; None when nobody has rendered it yet."""
        known, wanted = self._seen.get(owner, ("", frozenset()))
        return wanted if known == version else None

    def replace(self, owner: Owner, wanted: Iterable[ResourceId], version: str) -> None:
        """From now on `owner` claims exactly these; what another claims meanwhile becomes its own."""
        claimed = frozenset(wanted)
        self._let_go(owner, claimed)
        self._owner.update(dict.fromkeys(claimed, owner))
        self._claimed[owner] = claimed
        self._see(owner, claimed, version)

    def note(self, owner: Owner, wanted: frozenset[ResourceId], version: str) -> None:
        """`owner` will want exactly these at its next turn: it claims no more, but perhaps less, from now on."""
        self._let_go(owner, wanted)
        self._claimed[owner] = self._claimed.get(owner, frozenset()) & wanted
        self._see(owner, wanted, version)

    def unsee(self, owner: Owner) -> None:
        """What `owner` wants at its next turn can't be said any more; what it claims stays."""
        self._see(owner, frozenset(), "")

    def wanted_by_others(self, owner: Owner, resources: Iterable[ResourceId]) -> frozenset[ResourceId]:
        """Those that any other sync wants, as far as it was rendered. Costs as much as there are `resources`."""
        return frozenset(r for r in resources if any(o != owner for o in self._wanters.get(r, ())))

    def drop(self, owner: Owner) -> None:
        """`owner` is gone."""
        self._let_go(owner, frozenset())
        self._claimed.pop(owner, None)
        self.unsee(owner)
        del self._seen[owner]

    def _see(self, owner: Owner, wanted: frozenset[ResourceId], version: str) -> None:
        _, before = self._seen.get(owner, ("", frozenset()))
        alone = (owner,)
        for left in before - wanted:
            others = tuple(o for o in self._wanters[left] if o != owner)
            if others:
                self._wanters[left] = others
            else:
                del self._wanters[left]
        for new in wanted - before:
            present = self._wanters.get(new)
            self._wanters[new] = alone if present is None else (*present, owner)
        self._seen[owner] = (version, wanted)

    def _let_go(self, owner: Owner, kept: frozenset[ResourceId]) -> None:
        for left in self._claimed.get(owner, frozenset()) - kept:
            if self._owner.get(left) == owner:
                del self._owner[left]
