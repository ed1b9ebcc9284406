"""Which sync's desired state holds which object: two syncs that want the same one must not take turns with it."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.core.ids import ResourceId
from sluice.core.plan import Owner


class Claims:
    """What each sync rendered last. Memory only: every sync claims again at its first turn."""

    def __init__(self) -> None:
        self._owner: dict[ResourceId, Owner] = {}
        self._claimed: dict[Owner, frozenset[ResourceId]] = {}

    def get(self, resource: ResourceId) -> Owner | None:
        """The sync that claims the object, or None."""
        return self._owner.get(resource)

    def replace(self, owner: Owner, wanted: Iterable[ResourceId]) -> None:
        """From now on `owner` claims exactly these; what another claims meanwhile becomes its own."""
        claimed = frozenset(wanted)
        for left in self._claimed.get(owner, frozenset()) - claimed:
            if self._owner.get(left) == owner:
                del self._owner[left]
        self._owner.update(dict.fromkeys(claimed, owner))
        self._claimed[owner] = claimed

    def drop(self, owner: Owner) -> None:
        """`owner` is gone."""
        self.replace(owner, ())
        del self._claimed[owner]
