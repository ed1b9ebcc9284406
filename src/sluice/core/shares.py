"""Whose each object of a transaction is: of a single sync all are its own, of a group each is one member's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sluice.core.ids import ResourceId
from sluice.core.inventory import Inventory
from sluice.core.plan import Owner


@dataclass(frozen=True, slots=True)
class Shares:
    """The syncs of one transaction, and whose each object is after it.

    `before` names, of the objects that were somebody's before it, whose they were: git may move one between members.
    What neither says is the first member's. `accounts` names as whom members act, but for those that
    act as the operator itself.
    """

    members: tuple[Owner, ...]
    after: Mapping[ResourceId, Owner] = field(default_factory=dict)
    before: Mapping[ResourceId, Owner] = field(default_factory=dict)
    accounts: Mapping[Owner, str] = field(default_factory=dict)

    @staticmethod
    def of_one(owner: Owner) -> Shares:
        """A single sync's transaction."""
        return Shares((owner,))

    def owner_of(self, resource: ResourceId) -> Owner:
        """Whose labels the object carries once it is applied."""
        return self.after.get(resource) or self.was_of(resource)

    def was_of(self, resource: ResourceId) -> Owner:
        """Whose the object is once the transaction is undone."""
        return self.before.get(resource) or self.after.get(resource) or self.members[0]

    def settled(self, inventory: Inventory, *, undone: bool) -> Shares:
        """The shares of `inventory` after the end, when whose an object was does not matter any more."""
        owner = self.was_of if undone else self.owner_of
        return Shares(self.members, {entry.id: owner(entry.id) for entry in inventory})

    def part(self, member: Owner, inventory: Inventory) -> Inventory:
        """What of `inventory` is the member's."""
        return Inventory(entry for entry in inventory if self.owner_of(entry.id) == member)

    def __contains__(self, owner: Owner | None) -> bool:
        return owner in self.members
