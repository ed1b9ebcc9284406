"""Work on a sync, marked: what ends the process again and again is known by that, and left alone in the end."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sluice.api.kustomization import Kustomization
from sluice.core.artifact import Artifact
from sluice.core.crashes import Work
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import owner_of, sync_id


def work_of(sync: Kustomization, artifact: Artifact) -> Work:
    """Names the sync, its source's content, its spec and the request that it has: with another of these it is tried."""
    meta = sync.metadata
    inputs = f"{artifact.digest} {meta.uid} {meta.generation} {meta.request}"
    return Work(str(owner_of(sync)), hashlib.sha256(inputs.encode()).hexdigest()[:32])


@asynccontextmanager
async def reading(operator: Operator, sync: Kustomization, artifact: Artifact) -> AsyncIterator[None]:
    """While the sync is rendered, whoever asks for it. Raises UserError (Quarantined)."""
    if operator.crashes is None:  # a command line looks, and its user sees what ends it
        yield
        return
    async with operator.crashes.reading(sync_id(sync), work_of(sync, artifact)):
        yield


@asynccontextmanager
async def handling(operator: Operator, sync: Kustomization, artifact: Artifact) -> AsyncIterator[None]:
    """While the sync's own turn prepares its plan; that it ends clears the sync. Raises UserError (Quarantined)."""
    if operator.crashes is None:
        yield
        return
    async with operator.crashes.handling(sync_id(sync), work_of(sync, artifact)):
        yield
