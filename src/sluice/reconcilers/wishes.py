"""Objects that one sync has and another wants: remembered so that a move between them is a handover, not a deletion.

A sync that is refused an object because another still has it leaves a wish. The holder then offers the object instead
of pruning it, and the one who wished is woken. The holder keeps what it offers until somebody has taken it, or nobody
wants it any more: it is woken when that may be so. Memory only: wishes are made again at the next refusal, offers at
the holder's next turn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

from sluice.core.ids import ResourceId
from sluice.core.plan import Owner
from sluice.core.problem import Problem


class Wishes:
    """Who waits for which object, and who had it when they asked; who offers something, and to whom."""

    def __init__(self) -> None:
        self._wishes: dict[Owner, dict[ResourceId, Owner]] = {}
        self._offers: dict[Owner, frozenset[Owner]] = {}
        self._held: dict[Owner, tuple[Problem, ...]] = {}
        self._looks: dict[object, set[Owner]] = {}

    def make(self, owner: Owner, holders: Mapping[ResourceId, Owner]) -> None:
        """Note that `owner` wants these objects; replaces what it wanted before."""
        self._wishes[owner] = dict(holders)

    def drop(self, owner: Owner) -> None:
        """`owner` has what it wanted."""
        self._wishes.pop(owner, None)

    def forget(self, owner: Owner) -> None:
        """`owner` is gone."""
        self.drop(owner)
        self.offer(owner, ())
        self.hold(owner, ())

    def others(self, owner: Owner, resource: ResourceId) -> tuple[Owner, ...]:
        """Every other sync that waits for the object."""
        return tuple(other for other, wanted in self._wishes.items() if other != owner and resource in wanted)

    def waiting_for(self, holder: Owner) -> Iterable[Owner]:
        """Everyone who wants something that `holder` had."""
        return [other for other, wanted in self._wishes.items() if holder in wanted.values()]

    def offer(self, owner: Owner, takers: Collection[Owner]) -> None:
        """Note that `owner` holds what these are to take; replaces what it offered before. None is no offer."""
        if takers:
            self._offers[owner] = frozenset(takers)
        else:
            self._offers.pop(owner, None)

    @contextmanager
    def looking(self) -> Iterator[set[Owner]]:
        """While somebody looks who is to take what: the set gets everyone of whom something changes meanwhile."""
        look, changed = object(), set[Owner]()
        self._looks[look] = changed
        try:
            yield changed
        finally:
            del self._looks[look]

    def changed(self, taker: Owner) -> Iterable[Owner]:
        """`taker` may have taken something, or want something else: everyone who holds something for it."""
        for changed in self._looks.values():
            changed.add(taker)
        return [owner for owner, takers in self._offers.items() if taker in takers]

    def hold(self, owner: Owner, why: tuple[Problem, ...]) -> None:
        """Note why `owner` holds what may not be wanted by anybody; replaces what it held before. None is nothing."""
        if why:
            self._held[owner] = why
        else:
            self._held.pop(owner, None)

    def held(self, owner: Owner) -> tuple[Problem, ...]:
        """Why `owner` holds what may not be wanted by anybody."""
        return self._held.get(owner, ())
