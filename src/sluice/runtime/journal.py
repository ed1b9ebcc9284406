"""Where a transaction is recorded, and whose its objects are: a sync's own record, or a group's for all members."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import msgspec

from sluice.core import codes
from sluice.core.group import closed, entered, is_open
from sluice.core.history import Counts, Past, remember
from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Owner
from sluice.core.problem import Problem
from sluice.core.record import Record
from sluice.core.shares import Shares
from sluice.core.transaction_messages import Outcome, Phase, UndoTarget
from sluice.runtime.record_store import RecordStore


class Journal(Protocol):
    """What the executor needs of the durable side of one transaction."""

    @property
    def epoch(self) -> int:
        """Of the last transaction; the next has a higher one."""
        ...

    @property
    def target(self) -> UndoTarget | None:
        """What an earlier transaction, neither committed nor undone, would have gone back to."""
        ...

    @property
    def kept(self) -> tuple[Problem, ...]:
        """What an earlier undo left in place."""
        ...

    @property
    def shares(self) -> Shares:
        """Whose the objects are."""
        ...

    def tells(self, inventory: Inventory) -> bool:
        """True when it says already that everything is done, and that this is what is there."""
        ...

    async def write(self, record: Record, past: Past | None, outcomes: Collection[Outcome]) -> None:
        """Make it durable. `past` is there at the end. Raises ClusterError when that was not possible."""
        ...

    async def expect_anew(self, resources: Collection[ResourceId]) -> None:
        """Make durable that these are about to be made anew, with UIDs that nobody knows. Raises ClusterError."""
        ...


@dataclass(frozen=True, slots=True)
class SyncJournal:
    """A single sync's."""

    records: RecordStore
    owner: Owner

    @property
    def _stored(self) -> Record | None:
        return self.records.get(str(self.owner))

    @property
    def epoch(self) -> int:
        """Of the last transaction; the next has a higher one."""
        stored = self._stored
        return stored.epoch if stored is not None else 0

    @property
    def target(self) -> UndoTarget | None:
        """What an earlier transaction, neither committed nor undone, would have gone back to."""
        stored = self._stored
        return stored.way_back if stored is not None else None

    @property
    def kept(self) -> tuple[Problem, ...]:
        """What an earlier undo left in place."""
        return kept_by(self._stored)

    @property
    def shares(self) -> Shares:
        """All is the sync's own."""
        return Shares.of_one(self.owner)

    def tells(self, inventory: Inventory) -> bool:
        """True when it says already that everything is done, and that this is what is there."""
        stored = self._stored
        return (stored.inventory if stored is not None else Inventory()) == inventory and _is_well(stored)

    async def write(self, record: Record, past: Past | None, outcomes: Collection[Outcome]) -> None:
        """Make it durable. Raises ClusterError when that was not possible."""
        stored = self._stored
        history = stored.history if stored is not None else ()
        await self.records.save(replace(record, history=remember(history, past) if past is not None else history))

    async def expect_anew(self, resources: Collection[ResourceId]) -> None:
        """Make durable that these are about to be made anew, with UIDs that nobody knows. Raises ClusterError."""
        await _expect_anew(self.records, self._stored, resources)


@dataclass(frozen=True, slots=True)
class GroupJournal:
    """A group's: one record until the transaction has ended; then, from that, every member's own.

    The one record decides: what stands between its two ends is undone or gone on with for all, and once it says how the
    transaction ended, entering that in the members' records can be repeated as often as it is cut short.
    """

    records: RecordStore
    group: Owner
    shares: Shares
    before: Inventory
    target: UndoTarget | None = None
    digests: Mapping[Owner, str] = field(default_factory=dict)

    @property
    def _members(self) -> tuple[Record | None, ...]:
        return tuple(self.records.get(str(member)) for member in self.shares.members)

    @property
    def epoch(self) -> int:
        """The highest of the group's and its members'."""
        known = (self.records.get(str(self.group)), *self._members)
        return max(record.epoch if record is not None else 0 for record in known)

    @property
    def kept(self) -> tuple[Problem, ...]:
        """What an earlier undo of any member left in place."""
        return tuple({p.subject: p for record in self._members for p in kept_by(record)}.values())

    def tells(self, inventory: Inventory) -> bool:
        """True when every member's record says already that all is done, and that this is what is there."""
        members = self._members
        there = all(record is not None for record in members) and self.before == inventory
        return there and all(map(_is_well, members)) and not is_open(self.records.get(str(self.group)))

    async def write(self, record: Record, past: Past | None, outcomes: Collection[Outcome]) -> None:
        """Make it durable. Raises ClusterError when that was not possible."""
        if past is None:
            await self.records.save(replace(record, shares=self.shares))
            return
        shares = self.shares.settled(record.inventory, undone=record.failed is not None)
        history = tuple(self._share_of(past, member, outcomes) for member in shares.members)
        await enter(self.records, replace(record, shares=shares, history=history))

    async def expect_anew(self, resources: Collection[ResourceId]) -> None:
        """Make durable that these are about to be made anew, with UIDs that nobody knows. Raises ClusterError."""
        joint = self.records.get(str(self.group))
        for stored in (joint,) if is_open(joint) else self._members:
            await _expect_anew(self.records, stored, resources)

    def _share_of(self, past: Past, member: Owner, outcomes: Collection[Outcome]) -> Past:
        own = [outcome for outcome in outcomes if self.shares.owner_of(outcome.id) == member]
        return replace(past, digest=self.digests.get(member, past.digest), counts=Counts.of(own))


async def enter(records: RecordStore, ended: Record) -> None:
    """Write the group's record that tells the end, then what it says into the members' records, then close it.

    Called again with the same record after a crash it finishes what was begun. Raises ClusterError.
    """
    assert ended.shares is not None  # noqa: S101 - a record that is not closed
    await records.save(ended)
    for record in entered(ended, {member: records.get(str(member)) for member in ended.shares.members}):
        await records.save(record)
    await records.save(closed(ended))


async def _expect_anew(records: RecordStore, stored: Record | None, resources: Collection[ResourceId]) -> None:
    if stored is not None:
        known = (msgspec.structs.replace(e, uid="", version="") if e.id in resources else e for e in stored.inventory)
        await records.save(replace(stored, inventory=Inventory(known)))


def kept_by(record: Record | None) -> tuple[Problem, ...]:
    """What the undo that the record tells of left in place."""
    problems = record.failed.problems if record is not None and record.failed is not None else ()
    return tuple(p for p in problems if p.code is codes.UNDO_KEPT)


def _is_well(record: Record | None) -> bool:
    return record is None or (record.phase is Phase.DONE and record.failed is None)
