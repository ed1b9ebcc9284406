"""What came of a turn → when the sync's next turn is, and whether it is told at all yet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sluice.api.kustomization import Kustomization
from sluice.core import condition
from sluice.core.duration import parse_duration
from sluice.core.ids import NamespacedName
from sluice.core.schedule import backoff, next_interval
from sluice.reconcilers.kustomization_report import (
    Turnout,
    is_lacking,
    is_outrun,
)
from sluice.reconcilers.met_quotas import met
from sluice.reconcilers.sync_facts import (
    retry_of,
)

DEPENDENCY_RETRY = 30.0
# A source that has not run yet (a restart, or one made together with the sync) is not worth a report at once.
SOURCE_PATIENCE = 3.0


@dataclass(slots=True)
class _Memory:
    """What is remembered of one sync between turns."""

    waiting_since: float | None = None
    soon_again: int = 0


class SyncSchedule:
    """When single syncs, and those of groups, have their next turn. `jitter` is a number from 0 to 1, new each time."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._memory: dict[NamespacedName, _Memory] = {}

    def forget(self, key: NamespacedName) -> None:
        """The sync is gone."""
        self._memory.pop(key, None)

    def patience(self, sync: Kustomization, turnout: Turnout) -> float:
        """Seconds for which what the turn came to is not told yet: a source may only not have run."""
        memory = self._memory_of(sync)
        if turnout.reason != "ArtifactFailed" or turnout.problems[0].cause:
            memory.waiting_since = None
            return 0.0
        if memory.waiting_since is None:
            memory.waiting_since = time.monotonic()
        return memory.waiting_since + SOURCE_PATIENCE - time.monotonic()

    def next_turn(self, sync: Kustomization, turnout: Turnout) -> float | None:
        """Seconds until the next turn, None for never."""
        if turnout.waiting:
            return DEPENDENCY_RETRY
        if turnout.stalled:
            return retry_of(sync) if _looks_outside(sync, turnout) else None
        memory = self._memory_of(sync)
        soon = turnout.reason == condition.UNDO_FAILED or is_outrun(turnout.problems)
        lacking = is_lacking(turnout.problems)
        memory.soon_again = memory.soon_again + 1 if soon or lacking else 0
        if soon:
            return backoff(memory.soon_again)
        if lacking:
            return min(backoff(memory.soon_again), retry_of(sync))
        if turnout.succeeded:
            return next_interval(parse_duration(sync.spec.interval), self._jitter())
        return retry_of(sync)

    def _memory_of(self, sync: Kustomization) -> _Memory:
        return self._memory.setdefault(sync.metadata.key, _Memory())


def _looks_outside(sync: Kustomization, turnout: Turnout) -> bool:
    """True when something that no watch tells of may let an undone revision through: a variable's value, or a quota."""
    variables = sync.spec.postBuild is not None and bool(sync.spec.postBuild.substituteFrom)
    return turnout.reason == condition.UNDONE and (variables or met(turnout.problems))
