"""Many values by the id of their object, kept in little memory: in the order of the ids, in compressed chunks.

What lives between turns is kept so: objects of one sync are much alike, and between two turns hardly one of them is
looked at. Of each chunk the first id is known, so a look-up reads one chunk, and reading all costs a decode of each.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from sluice.core.ids import ResourceId

T = TypeVar("T")
CHUNK = 64
# Memory is what it is for, and most of the gain is had at once: higher levels cost several times as much.
LEVEL = 1


class Packed(Generic[T]):
    """An immutable set of values, at most one for an id; equal values in equal order make equal bytes.

    `values` come sorted by `id_of`; `kind` is their type, which msgspec can encode.
    """

    __slots__ = ("_chunks", "_decoder", "_firsts", "_id_of", "_size")

    def __init__(self, values: Sequence[T], kind: type[T], id_of: Callable[[T], ResourceId]) -> None:
        self._size = len(values)
        self._id_of = id_of
        self._decoder = msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]
        self._firsts = [id_of(values[start]) for start in range(0, len(values), CHUNK)]
        self._chunks = [_pack(values[start : start + CHUNK]) for start in range(0, len(values), CHUNK)]

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return self._chunks == other._chunks if isinstance(other, Packed) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._chunks))

    def __iter__(self) -> Iterator[T]:
        for chunk in self._chunks:
            yield from self._read(chunk)

    def get(self, resource: ResourceId) -> T | None:
        """The value of that id, or None."""
        place = bisect_right(self._firsts, resource) - 1
        found = self._read(self._chunks[place]) if place >= 0 else ()
        return next((value for value in found if self._id_of(value) == resource), None)

    def _read(self, chunk: bytes) -> Iterable[T]:
        found: list[T] = self._decoder.decode(zlib.decompress(chunk))
        return found


def _pack(values: Sequence[object]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(values), LEVEL)
