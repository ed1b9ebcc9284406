"""Commits whose syncs do not wait for health: their status says success once what they changed is healthy.

The event that says so is held meanwhile. It stands in the object's status, so that the next process waits on; what it
then waits for is everything that the sync has applied, since what the commit changed is not known any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sluice.api.kustomization import GROUP, KIND, Kustomization
from sluice.core import condition
from sluice.core.errors import SluiceError
from sluice.core.event import COMMIT_STATUS, UPDATE
from sluice.core.ids import NamespacedName
from sluice.core.problem import summarize
from sluice.kube.client import KubeClient
from sluice.reconcilers.operator import HeldEvents
from sluice.reconcilers.our_kinds import KUSTOMIZATIONS
from sluice.reconcilers.sync_facts import subject_of, timeout_of
from sluice.runtime.event_recorder import EventRecorder
from sluice.runtime.health_gate import HealthGate, Target

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Wait:
    """One sync at one revision."""

    sync: Kustomization
    revision: str
    targets: tuple[Target, ...]


class CommitHealth:
    """`run` it; `follow` what was applied. One wait for each sync: a newer revision ends that for the older."""

    def __init__(self, client: KubeClient, events: EventRecorder, held: HeldEvents | None) -> None:
        self._client = client
        self._events = events
        self._held = held
        self._asked: asyncio.Queue[_Wait] = asyncio.Queue()
        self._waits: dict[NamespacedName, asyncio.Task[None]] = {}

    def is_wanted(self, sync: Kustomization) -> bool:
        """True when somebody is shown the state of the sync's commits, which its turns do not wait for."""
        return self._held is not None and self._held.shows_commits(KUSTOMIZATIONS, sync.metadata)

    def is_left_over(self, sync: Kustomization) -> bool:
        """True when an earlier process was waiting for the sync's commit, and this one is not yet."""
        key = sync.metadata.key
        return self._held is not None and key not in self._waits and self._held.holds(KIND, key)

    def drop(self, key: NamespacedName) -> None:
        """What was applied is being replaced, or has failed: nothing is said of it any more."""
        wait = self._waits.pop(key, None)
        if wait is not None:
            wait.cancel()
        if self._held is not None:
            self._held.discard(KIND, key)

    def follow(self, sync: Kustomization, revision: str, targets: tuple[Target, ...]) -> None:
        """Wait until these are healthy, and release the event that is held. Returns at once."""
        self._asked.put_nowait(_Wait(sync, revision, targets))

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                wait = await self._asked.get()
                key = wait.sync.metadata.key
                before = self._waits.pop(key, None)
                if before is not None:
                    before.cancel()
                task = self._waits[key] = group.create_task(self._wait(wait))
                task.add_done_callback(self._forgetting(key))

    def _forgetting(self, key: NamespacedName) -> Callable[[asyncio.Task[None]], None]:
        def forget(task: asyncio.Task[None]) -> None:
            if self._waits.get(key) is task:
                del self._waits[key]

        return forget

    async def _wait(self, wait: _Wait) -> None:
        sync, held = wait.sync, self._held
        if held is None:
            return
        try:
            problems = await HealthGate(self._client, wait.targets).wait(timeout_of(sync))
        except SluiceError as error:
            # It is not known: the next process, or the next commit, looks again.
            log.warning("health of a commit is not known", name=sync.metadata.name, error=str(error))
            return
        if not problems:
            held.release(KUSTOMIZATIONS, sync.metadata)
            return
        held.discard(KIND, sync.metadata.key)
        metadata = {f"{GROUP}/revision": wait.revision, f"{GROUP}/{COMMIT_STATUS}": UPDATE}
        text = summarize(problems, 1000)
        self._events.notify(subject_of(sync), "error", condition.HEALTH_CHECK_FAILED, text, metadata)
