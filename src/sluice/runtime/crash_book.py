"""Syncs that end the process are left alone after the third time, so that the others go on (decisions/0017).

What is worked on is marked on the disk. What comes of that, after a death that came from inside, is written to one
Secret, so that a lost disk loses at most the last death. Nothing is sent to the API server for what goes well.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import datetime as dt
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import structlog

from sluice.core.crashes import Suspect, Work, blame, decode_book, encode_book, is_quarantined, quarantined
from sluice.core.errors import ClusterError, SluiceError, UserError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.kube.client import KubeClient
from sluice.kube.well_known import PODS, SECRETS
from sluice.runtime.last_words import LAST_WORDS, forget_last_words, read_last_words
from sluice.runtime.record_secret import LABEL, QUARANTINE
from sluice.store.under_way import UnderWay

NAME = QUARANTINE
KEY = "suspects"
MANAGER = "sluice"
CONTAINER = "manager"
OOM_KILLED = "OOMKilled"
# The kubelet writes how a container ended about when it starts the next one.
POD_SECONDS = 10.0
POD_PAUSE = 0.5
MOST_LINES = 100
log = structlog.get_logger()


class _Secret(msgspec.Struct):
    data: dict[str, str] = {}


class _Terminated(msgspec.Struct, rename="camel"):
    reason: str = ""
    finished_at: dt.datetime | None = None


class _LastState(msgspec.Struct):
    terminated: _Terminated | None = None


class _Container(msgspec.Struct, rename="camel"):
    name: str = ""
    last_state: _LastState = msgspec.field(default_factory=_LastState)


class _PodStatus(msgspec.Struct, rename="camel"):
    container_statuses: list[_Container] = []


class _Pod(msgspec.Struct):
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


class CrashBook:
    """`load` it before the first turn. `storage` is the operator's own folder; it may be another one than last time."""

    def __init__(self, client: KubeClient, namespace: str, storage: Path) -> None:
        self._client = client
        self._namespace = namespace
        self._under_way = UnderWay(storage / "under-way")
        self._last_words = storage / LAST_WORDS
        self._suspects: dict[str, Suspect] = {}
        # Suspects are read one after the other: who dies then was alone.
        self._alone = asyncio.Lock()

    async def load(self, pod: NamespacedName | None) -> None:
        """Learn what is known of earlier deaths, and count the last one where it came from inside.

        `pod` is the one that this process runs in. Raises ClusterError.
        """
        raw = await self._client.get(SECRETS, self._namespace, NAME)
        self._suspects = _read(raw) if raw is not None else {}
        left, since = self._under_way.left()
        cause, lines = read_last_words(self._last_words)
        if cause:
            log.error("the process before this one ended of itself", error=cause, stacks=lines[:MOST_LINES])
        elif left and pod is not None and await self._ran_out_of_memory(pod, since):
            cause = "it ran out of memory"
            log.error("the process before this one ended of itself", error=cause)
        if cause and left:
            self._suspects = blame(self._suspects, left, cause)
            for work in left:
                deaths = self._suspects[work.owner].deaths
                log.warning("it was worked on when the process ended", sync=work.owner, times=deaths)
            await self._write(self._suspects)
        self._under_way.clear()
        forget_last_words(self._last_words)

    @asynccontextmanager
    async def reading(self, sync: ResourceId, work: Work) -> AsyncIterator[None]:
        """Mark the work while inside; of several suspects one at a time.

        Raises UserError (Quarantined) for a sync that is left alone.
        """
        suspect = self._suspects.get(work.owner)
        if suspect is not None and is_quarantined(suspect, work.inputs):
            raise UserError(quarantined(sync, suspect))
        async with AsyncExitStack() as stack:
            if suspect is not None:
                await stack.enter_async_context(self._alone)
            stack.enter_context(self._under_way.mark(work))
            yield

    @asynccontextmanager
    async def handling(self, sync: ResourceId, work: Work) -> AsyncIterator[None]:
        """The same for all that is done before the first write; when it ends, however it does, the sync is cleared."""
        suspect = self._suspects.get(work.owner)
        if suspect is not None and is_quarantined(suspect, work.inputs):
            raise UserError(quarantined(sync, suspect))
        with self._under_way.mark(work):
            try:
                yield
            except SluiceError:
                await self._clear(work.owner)
                raise
        await self._clear(work.owner)

    def forget(self, owner: str) -> None:
        """The sync is gone. It is not written for that: a new one of its name has other inputs, and its try."""
        self._suspects.pop(owner, None)

    async def _clear(self, owner: str) -> None:
        if owner not in self._suspects:
            return
        del self._suspects[owner]
        try:
            await self._write(self._suspects)
        except ClusterError as error:  # then it has one death less to its third
            log.warning("a sync that went well is not cleared of earlier crashes", sync=owner, error=str(error))

    async def _write(self, suspects: Mapping[str, Suspect]) -> None:
        body = msgspec.json.encode(_body(suspects))
        await self._client.put(SECRETS, self._namespace, NAME, body, manager=MANAGER)

    async def _ran_out_of_memory(self, pod: NamespacedName, since: float) -> bool:
        """Whether the container that ran before this one was ended for that, after the work had begun."""
        deadline = asyncio.get_running_loop().time() + POD_SECONDS
        while True:
            try:
                raw = await self._client.get(PODS, pod.namespace, pod.name)
                ended = _ended(raw) if raw is not None else None
            except (ClusterError, msgspec.MsgspecError) as error:
                log.warning("how the process before this one ended can't be read", pod=str(pod), error=str(error))
                return False
            # The kubelet gives whole seconds; what ended before the work began is an earlier end.
            if ended is not None and ended.finished_at is not None and ended.finished_at.timestamp() >= int(since):
                return ended.reason == OOM_KILLED
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(POD_PAUSE)


def _ended(raw: bytes) -> _Terminated | None:
    """How the container before this one ended: that of our name, or the pod's only one."""
    containers = msgspec.json.decode(raw, type=_Pod).status.container_statuses
    named = [each for each in containers if each.name == CONTAINER] or containers
    return named[0].last_state.terminated if len(named) == 1 else None


def _body(suspects: Mapping[str, Suspect]) -> dict[str, object]:
    data = base64.b64encode(encode_book(suspects)).decode()
    # Whoever takes the operator's records away takes this, too.
    metadata = {"name": NAME, "labels": {LABEL: "quarantine"}}
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "sluice.dev/quarantine"}
    return {**kind, "metadata": metadata, "data": {KEY: data}}


def _read(raw: bytes) -> dict[str, Suspect]:
    """What the Secret says; one that was damaged says nothing, and the log says so."""
    try:
        text = msgspec.json.decode(raw, type=_Secret).data.get(KEY, "")
        return decode_book(base64.b64decode(text, validate=True)) if text else {}
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        log.warning("which syncs have ended the process before is not known", error=str(error))
        return {}
