"""Objects that one sync has and another wants: remembered so that a move between them is a handover, not a deletion.

A sync that is refused an object because another still has it leaves a wish. The holder then lets the object go instead
of pruning it, and the one who wished is woken. Memory only: a wish is made again at the next refusal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sluice.core.ids import ResourceId
from sluice.core.plan import Owner


class Wishes:
    """Who waits for which object, and who had it when they asked."""

    def __init__(self) -> None:
        self._wishes: dict[Owner, dict[ResourceId, Owner]] = {}

    def make(self, owner: Owner, holders: Mapping[ResourceId, Owner]) -> None:
        """Note that `owner` wants these objects; replaces what it wanted before."""
        self._wishes[owner] = dict(holders)

    def drop(self, owner: Owner) -> None:
        """`owner` has what it wanted, or is gone."""
        self._wishes.pop(owner, None)

    def of_others(self, owner: Owner) -> frozenset[ResourceId]:
        """The objects that any other sync wants."""
        return frozenset(i for other, wanted in self._wishes.items() if other != owner for i in wanted)

    def waiting_for(self, holder: Owner) -> Iterable[Owner]:
        """Everyone who wants something that `holder` had."""
        return [other for other, wanted in self._wishes.items() if holder in wanted.values()]
