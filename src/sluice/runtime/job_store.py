"""The operator's jobs in one Secret of its own namespace, compare-and-swapped: what is saved here survives a kill."""

from __future__ import annotations

import base64
import binascii
from functools import partial
from typing import Any

import msgspec

from sluice.core import codes
from sluice.core.errors import ClusterError, StateError
from sluice.core.guard import RECORD_PREFIX
from sluice.core.job import Job, decode_jobs
from sluice.core.problem import Problem
from sluice.kube.client import KubeClient
from sluice.kube.well_known import SECRETS
from sluice.runtime.outage import outlast
from sluice.runtime.record_secret import RecordSecret

# Under the prefix that no sync may write or prune.
SECRET_NAME = f"{RECORD_PREFIX}jobs"
MANAGER = "sluice"


class JobStore:
    """Loaded once; afterwards only this process writes it."""

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._version = ""
        self._stored = ""

    async def load(self) -> tuple[Job, ...]:
        """Read all jobs; none where there is no Secret yet. Raises StateError (JobsUnreadable), ClusterError."""
        held = await self._read()
        if held is None:
            return ()
        self._take(held)
        try:
            return decode_jobs(base64.b64decode(self._stored, validate=True))
        except binascii.Error as error:
            fix = "restore it from a backup, or delete it: updates that wait are lost then"
            title = "the operator's record of updates can't be read"
            cause = f"Secret {self._namespace}/{SECRET_NAME}: {error}"
            raise StateError(Problem(codes.JOBS_UNREADABLE, title, cause=cause, fix=fix)) from None

    async def save(self, data: bytes) -> None:
        """Make this the stored form of all jobs. Calls must not overlap.

        Raises StateError (RecordChanged) when somebody else wrote it since: perhaps this process leads no more.
        """
        text = base64.b64encode(data).decode()
        if text != self._stored:
            self._take(await outlast(partial(self._swap, text)))

    async def _swap(self, text: str) -> RecordSecret:
        try:
            return await self._write(text)
        except ClusterError as error:
            if error.status not in {404, 409}:
                raise
        held = await self._read()
        if held is not None and held.data.get("jobs", "") == text:
            return held  # an answer was lost on the way
        if held is not None and held.data.get("jobs", "") != self._stored:
            raise self._changed()
        self._version = held.metadata.resourceVersion if held is not None else ""
        return await self._write(text)

    async def _write(self, text: str) -> RecordSecret:
        metadata = {"name": SECRET_NAME, "namespace": self._namespace}
        if self._version:
            metadata["resourceVersion"] = self._version
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "type": "sluice.dev/jobs"}
        sent = msgspec.json.encode({**body, "metadata": metadata, "data": {"jobs": text}})
        if self._version:
            answer = await self._client.replace(SECRETS, self._namespace, SECRET_NAME, sent)
        else:
            answer = await self._client.create(SECRETS, self._namespace, sent, manager=MANAGER)
        return msgspec.json.decode(answer, type=RecordSecret)

    async def _read(self) -> RecordSecret | None:
        raw = await self._client.get(SECRETS, self._namespace, SECRET_NAME)
        return None if raw is None else msgspec.json.decode(raw, type=RecordSecret)

    def _take(self, held: RecordSecret) -> None:
        self._version, self._stored = held.metadata.resourceVersion, held.data.get("jobs", "")

    def _changed(self) -> StateError:
        title = "the operator's record of updates was written by somebody else"
        cause = f"Secret {self._namespace}/{SECRET_NAME} is not as this process left it"
        fix = "restart the operator, which then reads it anew"
        return StateError(Problem(codes.RECORD_CHANGED, title, cause=cause, fix=fix))
