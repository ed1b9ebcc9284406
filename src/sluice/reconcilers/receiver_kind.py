"""Receivers as one part of a running operator: their watch, their turns, and who wakes them."""

from __future__ import annotations

import asyncio

from sluice.api.receiver import Receiver
from sluice.kube.resource import Selection
from sluice.kube.watch import EventType
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.our_kinds import RECEIVERS
from sluice.reconcilers.receiver import ReceiverReconciler
from sluice.reconcilers.receivers import Receivers
from sluice.reconcilers.reported_kind import ReportedKind
from sluice.reconcilers.served_kinds import follow_all
from sluice.reconcilers.wakeups import asks_for_a_turn
from sluice.runtime.controller import Controller
from sluice.runtime.event_recorder import EventRecorder

CONTROLLER = "notification-controller"


class ReceiverKind:
    """Build it, then `start` it in the operator's task group."""

    def __init__(self, operator: Operator, receivers: Receivers, namespace: str) -> None:
        self._events = EventRecorder(operator.client, CONTROLLER, operator.now)
        selection = Selection(RECEIVERS, namespace)
        gotk = f"gotk-{CONTROLLER}"
        self.kind = ReportedKind(operator, selection, Receiver, self._events, gotk)
        self._controller = Controller("Receiver", ReceiverReconciler(operator, self.kind, receivers).reconcile)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start its tasks; returns once its cache is true and turns are being served."""
        group.create_task(self._events.run())
        await follow_all(group, (self.kind.objects, RECEIVERS))
        self.kind.objects.subscribe(self._changed)
        group.create_task(self._controller.run())

    def _changed(self, event: EventType, item: Receiver, old: Receiver | None) -> None:
        if old is None or event is EventType.DELETED or asks_for_a_turn(item.metadata, old.metadata):
            self._controller.queue.add(item.metadata.key)
