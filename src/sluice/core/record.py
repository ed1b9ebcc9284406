"""The durable record of one sync: its inventory with UIDs, and the phase of its last transaction, as bytes.

Written before the first write of a transaction and at its end. Format 1: a zlib-compressed JSON object

    {"format": 1, "owner": "shop/web", "epoch": 7, "phase": "Applying", "revision": "main@sha1:…", "entries":
     [["<group>", "<kind>", "<namespace>", "<name>", "<apiVersion>", "<uid>", "<digest, base64>", "<version>"], …]}

The id stands in its parts: Flux's text form can't tell a colon in a name from two underscores. A reader refuses a
format it does not know instead of guessing: an inventory read wrongly deletes the wrong things.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass

import msgspec

from sluice.core import codes
from sluice.core.errors import StateError
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.problem import Problem
from sluice.core.transaction import Phase

FORMAT = 1
MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Record:
    """`epoch` grows by one with every transaction; `revision` is the one that the last transaction went to."""

    owner: str
    epoch: int
    phase: Phase
    revision: str
    inventory: Inventory


class _Stored(msgspec.Struct, frozen=True):
    format: int
    owner: str
    epoch: int
    phase: str
    revision: str
    entries: list[tuple[str, str, str, str, str, str, str, str]]


def encode_record(record: Record) -> bytes:
    """The bytes of a record; equal records give equal bytes."""
    entries = [
        (*_parts(e.id), e.api_version, e.uid, base64.b64encode(e.digest).decode(), e.version) for e in record.inventory
    ]
    stored = _Stored(FORMAT, record.owner, record.epoch, record.phase.value, record.revision, entries)
    return zlib.compress(msgspec.json.encode(stored), 3)


def decode_record(data: bytes) -> Record:
    """Read a record back.

    Raises StateError when the bytes are cut, edited, of another format or too large: nothing is then pruned by it,
    and the message says how to recover.
    """
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(data, MAX_BYTES)
        if not inflater.eof or inflater.unused_data:
            raise _unreadable("it is cut short, too large, or something follows it")
        stored = msgspec.json.decode(text, type=_Stored)
        if stored.format != FORMAT:
            raise _unreadable(f"it has format {stored.format}, this version reads format {FORMAT}")
        entries = [
            Entry(ResourceId(*parts), v, uid, base64.b64decode(digest, validate=True), version)
            for *parts, v, uid, digest, version in stored.entries
        ]
        return Record(stored.owner, stored.epoch, Phase(stored.phase), stored.revision, Inventory(entries))
    except (zlib.error, msgspec.DecodeError, ValueError, binascii.Error) as error:
        raise _unreadable(str(error)) from error


def _parts(resource: ResourceId) -> tuple[str, str, str, str]:
    return resource.group, resource.kind, resource.namespace, resource.name


def _unreadable(why: str) -> StateError:
    return StateError(
        Problem(
            codes.RECORD_UNREADABLE,
            "the operator's record of this sync can't be read",
            cause=why,
            fix="restore the Secret from a backup; or delete it: the inventory in status is then taken instead, "
            "and objects that it lacks are left in place, never pruned",
        )
    )
