"""What is kept of every live object that we own: some eighty bytes each, whatever the object is.

An ordinary object is a row of fixed width. One that has something to say (a directive, another tool's mark, a deletion
under way, a version that is no number) is kept as it is: there are few of those.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from sluice.core.id_map import IdMap
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.manifest import DEFAULT_DIRECTIVES
from sluice.core.plan import Live, Owner

# UID, resourceVersion, digest of steering labels and annotations, generation, owner, and which keys are ours.
ROW: Final = struct.Struct("<16sqqIIH")
T = TypeVar("T")
# Sets of keys are numbered; where there are more, an object keeps its own.
MAX_KEYS = 4096


@dataclass(frozen=True, slots=True)
class Kept:
    """One object: what is live, and a digest of its labels and annotations: those of `keys`, which are ours.

    None for `keys` says that nobody knows which are: then it is of all.
    """

    live: Live
    keys: frozenset[str] | None
    digest: int


class LiveTable:
    """Live objects by id."""

    def __init__(self) -> None:
        self._rows: IdMap[bytes | Kept] = IdMap()
        self._owners = _Numbers[Owner]()
        self._keys = _Numbers[frozenset[str] | None]()

    def get(self, resource: ResourceId) -> Kept | None:
        """What is kept of that object, or None."""
        row = self._rows.get(resource)
        return self._unpacked(row) if isinstance(row, bytes) else row

    def put(self, resource: ResourceId, kept: Kept) -> None:
        """Keep that of an object."""
        self._rows.put(resource, self._packed(kept) or kept)

    def pop(self, resource: ResourceId) -> Kept | None:
        """Forget an object, and return what was kept of it."""
        row = self._rows.pop(resource)
        return self._unpacked(row) if isinstance(row, bytes) else row

    def ids_of(self, kind: GroupKind) -> Iterator[ResourceId]:
        """Every object of that kind."""
        return self._rows.ids_of(kind)

    def _packed(self, kept: Kept) -> bytes | None:
        live = kept.live
        if live.deleting or live.mark or live.directives != DEFAULT_DIRECTIVES or live.owner is None:
            return None
        uid, version, generation = _bytes_of(live.uid), _number(live.resource_version, 63), _generation(live)
        keys = self._keys.of(kept.keys, MAX_KEYS)
        if uid is None or version is None or generation is None or keys is None:
            return None
        owner = self._owners.of(live.owner, 1 << 32)
        return ROW.pack(uid, version, kept.digest, generation, owner, keys) if owner is not None else None

    def _unpacked(self, row: bytes) -> Kept:
        uid, number, digest, generation, owner, keys = ROW.unpack(row)
        version = str(number)
        live = Live(_text_of(uid), version, f"g{generation}" if generation else version, self._owners[owner])
        return Kept(live, self._keys[keys], digest)


class _Numbers(Generic[T]):
    """Values by number, each once."""

    def __init__(self) -> None:
        self._values: list[T] = []
        self._known: dict[T, int] = {}

    def __getitem__(self, number: int) -> T:
        return self._values[number]

    def of(self, value: T, limit: int) -> int | None:
        """The number of a value; None for one more than `limit` values."""
        number = self._known.get(value)
        if number is None and len(self._values) < limit:
            number = self._known[value] = len(self._values)
            self._values.append(value)
        return number


def _bytes_of(uid: str) -> bytes | None:
    """A UID in half its length; None for one that is not written as Kubernetes writes them."""
    try:
        found = bytes.fromhex(uid.replace("-", ""))
    except ValueError:
        return None
    return found if len(found) == 16 and _text_of(found) == uid else None


def _text_of(uid: bytes) -> str:
    text = uid.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _generation(live: Live) -> int | None:
    """The generation that a version names, 0 for one that is the resourceVersion; None for anything else."""
    return 0 if live.version == live.resource_version else _number(live.version[1:], 32)


def _number(text: str, bits: int) -> int | None:
    """A number written without ornament that fits; None for anything else."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
    return number if 0 <= number < 1 << bits and str(number) == text else None
