"""Turns of one kind, guarded: whatever a turn raises is logged and counted, and the key is tried again later."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass

import structlog
from prometheus_client.core import Metric

from sluice.core.errors import ClusterError, SluiceError
from sluice.core.ids import NamespacedName
from sluice.core.problem import Problem
from sluice.core.schedule import backoff
from sluice.runtime import metrics, tracing
from sluice.runtime.queue import KeyedQueue, Turn
from sluice.runtime.scrape import gauge, scraped

BUG_RETRY = 60.0
log = structlog.get_logger()


@dataclass(slots=True)
class _Verdict:
    """What a turn has said of itself so far."""

    failed: bool = False


_VERDICT: ContextVar[_Verdict | None] = ContextVar("verdict", default=None)


def note_failure(problems: Iterable[Problem]) -> None:
    """Count the turn that runs now as failed, and what it tells people, by code."""
    verdict = _VERDICT.get()
    if verdict is not None:
        verdict.failed = True
    codes = {problem.code.number for problem in problems}
    for code in codes:
        metrics.PROBLEMS.labels(code).inc()
    tracing.worth_telling(", ".join(sorted(codes)) or "failed")


class Controller:
    """Runs `reconcile` for every key of its queue.

    A turn's log lines have its kind, namespace and name, and a `reconcileID` of its own. `name` is what the metrics of
    queues call it; the kind when it is not given.
    """

    def __init__(
        self,
        kind: str,
        reconcile: Callable[[Turn[NamespacedName]], Awaitable[float | None]],
        slots: int = 64,
        *,
        name: str = "",
    ) -> None:
        self.queue: KeyedQueue[NamespacedName] = KeyedQueue(slots)
        self._kind = kind
        self._name = name or kind.lower()  # as controller-runtime names a controller
        self._slots = slots
        self._reconcile = reconcile
        self._failures: dict[NamespacedName, int] = {}

    async def run(self) -> None:
        """Serve turns until cancelled."""
        metrics.expect_turns(self._name)
        with scraped(self._load):
            await self.queue.run(self._serve)

    async def _serve(self, turn: Turn[NamespacedName]) -> float | None:
        began = time.monotonic()
        metrics.QUEUE_ADDS.labels(self._name, self._name).inc()
        metrics.QUEUE_SECONDS.labels(self._name, self._name).observe(began - turn.due)
        verdict = _Verdict()
        _VERDICT.set(verdict)  # the turn is a task of its own, and so is its context
        who = {
            "controllerKind": self._kind,
            "namespace": turn.key.namespace,
            "name": turn.key.name,
            "reconcileID": secrets.token_hex(8),
        }
        structlog.contextvars.bind_contextvars(**who)
        with tracing.turn("reconcile", **who):
            later = await self._guarded(turn, verdict)
        took = time.monotonic() - began
        metrics.RECONCILE_SECONDS.labels(self._kind).observe(took)
        metrics.WORK_SECONDS.labels(self._name, self._name).observe(took)
        metrics.RECONCILES.labels(self._name, _result(later, verdict)).inc()
        if verdict.failed:
            metrics.RECONCILE_ERRORS.labels(self._name).inc()
        return later

    async def _guarded(self, turn: Turn[NamespacedName], verdict: _Verdict) -> float | None:
        key = turn.key
        try:
            later = await self._reconcile(turn)
        except SluiceError as error:
            # What a reconciler does not report itself is a failure to report: the status or the record was not written.
            return self._again(key, error, verdict)
        except Exception:
            verdict.failed = True
            tracing.worth_telling("bug")
            metrics.RECONCILE_PANICS.labels(self._name).inc()
            log.exception("bug")
            return BUG_RETRY
        self._failures.pop(key, None)
        return later

    def _again(self, key: NamespacedName, error: SluiceError, verdict: _Verdict) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        # A conflict means that the watch was a moment behind: the next turn sees the newer object.
        quiet = isinstance(error, ClusterError) and error.reason == "Conflict" and failures < 5
        verdict.failed = not quiet
        if not quiet:
            tracing.worth_telling(", ".join(sorted({problem.code.number for problem in error.problems})))
        report = log.debug if quiet else log.error
        report("turn failed", error=str(error))
        return 0.1 * failures if quiet else backoff(failures)

    def _load(self) -> Iterator[Metric]:
        """What the queue says of itself at a scrape."""
        load, mine = self.queue.load(), {"controller": self._name}
        both = {"name": self._name, **mine}
        yield gauge("workqueue_depth", "Turns that are due and wait for a slot.", both, load.waiting)
        yield gauge("workqueue_unfinished_work_seconds", "Seconds of all turns under way.", both, load.under_way)
        yield gauge("workqueue_longest_running_processor_seconds", "Seconds of the longest.", both, load.longest)
        yield gauge("controller_runtime_active_workers", "Turns at work.", mine, load.working)
        yield gauge("controller_runtime_max_concurrent_reconciles", "Turns at work at most.", mine, self._slots)
        yield gauge("sluice_queue_oldest_seconds", "For how long a turn has waited for a slot.", mine, load.oldest_wait)


def _result(later: float | None, verdict: _Verdict) -> str:
    """What became of the turn, in controller-runtime's words."""
    if verdict.failed:
        return "error"
    if later is None:
        return "success"
    return "requeue_after" if later > 0 else "requeue"
