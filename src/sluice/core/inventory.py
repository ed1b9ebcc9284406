"""What an owner has ever touched and not yet let go.

An entry stays until its object is seen gone or is released. The UID is what deletion is checked against; an entry
read from a Flux status has none, and then only the owner labels on the live object can prove that it is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from sluice.core.ids import ResourceId
from sluice.core.packed import Packed


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One object of an inventory.

    `digest` is of the manifest whose apply the server has confirmed, empty while that is unknown. `version` is what
    the live object looked like right after it: its generation where the kind counts one, else its resourceVersion.
    """

    id: ResourceId
    api_version: str
    uid: str = ""
    digest: bytes = b""
    version: str = ""


class Inventory:
    """An immutable set of entries, one per resource id, iterated in the order of the ids.

    A packed one is equal to the same one open, and takes a tenth of the memory; each look at it costs more.
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[ResourceId, Entry] | Packed[Entry] = {e.id: e for e in sorted(entries, key=lambda e: e.id)}

    def packed(self) -> Inventory:
        """The same, to be kept: where many are at hand, to be asked for few."""
        if isinstance(self._entries, Packed):
            return self
        kept = Inventory()
        kept._entries = Packed(tuple(self), Entry, lambda e: e.id)
        return kept

    def opened(self) -> Inventory:
        """The same, to work with."""
        return Inventory(self) if isinstance(self._entries, Packed) else self

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries if isinstance(self._entries, Packed) else self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, resource: ResourceId) -> bool:
        return self._entries.get(resource) is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Inventory):
            return NotImplemented
        return len(self) == len(other) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Inventory({list(self)!r})"

    def get(self, resource: ResourceId) -> Entry | None:
        """The entry of that id, or None."""
        return self._entries.get(resource)

    def ids(self) -> frozenset[ResourceId]:
        """All ids."""
        return frozenset(entry.id for entry in self)

    def union(self, later: Inventory) -> Inventory:
        """Every entry of both. Where both have one, `later` wins, but a known UID is never forgotten."""
        merged = {entry.id: entry for entry in self}
        for entry in later:
            known = merged.get(entry.id)
            merged[entry.id] = msgspec.structs.replace(entry, uid=entry.uid or known.uid) if known else entry
        return Inventory(merged.values())

    def without(self, gone: Iterable[ResourceId]) -> Inventory:
        """Every entry but those."""
        dropped = set(gone)
        return Inventory(e for e in self if e.id not in dropped)
