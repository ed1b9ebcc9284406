"""A record as Secrets: the head with the first chunk and the names of the rest. Nothing in them is taken on trust."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

import msgspec

from sluice.api.kinds import ObjectMeta
from sluice.core import codes
from sluice.core.errors import StateError
from sluice.core.guard import RECORD_PREFIX
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SECRETS

LABEL = "sluice.dev/record"
# Other Secrets with that label: what was told, and to whom; and which syncs have ended the process.
LEDGER = "sluice-notifications"
QUARANTINE = "sluice-quarantine"
# A record of the largest size, compressed by nothing, in chunks of the usual size.
MOST_CHUNKS = 128
_DIGEST = re.compile(r"[0-9a-f]{16}")


class RecordSecret(msgspec.Struct, frozen=True):
    """What is read of a record's Secret."""

    metadata: ObjectMeta
    data: dict[str, str] = {}


def head_name(owner: str) -> str:
    """The name of the Secret that the owner's record is in."""
    return f"{RECORD_PREFIX}{hashlib.sha256(owner.encode()).hexdigest()[:24]}"


def chunk_name(head: str, chunk: bytes) -> str:
    """The name of the Secret of a further chunk: it names its content."""
    return f"{head}-{hashlib.sha256(chunk).hexdigest()[:16]}"


def head_body(namespace: str, owner: str, chunk: bytes, names: tuple[str, ...]) -> dict[str, Any]:
    """The head that names these further chunks."""
    data = {"owner": owner.encode(), "record": chunk, "chunks": ",".join(names).encode()}
    return _body(namespace, head_name(owner), "head", data)


def chunk_body(namespace: str, name: str, chunk: bytes) -> dict[str, Any]:
    """A further chunk."""
    return _body(namespace, name, "chunk", {"record": chunk})


def _body(namespace: str, name: str, role: str, data: dict[str, bytes]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "sluice.dev/record",
        "metadata": {"name": name, "namespace": namespace, "labels": {LABEL: role}},
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


async def join(client: KubeClient, namespace: str, owner: str, head: RecordSecret) -> bytes:
    """The bytes of the record that `head` begins.

    Raises StateError when a chunk is missing, or the head names what can't be one; ClusterError when it can't be read.
    """
    name = head_name(owner)
    chunks = [_bytes_of(owner, head)]
    for each in _chunk_names(owner, name, head):
        raw = await client.get(SECRETS, namespace, each)
        if raw is None:
            raise _unreadable(
                f"the operator's record of {owner} lacks a chunk",
                f"Secret {namespace}/{each} does not exist",
                f"restore it from a backup, or delete Secret {namespace}/{name}",
            )
        chunks.append(_bytes_of(owner, msgspec.json.decode(raw, type=RecordSecret)))
    return b"".join(chunks)


def _chunk_names(owner: str, head: str, secret: RecordSecret) -> list[str]:
    text = base64.b64decode(secret.data.get("chunks", "")).decode("utf-8", "replace")
    names = [name for name in text.split(",") if name]
    if len(names) > MOST_CHUNKS or not all(_DIGEST.fullmatch(name.removeprefix(f"{head}-")) for name in names):
        raise _unreadable(
            f"the operator's record of {owner} was edited",
            "it names chunks that are none of its own",
            f"restore Secret {head} from a backup, or delete it",
        )
    return names


def _bytes_of(owner: str, secret: RecordSecret) -> bytes:
    try:
        return base64.b64decode(secret.data.get("record", ""), validate=True)
    except binascii.Error as error:
        fix = f"restore Secret {secret.metadata.name} from a backup, or delete it"
        raise _unreadable(f"the operator's record of {owner} can't be read", str(error), fix) from error


def _unreadable(title: str, cause: str, fix: str) -> StateError:
    return StateError(Problem(codes.RECORD_UNREADABLE, title, cause=cause, fix=fix))
