"""Records of syncs in Secrets of the operator's namespace, compare-and-swapped, chunked when large.

One head Secret per sync holds the first chunk and the names of the rest; the rest are written before the head
that names them and deleted after the next head, so a reader always finds a whole record.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import structlog

from sluice.core import codes
from sluice.core.errors import ClusterError, StateError
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.problem import Problem
from sluice.core.record import Record, decode_record, encode_record
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SECRETS
from sluice.runtime.outage import outlast
from sluice.runtime.record_secret import (
    LABEL,
    RecordSecret,
    chunk_body,
    chunk_name,
    head_body,
    head_name,
    join,
)

MANAGER = "sluice"
# A Secret's value is base64 in JSON and in etcd's request: this stays well below etcd's 1.5 MiB.
CHUNK_BYTES = 700_000
log = structlog.get_logger()


class RecordStore:
    """The records of every sync and group. Loaded once; afterwards memory is the copy and the cluster the truth."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._records: dict[str, Record] = {}
        self._groups: dict[str, Record] = {}
        self._versions: dict[str, str] = {}
        self._chunks: dict[str, set[str]] = {}  # by the head's name: every chunk that may exist
        self._broken: dict[str, StateError] = {}
        self._unsure: dict[str, dict[str, str]] = {}
        self._moved: dict[str, dict[ResourceId, Entry]] = {}
        self._absent: set[str] = set()

    async def load(self) -> None:
        """Read every record of the namespace. One that can't be read is remembered as such, the others load.

        A chunk that no head names (a crash came before the head) is deleted after the next head is written: until
        then a predecessor's head that names it may still be on its way.
        """
        for meta in (await self._client.list_metadata(SECRETS, self._namespace, labels=f"{LABEL}=chunk")).items:
            self._chunks.setdefault(meta.name.rpartition("-")[0], set()).add(meta.name)
        listed = await self._client.list(SECRETS, self._namespace, labels=f"{LABEL}=head", item_type=RecordSecret)
        for secret in listed.items:
            owner = base64.b64decode(secret.data.get("owner", "")).decode("utf-8", "replace")
            if secret.metadata.name == head_name(owner):
                await self._take(owner, secret)
            else:  # a copy; or its owner was edited, and then the owner's own turn reads it by its name
                log.warning("a Secret is labelled as a record and is none", name=secret.metadata.name)

    async def _take(self, owner: str, secret: RecordSecret) -> None:
        self._versions[owner] = secret.metadata.resourceVersion
        self._broken.pop(owner, None)
        try:
            record = decode_record(await join(self._client, self._namespace, owner, secret))
            if record.owner != owner:
                raise _foreign(owner, record.owner)
            self._keep(record)
        except StateError as error:
            self._broken[owner] = error

    async def look_again(self, owner: str) -> None:
        """Read the record of `owner` once more if it could not be read: somebody may have restored or deleted it.

        One that is not known at all is looked for once: its label, by which all are found at the start, may be gone.
        """
        if owner in self._broken or (owner not in self._records and owner not in self._absent):
            await self.read(owner)

    async def read(self, owner: str) -> None:
        """Read the record of `owner` from the cluster, whatever is known of it."""
        raw = await self._client.get(SECRETS, self._namespace, head_name(owner))
        if raw is not None:
            await self._take(owner, msgspec.json.decode(raw, type=RecordSecret))
            return
        self._absent.add(owner)
        for known in (self._broken, self._versions):
            known.pop(owner, None)

    def get(self, owner: str) -> Record | None:
        """The record of `owner`, or None when it has none; its inventory is packed.

        Raises StateError when there is one that can't be read.
        """
        if (error := self._broken.get(owner)) is not None:
            raise error
        return self._records.get(owner)

    def _keep(self, record: Record) -> None:
        self._records[record.owner] = record = replace(record, inventory=record.inventory.packed())
        if record.shares is not None:
            self._groups[record.owner] = record
        else:
            self._groups.pop(record.owner, None)

    def move(self, owner: str, entries: Iterable[Entry]) -> None:
        """Note how objects of the record were left when nothing but their versions has changed.

        It is written with the next record, or at the end by `write_moved`. What a crash forgets of it costs a look at
        each of them, and nothing else.
        """
        self._moved.setdefault(owner, {}).update({entry.id: entry for entry in entries})

    def moved(self, owner: str) -> Inventory:
        """What was noted so since the record of `owner` was written."""
        return Inventory(self._moved.get(owner, {}).values())

    async def write_moved(self) -> None:
        """Write what was noted so, of every sync that has no transaction under way. Raises as `save` does."""
        for owner, entries in list(self._moved.items()):
            record = self._records.get(owner)
            if record is not None and record.phase.ended:
                await self.save(replace(record, inventory=record.inventory.union(Inventory(entries.values()))))

    def groups(self) -> tuple[Record, ...]:
        """The records of groups whose transaction has not ended, or is not in their members' records yet."""
        return tuple(self._groups.values())

    def owners(self) -> tuple[str, ...]:
        """Every owner that has a record."""
        return tuple(self._records)

    async def save(self, record: Record) -> None:
        """Make `record` durable; nothing is sent when it equals the stored one.

        Raises StateError (RecordChanged) when somebody else wrote it since: perhaps this process leads no more, and
        then it must change nothing; StateError (RecordTooLarge); ClusterError.
        """
        known = self._records.get(record.owner)
        if known == record:
            return
        head, *rest = _split(encode_record(record))
        name = head_name(record.owner)
        chunks = self._chunks.setdefault(name, set())
        names = await self._write_chunks(name, rest, chunks)
        body = head_body(self._namespace, record.owner, head, names)
        answer = await outlast(partial(self._swap, record.owner, name, body))
        self._versions[record.owner] = msgspec.json.decode(answer, type=RecordSecret).metadata.resourceVersion
        self._keep(record)
        self._moved.pop(record.owner, None)
        self._broken.pop(record.owner, None)
        for chunk in chunks.difference(names):
            with suppress(ClusterError):  # the record is written; the next one tries again
                await self._client.delete(SECRETS, self._namespace, chunk)
                chunks.discard(chunk)

    async def _swap(self, owner: str, name: str, body: dict[str, Any]) -> bytes:
        """Write the head as long as it is the one we know; after a lost answer see first whether that one was taken."""
        if (sent := self._unsure.get(owner)) is not None:
            held = await self._client.get(SECRETS, self._namespace, name)
            found = msgspec.json.decode(held, type=RecordSecret) if held is not None else None
            if held is not None and found is not None and found.data == body["data"]:
                del self._unsure[owner]
                return held
            if found is not None and found.data == sent:
                self._versions[owner] = found.metadata.resourceVersion
        self._unsure[owner] = body["data"]
        try:
            answer = await self._write_head(name, body, self._versions.get(owner, ""))
        except ClusterError as error:
            if error.status != 409:
                raise
            answer = await self._after_conflict(owner, name, body)
        del self._unsure[owner]
        return answer

    async def _after_conflict(self, owner: str, name: str, body: dict[str, Any]) -> bytes:
        """See who wrote the head since: we, then it is done; or somebody who changed only its labels, then again."""
        held = await self._client.get(SECRETS, self._namespace, name)
        found = msgspec.json.decode(held, type=RecordSecret) if held is not None else None
        if held is not None and found is not None and found.data == body["data"]:
            # The HTTP library sends a PUT again on its own when a kept-alive connection breaks: the second conflicts.
            return held
        if found is not None and found.data != self._data_of(owner):
            raise _changed(owner, self._namespace, name)
        return await self._write_head(name, body, found.metadata.resourceVersion if found is not None else "")

    def _data_of(self, owner: str) -> dict[str, str] | None:
        """What the head holds when nobody but us has written it."""
        known = self._records.get(owner)
        if known is None:
            return None
        head, *rest = _split(encode_record(known))
        names = tuple(chunk_name(head_name(owner), chunk) for chunk in rest)
        data: dict[str, str] = head_body(self._namespace, owner, head, names)["data"]
        return data

    async def _write_head(self, name: str, body: dict[str, Any], version: str) -> bytes:
        if version:
            swap = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
            try:
                return await self._client.replace(SECRETS, self._namespace, name, msgspec.json.encode(swap))
            except ClusterError as error:
                # Somebody deleted the Secret; what it held is in memory, and must be durable before anything is sent.
                if error.status != 404:
                    raise
        return await self._client.create(SECRETS, self._namespace, msgspec.json.encode(body), manager=MANAGER)

    async def forget(self, owner: str) -> None:
        """Delete the record of an owner that has let go of every object."""
        for chunk in (head_name(owner), *self._chunks.pop(head_name(owner), ())):
            await self._client.delete(SECRETS, self._namespace, chunk)
        self._records.pop(owner, None)
        self._moved.pop(owner, None)
        self._groups.pop(owner, None)
        self._versions.pop(owner, None)
        self._broken.pop(owner, None)
        self._unsure.pop(owner, None)
        self._absent.add(owner)

    async def _write_chunks(self, head: str, rest: list[bytes], chunks: set[str]) -> tuple[str, ...]:
        """Write what the head has no room for; `chunks` learns each name before the request is sent."""
        names = []
        for chunk in rest:
            name = chunk_name(head, chunk)
            chunks.add(name)
            body = msgspec.json.encode(chunk_body(self._namespace, name, chunk))
            try:
                await self._client.create(SECRETS, self._namespace, body, manager=MANAGER)
            except ClusterError as error:
                # The name is the content's digest: one that exists already holds the same bytes.
                if error.reason != "AlreadyExists":
                    raise
            names.append(name)
        return tuple(names)


def _changed(owner: str, namespace: str, name: str) -> StateError:
    return StateError(
        Problem(
            codes.RECORD_CHANGED,
            f"the operator's record of {owner} was written by somebody else",
            cause=f"Secret {namespace}/{name} is not as this process left it: it was edited, or another process leads",
            fix="restart the operator, which then reads it anew: nothing more is written until then",
        )
    )


def _foreign(owner: str, other: str) -> StateError:
    return StateError(
        Problem(
            codes.RECORD_UNREADABLE,
            f"the operator's record of {owner} is that of another sync",
            cause=f"it says that it belongs to {other}",
            fix="restore the Secret from a backup, or delete it",
        )
    )


def _split(data: bytes) -> list[bytes]:
    return [data[i : i + CHUNK_BYTES] for i in range(0, len(data), CHUNK_BYTES)] or [b""]
