"""What small kinds have in common (of images, and Receiver): which object is due, and how the end of its turn is told.

Conditions, events and the fields beside them are Flux's: an event when an object becomes ready, when what its Ready
says changes, and when it fails; nothing for a turn that found all as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

import structlog

from sluice.api.image_policy import ImagePolicy
from sluice.api.image_repository import ImageRepository
from sluice.api.image_update_automation import ImageUpdateAutomation
from sluice.api.kinds import FINALIZER
from sluice.api.problem_status import problem_status
from sluice.api.receiver import Receiver
from sluice.core import condition
from sluice.core.errors import SluiceError
from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.problem import Problem, cause_of, summarize
from sluice.core.schedule import backoff
from sluice.core.timestamp import rfc3339
from sluice.kube.resource import Resource, Selection
from sluice.kube.watch import STANDING
from sluice.kube.watch_cache import WatchCache
from sluice.reconcilers.long_requests import tell_long_requests
from sluice.reconcilers.operator import FinalizerPatches, Operator
from sluice.runtime.controller import note_failure
from sluice.runtime.event_recorder import EventRecorder, Subject
from sluice.runtime.status_writer import StatusWriter

T = TypeVar("T", ImageRepository, ImagePolicy, ImageUpdateAutomation, Receiver)
log = structlog.get_logger()


class ReportedKind(Generic[T]):
    """The objects of one kind, and the places where what becomes of them is told."""

    def __init__(
        self,
        operator: Operator,
        selection: Selection,
        item_type: type[T],
        events: EventRecorder,
        controller: str,
    ) -> None:
        self.objects: WatchCache[T] = WatchCache(operator.client, selection, item_type, policy=STANDING)
        self.resource: Resource = selection.resource
        self._status = StatusWriter(operator.client, selection.resource, controller, operator.intents)
        self._finalizers = FinalizerPatches(operator.client, selection.resource)
        self._events = events
        self._told = operator.told
        self._now = operator.now
        self._failures: dict[NamespacedName, int] = {}
        self.objects.subscribe(tell_long_requests(events, selection.resource))

    async def due(self, key: NamespacedName) -> T | None:
        """The object that is to be acted on; None when it is gone, going (then it is let go) or suspended."""
        item = self.objects.get(key.namespace, key.name)
        if item is None or item.metadata.deletionTimestamp:
            self._failures.pop(key, None)
            self._status.forget(key)
            if item is None:
                self._finalizers.forget(key)
            elif self._finalizers.is_on(item.metadata):
                await self._finalizers.remove(item.metadata)
                self._events.forget(item.metadata.uid)
            return None
        if FINALIZER not in item.metadata.finalizers:
            await self._finalizers.add(item.metadata)
        return None if item.spec.suspend else item

    def is_gone(self, key: NamespacedName) -> bool:
        """True when what was kept for the object can go."""
        item = self.objects.get(key.namespace, key.name)
        return item is None or bool(item.metadata.deletionTimestamp)

    def id_of(self, item: T) -> ResourceId:
        """The object's resource id."""
        return self.resource.id_of(item.metadata.namespace, item.metadata.name)

    async def succeeded(self, item: T, message: str, fields: Mapping[str, Any], *, told: str = "") -> None:
        """Ready, with these fields of the status. `told` is the event in place of the message: it is sent always."""
        self._failures.pop(item.metadata.key, None)
        conditions = condition.succeeded(item.status.conditions, message, self._stamp(item), condition.SUCCEEDED)
        before = condition.find_condition(item.status.conditions, condition.READY)
        if told or before is None or (before.status, before.message) != ("True", message):
            self._events.record(self._subject(item), "Normal", condition.SUCCEEDED, told or message)
        await self._write(item, conditions, fields, (), final=True)

    async def noted(self, item: T, fields: Mapping[str, Any]) -> None:
        """Write fields of the status in the middle of a turn: what must be known before the turn goes on."""
        await self._status.write(item.metadata.key, fields, item.status)

    async def failed(self, item: T, reason: str, error: SluiceError, limit: float) -> float:
        """Not ready, and tried again: returns in how many seconds, at most `limit`."""
        failures = self._failures[item.metadata.key] = self._failures.get(item.metadata.key, 0) + 1
        told = _told(error)
        conditions = condition.failed(item.status.conditions, reason, summarize(told), self._stamp(item))
        self._warn(item, reason, told)
        await self._write(item, conditions, {}, told, final=False)
        return min(backoff(failures), max(limit, 1.0))

    async def stalled(self, item: T, reason: str, error: SluiceError) -> None:
        """Not ready until somebody changes the object."""
        told = _told(error)
        conditions = condition.stalled(item.status.conditions, reason, summarize(told), self._stamp(item))
        self._warn(item, reason, told)
        await self._write(item, conditions, {}, told, final=True)

    async def _write(
        self,
        item: T,
        conditions: condition.Conditions,
        fields: Mapping[str, Any],
        problems: tuple[Problem, ...],
        *,
        final: bool,
    ) -> None:
        status = {
            "conditions": conditions,
            "problem": problem_status(problems, item.status.problem, rfc3339(self._now())),
            "lastHandledReconcileAt": item.metadata.request or None,
            **({"observedGeneration": item.metadata.generation} if final else {}),
            **fields,
        }
        # Before the status: once it says that this is done, no later process would tell it.
        await self._told()
        await self._status.write(item.metadata.key, status, item.status)

    def _warn(self, item: T, reason: str, problems: tuple[Problem, ...]) -> None:
        note_failure(problems)
        text = summarize(problems)
        self._events.record(self._subject(item), "Warning", reason, text, cause=cause_of(problems))
        log.warning("turn ended without success", reason=reason, error=text)

    def _subject(self, item: T) -> Subject:
        return Subject.of(self.resource.api_version, self.resource.kind, item.metadata)

    def _stamp(self, item: T) -> condition.Stamp:
        return condition.Stamp(item.metadata.generation, rfc3339(self._now()))


def _told(error: SluiceError) -> tuple[Problem, ...]:
    """The problems, each with the field that it is about: a spec has several patterns that could be meant."""
    return tuple(_with_field(problem) for problem in error.problems)


def _with_field(problem: Problem) -> Problem:
    if not problem.field or problem.field in problem.title:
        return problem
    return replace(problem, title=f"{problem.field}: {problem.title}")
