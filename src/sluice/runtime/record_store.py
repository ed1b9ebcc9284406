"""Records of syncs in Secrets of the operator's namespace, compare-and-swapped, chunked when large.

One head Secret per sync holds the first chunk and the names of the rest; the rest are written before the head
that names them and deleted after the next head, so a reader always finds a whole record.
"""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from sluice.api.kinds import ObjectMeta
from sluice.core import codes
from sluice.core.errors import ClusterError, StateError
from sluice.core.guard import RECORD_PREFIX
from sluice.core.problem import Problem
from sluice.core.record import Record, decode_record, encode_record
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SECRETS
from sluice.runtime.outage import outlast

MANAGER = "sluice"
LABEL = "sluice.dev/record"
# A Secret's value is base64 in JSON and in etcd's request: this stays well below etcd's 1.5 MiB.
CHUNK_BYTES = 700_000


class _Secret(msgspec.Struct, frozen=True):
    metadata: ObjectMeta
    data: dict[str, str] = {}


class RecordStore:
    """The records of every sync. Loaded once; afterwards memory is the copy and the cluster the truth."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._records: dict[str, Record] = {}
        self._versions: dict[str, str] = {}
        self._chunks: dict[str, set[str]] = {}  # by the head's name: every chunk that may exist
        self._broken: dict[str, StateError] = {}
        self._unsure: dict[str, dict[str, str]] = {}

    async def load(self) -> None:
        """Read every record of the namespace. One that can't be read is remembered as such, the others load.

        A chunk that no head names (a crash came before the head) is deleted after the next head is written: until
        then a predecessor's head that names it may still be on its way.
        """
        for meta in (await self._client.list_metadata(SECRETS, self._namespace, labels=f"{LABEL}=chunk")).items:
            self._chunks.setdefault(meta.name.rpartition("-")[0], set()).add(meta.name)
        listed = await self._client.list(SECRETS, self._namespace, labels=f"{LABEL}=head", item_type=_Secret)
        for secret in listed.items:
            owner = base64.b64decode(secret.data.get("owner", "")).decode("utf-8", "replace")
            await self._take(owner, secret)

    async def _take(self, owner: str, secret: _Secret) -> None:
        self._versions[owner] = secret.metadata.resourceVersion
        self._broken.pop(owner, None)
        try:
            record = decode_record(await self._join(owner, secret))
            if record.owner != owner:
                raise _foreign(owner, record.owner)
            self._records[owner] = record
        except StateError as error:
            self._broken[owner] = error

    async def look_again(self, owner: str) -> None:
        """Read the record of `owner` once more if it could not be read: somebody may have restored or deleted it."""
        if owner in self._broken:
            await self.read(owner)

    async def read(self, owner: str) -> None:
        """Read the record of `owner` from the cluster, whatever is known of it."""
        raw = await self._client.get(SECRETS, self._namespace, _name(owner))
        if raw is not None:
            await self._take(owner, msgspec.json.decode(raw, type=_Secret))
            return
        for known in (self._broken, self._versions):
            known.pop(owner, None)

    def get(self, owner: str) -> Record | None:
        """The record of `owner`, or None when it has none. Raises StateError when it has one that can't be read."""
        if (error := self._broken.get(owner)) is not None:
            raise error
        return self._records.get(owner)

    def owners(self) -> tuple[str, ...]:
        """Every owner that has a record."""
        return tuple(self._records)

    async def save(self, record: Record) -> None:
        """Make `record` durable; nothing is sent when it equals the stored one.

        Raises ClusterError with reason Conflict when another process wrote it since: this one is not the leader.
        """
        known = self._records.get(record.owner)
        if known == record:
            return
        head, *rest = _split(encode_record(record))
        name = _name(record.owner)
        chunks = self._chunks.setdefault(name, set())
        names = await self._write_chunks(name, rest, chunks)
        body = self._head(record.owner, head, names)
        answer = await outlast(partial(self._swap, record.owner, name, body))
        self._versions[record.owner] = msgspec.json.decode(answer, type=_Secret).metadata.resourceVersion
        self._records[record.owner] = record
        self._broken.pop(record.owner, None)
        for chunk in chunks.difference(names):
            with suppress(ClusterError):  # the record is written; the next one tries again
                await self._client.delete(SECRETS, self._namespace, chunk)
                chunks.discard(chunk)

    async def _swap(self, owner: str, name: str, body: dict[str, Any]) -> bytes:
        """Write the head as long as it is the one we know; after a lost answer see first whether that one was taken."""
        if (sent := self._unsure.get(owner)) is not None:
            held = await self._client.get(SECRETS, self._namespace, name)
            found = msgspec.json.decode(held, type=_Secret) if held is not None else None
            if held is not None and found is not None and found.data == body["data"]:
                del self._unsure[owner]
                return held
            if found is not None and found.data == sent:
                self._versions[owner] = found.metadata.resourceVersion
        self._unsure[owner] = body["data"]
        try:
            answer = await self._write_head(name, body, self._versions.get(owner, ""))
        except ClusterError as error:
            # The HTTP library sends a PUT again on its own when a kept-alive connection breaks: the second conflicts.
            held = await self._client.get(SECRETS, self._namespace, name) if error.status == 409 else None
            if held is None or msgspec.json.decode(held, type=_Secret).data != body["data"]:
                raise
            answer = held
        del self._unsure[owner]
        return answer

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
        for chunk in (_name(owner), *self._chunks.pop(_name(owner), ())):
            await self._client.delete(SECRETS, self._namespace, chunk)
        self._records.pop(owner, None)
        self._versions.pop(owner, None)
        self._broken.pop(owner, None)
        self._unsure.pop(owner, None)

    def _head(self, owner: str, chunk: bytes, names: tuple[str, ...]) -> dict[str, Any]:
        data = {"owner": owner.encode(), "record": chunk, "chunks": ",".join(names).encode()}
        return self._secret(_name(owner), "head", data)

    def _secret(self, name: str, role: str, data: dict[str, bytes]) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "sluice.dev/record",
            "metadata": {"name": name, "namespace": self._namespace, "labels": {LABEL: role}},
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }

    async def _write_chunks(self, head: str, rest: list[bytes], chunks: set[str]) -> tuple[str, ...]:
        """Write what the head has no room for; `chunks` learns each name before the request is sent."""
        names = []
        for chunk in rest:
            name = f"{head}-{hashlib.sha256(chunk).hexdigest()[:16]}"
            chunks.add(name)
            body = msgspec.json.encode(self._secret(name, "chunk", {"record": chunk}))
            try:
                await self._client.create(SECRETS, self._namespace, body, manager=MANAGER)
            except ClusterError as error:
                # The name is the content's digest: one that exists already holds the same bytes.
                if error.reason != "AlreadyExists":
                    raise
            names.append(name)
        return tuple(names)

    async def _join(self, owner: str, secret: _Secret) -> bytes:
        names = tuple(filter(None, base64.b64decode(secret.data.get("chunks", "")).decode().split(",")))
        parts = [base64.b64decode(secret.data.get("record", ""))]
        for name in names:
            raw = await self._client.get(SECRETS, self._namespace, name)
            if raw is None:
                raise StateError(
                    Problem(
                        codes.RECORD_UNREADABLE,
                        f"the operator's record of {owner} lacks a chunk",
                        cause=f"Secret {self._namespace}/{name} does not exist",
                        fix=f"restore it from a backup, or delete Secret {self._namespace}/{secret.metadata.name}",
                    )
                )
            parts.append(base64.b64decode(msgspec.json.decode(raw, type=_Secret).data.get("record", "")))
        return b"".join(parts)


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


def _name(owner: str) -> str:
    return f"{RECORD_PREFIX}{hashlib.sha256(owner.encode()).hexdigest()[:24]}"
