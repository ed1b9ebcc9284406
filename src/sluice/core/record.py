"""The durable record of one sync, or of a group under way: inventory with UIDs, how far it came, and the way back.

Written before the first write of a transaction and at its end. Format 3: a zlib-compressed JSON object

    {"format": 3, "owner": "shop/web", "epoch": 7, "phase": "Applying", "revision": "main@sha1:…",
     "entries": [["<group>", "<kind>", "<namespace>", "<name>", "<apiVersion>", "<uid>", "<digest, base64>",
                  "<version>"], …],
     "target": {"entries": […], "images": [["<group>", "<kind>", "<namespace>", "<name>", "<apiVersion>", "<uid>",
                "<body, JSON>", "<managedFields, JSON>"], …]},
     "failed": {"inputs": "<digest>",
                "problems": [["<code>", "<title>", <id or null>, "<place>", "<cause>", "<fix>"], …],
                "answered": ["<request>", …]},
     "history": [["<revision>", "<digest>", "<outcome>", "<ended>", <seconds>, <created>, <changed>, <deleted>,
                  "<author>", "<subject>"], …]}

`target` is there from the first write until commit or the end of an undo. In phase `Pruning`, which is written before
the first deletion, it is the inventory after: there is no way back from there. (Versions that did not write this phase
were in `Applying` while they pruned, and are read as that.) `failed` names what is not to be tried
again; `history` tells the last transactions, newest first. Format 1 had none of these, format 2 no `history`: where
its last transaction was committed, that is read as the history. `"inputs": "sha256:…"` may be there as well: older
versions leave it out, and a record without it only costs a turn that could have been spared. The id stands in its
parts: Flux's text form can't tell a colon in a name from two underscores. A reader refuses a format it does not know
instead of guessing: an inventory read wrongly deletes the wrong things.

Format 4 is written for a group's transaction alone, so that a version which knows no groups refuses it. It has

     "members": ["shop/api", "shop/web"], "owners": [0, 1, …], "previous": [0, 0, …]

`owners` says, entry by entry, which member holds it, `previous` the same of the entries of `target`; `history` has one
line for each member, which its own record gets when the transaction has ended. Where one acts as a service account,
`"accounts": ["", "deployer"]` is there as well, member by member: an undo that outlives a Kustomization acts as its
account all the same. Older versions leave it out.
"""

from __future__ import annotations

import base64
import binascii
import sys
import zlib
from dataclasses import dataclass

import msgspec

from sluice.core import codes
from sluice.core.before_image import BeforeImage
from sluice.core.errors import StateError
from sluice.core.history import Counts, Past
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.plan import Owner
from sluice.core.problem import Code, Origin, Problem
from sluice.core.shares import Shares
from sluice.core.transaction_messages import (
    Phase,
    UndoTarget,
)

FORMAT = 3
GROUP_FORMAT = 4
READABLE = (1, 2, 3, 4)
MAX_BYTES = 64 * 1024 * 1024
# What is written has room left: the problems of a failure come into a record whose images are there already.
MAX_WRITTEN = MAX_BYTES * 3 // 4


@dataclass(frozen=True, slots=True)
class FailedRevision:
    """A revision that was undone. It is not tried again while what it was made from (`inputs`) stays the same.

    `answered` are the requests that had been made when it failed: only another one asks for another try.
    """

    inputs: str
    problems: tuple[Problem, ...]
    answered: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """`epoch` grows by one with every transaction; `revision` is the one that the last transaction went to.

    `shares` are there in the record of a group whose transaction has not been entered in its members' records yet.
    `inputs` names what the desired state was made from, if that can be named and the inventory is just that state.
    """

    owner: str
    epoch: int
    phase: Phase
    revision: str
    inventory: Inventory
    target: UndoTarget | None = None
    failed: FailedRevision | None = None
    history: tuple[Past, ...] = ()
    shares: Shares | None = None
    inputs: str = ""

    @property
    def way_back(self) -> UndoTarget | None:
        """Where an open transaction goes back to; None when there is none, or when it has begun to prune."""
        return None if self.phase is Phase.PRUNING else self.target


_StoredPast = tuple[str, str, str, str, float, int, int, int, str, str]
_StoredEntry = tuple[str, str, str, str, str, str, str, str]


class _StoredTarget(msgspec.Struct, frozen=True):
    entries: list[_StoredEntry]
    images: list[_StoredEntry]


class _StoredFailure(msgspec.Struct, frozen=True):
    inputs: str
    problems: list[tuple[str, str, tuple[str, str, str, str] | None, str, str, str]]
    answered: list[str] = []


class _Format(msgspec.Struct, frozen=True):
    format: int


class _Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    format: int
    owner: str
    epoch: int
    phase: str
    revision: str
    entries: list[_StoredEntry]
    target: _StoredTarget | None = None
    failed: _StoredFailure | None = None
    history: list[_StoredPast] = []
    members: list[str] = []
    owners: list[int] = []
    previous: list[int] = []
    inputs: str = ""
    accounts: list[str] = []


def encode_record(record: Record) -> bytes:
    """The bytes of a record; equal records give equal bytes.

    Raises StateError (RecordTooLarge) for one of more than 48 MiB while nothing of its transaction has been written;
    once something has, the limit is the reader's.
    """
    members, owners, previous, accounts = _stored_shares(record)
    stored = _Stored(
        GROUP_FORMAT if record.shares is not None else FORMAT,
        record.owner,
        record.epoch,
        record.phase.value,
        record.revision,
        [_stored_entry(e) for e in record.inventory],
        _stored_target(record.target) if record.target is not None else None,
        _stored_failure(record.failed) if record.failed is not None else None,
        [_stored_past(past) for past in record.history],
        members,
        owners,
        previous,
        record.inputs,
        accounts,
    )
    text = msgspec.json.encode(stored)
    limit = MAX_WRITTEN if record.phase is Phase.APPLYING else MAX_BYTES
    if len(text) > limit:
        raise _too_large(len(text), limit, record)
    return zlib.compress(text, 3)


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
        found = msgspec.json.decode(text, type=_Format).format
        if found not in READABLE:
            raise _of_another_version(found)
        stored = msgspec.json.decode(text, type=_Stored)
        return Record(
            stored.owner,
            stored.epoch,
            Phase(stored.phase),
            stored.revision,
            Inventory(map(_entry, stored.entries)),
            _target(stored.target) if stored.target is not None else None,
            _failure(stored.failed) if stored.failed is not None else None,
            _history(stored),
            _shares(stored),
            stored.inputs,
        )
    except (zlib.error, msgspec.DecodeError, ValueError, binascii.Error, RecursionError) as error:
        raise _unreadable(str(error)) from error


def holds_what_is_wanted(inventory: Inventory, wanted: int) -> bool:
    """Whether it is just the desired state, of `wanted` objects: nothing is held, skipped or unconfirmed."""
    return len(inventory) == wanted and all(entry.digest for entry in inventory)


def _parts(resource: ResourceId) -> tuple[str, str, str, str]:
    return resource.group, resource.kind, resource.namespace, resource.name


def _stored_entry(entry: Entry) -> _StoredEntry:
    digest = base64.b64encode(entry.digest).decode()
    return (*_parts(entry.id), entry.api_version, entry.uid, digest, entry.version)


def _entry(stored: _StoredEntry) -> Entry:
    *parts, api_version, uid, digest, version = stored
    return Entry(ResourceId(*parts), api_version, uid, base64.b64decode(digest, validate=True), version)


def _stored_target(target: UndoTarget) -> _StoredTarget:
    images: list[_StoredEntry] = [
        (*_parts(i.id), i.api_version, i.uid, i.body.decode(), i.managers.decode())
        for _, i in sorted(target.images.items())
    ]
    return _StoredTarget([_stored_entry(e) for e in target.inventory], images)


def _target(stored: _StoredTarget) -> UndoTarget:
    images = {}
    for *parts, api_version, uid, body, managers in stored.images:
        identity = ResourceId(*parts)
        images[identity] = BeforeImage(identity, api_version, uid, body.encode(), managers.encode())
    return UndoTarget(Inventory(map(_entry, stored.entries)), images)


def _stored_past(past: Past) -> _StoredPast:
    counts = past.counts
    numbers = past.seconds, counts.created, counts.changed, counts.deleted
    return past.revision, past.digest, past.outcome, past.ended, *numbers, past.author, past.subject


def _history(stored: _Stored) -> tuple[Past, ...]:
    if stored.format < 3:
        return (Past(stored.revision),) if stored.phase == Phase.DONE else ()
    # One commit is in the history of every sync that reads its repository: its texts are kept once.
    return tuple(
        Past(
            sys.intern(revision), digest, sys.intern(outcome), ended, seconds, Counts(*counts), *map(sys.intern, texts)
        )
        for revision, digest, outcome, ended, seconds, *counts, author, subject in stored.history
        for texts in ((author, subject),)
    )


def _stored_shares(record: Record) -> tuple[list[str], list[int], list[int], list[str]]:
    shares = record.shares
    if shares is None:
        return [], [], [], []
    number = {owner: n for n, owner in enumerate(shares.members)}
    before = record.target.inventory if record.target is not None else ()
    return (
        [str(owner) for owner in shares.members],
        [number[shares.owner_of(entry.id)] for entry in record.inventory],
        [number[shares.was_of(entry.id)] for entry in before],
        [shares.accounts.get(owner, "") for owner in shares.members] if shares.accounts else [],
    )


def _shares(stored: _Stored) -> Shares | None:
    """Raises ValueError where the lists do not fit together: whose an object is must never be guessed."""
    if (stored.format == GROUP_FORMAT) != bool(stored.members):
        raise ValueError("only a group's record has members, and it must name them")
    if not stored.members:
        return None
    members = tuple(Owner(*text.split("/")) if text.count("/") == 1 else _no_owner(text) for text in stored.members)
    before = stored.target.entries if stored.target is not None else []
    if not all(0 <= n < len(members) for n in (*stored.owners, *stored.previous)):
        raise ValueError("it names a member that it does not have")
    return Shares(
        members,
        {_entry(e).id: members[n] for e, n in zip(stored.entries, stored.owners, strict=True)},
        {_entry(e).id: members[n] for e, n in zip(before, stored.previous, strict=True)},
        {m: account for m, account in zip(members, stored.accounts, strict=True) if account} if stored.accounts else {},
    )


def _no_owner(text: str) -> Owner:
    raise ValueError(f"{text!r} is no member")


def _stored_failure(failed: FailedRevision) -> _StoredFailure:
    problems = [
        (
            p.code.number,
            p.title,
            _parts(p.subject) if p.subject is not None else None,
            str(p.origin) if p.origin is not None else "",
            p.cause,
            p.fix,
        )
        for p in failed.problems
    ]
    return _StoredFailure(failed.inputs, problems, sorted(failed.answered))


def _failure(stored: _StoredFailure) -> FailedRevision:
    known = {code.number: code for code in codes.CODES}
    problems = tuple(
        Problem(
            known.get(number, Code(number, "Unknown", "a code of another version")),
            title,
            ResourceId(*subject) if subject is not None else None,
            Origin(origin) if origin else None,
            cause=cause,
            fix=fix,
        )
        for number, title, subject, origin, cause, fix in stored.problems
    )
    return FailedRevision(stored.inputs, problems, frozenset(stored.answered))


def _of_another_version(found: int) -> StateError:
    newer = found > FORMAT
    return StateError(
        Problem(
            codes.RECORD_VERSION,
            f"the operator's record of this sync was written by {'a newer' if newer else 'another'} version of Sluice",
            cause=f"it has format {found}; this version reads formats {', '.join(map(str, READABLE))}",
            fix="run the version that wrote it, or a newer one: nothing is written or pruned until then",
        )
    )


def _too_large(size: int, limit: int, record: Record) -> StateError:
    images = len(record.target.images) if record.target is not None else 0
    return StateError(
        Problem(
            codes.RECORD_TOO_LARGE,
            f"the record of this sync would be {size >> 20} MiB large",
            cause=f"it holds {len(record.inventory)} objects, and what {images} of them were before this revision; "
            f"the limit is {limit >> 20} MiB",
            fix="split the sync, or commit the change in parts",
        )
    )


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
