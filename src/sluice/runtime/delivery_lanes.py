"""One lane of notifications for each provider: in order, bounded, tried again, never in the way of a sync.

A lane whose receiver hangs holds up nobody else's. A task serves it only while something waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import msgspec
import structlog

from sluice.core.codes import NOTIFY_EXPIRED, NOTIFY_OVERFLOW
from sluice.core.errors import RemoteError, SluiceError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.incident import NO_INCIDENT
from sluice.core.notification import Notification, as_one, is_expired, together
from sluice.core.problem import Problem
from sluice.core.schedule import backoff
from sluice.runtime.metrics import NOTIFICATIONS

MAX_WAITING = 1000
MAX_TOGETHER = 200
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
# Chats take about one message a second; what comes meanwhile is grouped.
CHAT_PAUSE = 1.0
NOT_LEADING_PAUSE = 1.0

log = structlog.get_logger()


class Receiver(Protocol):
    """Who sends, and who is told how that went."""

    async def send(self, notification: Notification) -> None:
        """Deliver its event. Raises RemoteError (try later) or another SluiceError (give it up)."""

    def is_chat(self, provider: NamespacedName) -> bool:
        """True for providers that people read."""

    def type_of(self, provider: NamespacedName) -> str:
        """The provider's type, for metrics."""

    def failed(self, notification: Notification, error: SluiceError, *, again: bool) -> None:
        """A notification was not delivered; it is tried again or given up."""


class Spool(Protocol):
    """Where what waits is kept beyond the end of the process."""

    async def keep(self, notifications: Sequence[Notification]) -> None:
        """Write them."""

    async def drop(self, ids: Sequence[str]) -> None:
        """Forget them."""


@dataclass(slots=True)
class _Lane:
    waiting: deque[Notification] = field(default_factory=deque)
    in_flight: int = 0


class DeliveryLanes:
    """Takes notifications; delivers each at least once, or says why not. Tasks are the given group's."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        receiver: Receiver,
        spool: Spool,
        now: Callable[[], float],
        may_send: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._group = group
        self._receiver = receiver
        self._spool = spool
        self._now = now
        self._may_send = may_send
        self._sleep = sleep
        self._lanes: dict[NamespacedName, _Lane] = {}

    async def add(self, notifications: Sequence[Notification]) -> None:
        """Keep them on disk, then queue them. A full lane loses its oldest, which is told."""
        await self._spool.keep(notifications)
        overflow = [lost.id for each in notifications if (lost := self.queue(each)) is not None]
        if overflow:
            await self._spool.drop(overflow)

    def queue(self, notification: Notification) -> Notification | None:
        """Queue one that is on disk already; returns the one that had to go for it."""
        lane = self._lanes.get(notification.provider)
        if lane is None:
            lane = self._lanes[notification.provider] = _Lane()
            self._group.create_task(self._serve(notification.provider, lane))
        lane.waiting.append(notification)
        if len(lane.waiting) <= MAX_WAITING + lane.in_flight:
            return None
        lost = lane.waiting[lane.in_flight]
        del lane.waiting[lane.in_flight]
        title = (
            f"more than {MAX_WAITING} notifications wait for Provider {notification.provider}; the oldest is dropped"
        )
        self._lose([lost], UserError(Problem(NOTIFY_OVERFLOW, title)), "dropped")
        return lost

    async def _serve(self, provider: NamespacedName, lane: _Lane) -> None:
        """Deliver what waits, until nothing does."""
        failures = 0
        while lane.waiting:
            if not self._may_send():
                await self._sleep(NOT_LEADING_PAUSE)
                continue
            chat = self._receiver.is_chat(provider)
            head = list(islice(lane.waiting, MAX_TOGETHER))
            batch = head[: together(head, chat=chat)]
            lane.in_flight = len(batch)
            pause = await self._try(provider, batch, failures)
            lane.in_flight = 0
            if pause is None:
                failures = 0
                for _ in batch:
                    lane.waiting.popleft()
                await self._spool.drop([each.id for each in batch])
                if chat:
                    await self._sleep(CHAT_PAUSE)
            else:
                failures += 1
                await self._sleep(pause)
        del self._lanes[provider]

    async def _try(self, provider: NamespacedName, batch: list[Notification], failures: int) -> float | None:
        """One attempt. Returns the pause before the next; None when the batch is done, well or not."""
        try:
            await self._receiver.send(_one_of(batch))
        except RemoteError as error:
            return self._later(batch, error, failures)
        except SluiceError as error:
            self._lose(batch, error, "failed")
        except Exception:
            log.exception("bug", provider=str(provider))
        else:
            self._count(provider, "sent")
            self._count(provider, "grouped", len(batch) - 1)
        return None

    def _later(self, batch: list[Notification], error: RemoteError, failures: int) -> float | None:
        if is_expired(batch[0], self._now()):
            title = f"a notification to Provider {batch[0].provider} was given up after a day"
            self._lose(batch, UserError(Problem(NOTIFY_EXPIRED, title, cause=str(error))), "failed")
            return None
        if failures == 0:
            self._receiver.failed(batch[0], error, again=True)
        self._count(batch[0].provider, "retried")
        wanted = getattr(error, "after", None) or 0.0
        return max(backoff(failures + 1, FIRST_PAUSE, LONGEST_PAUSE), float(wanted))

    def _lose(self, batch: Sequence[Notification], error: SluiceError, result: str) -> None:
        self._receiver.failed(batch[0], error, again=False)
        self._count(batch[0].provider, result, len(batch))

    def _count(self, provider: NamespacedName, result: str, number: int = 1) -> None:
        NOTIFICATIONS.labels(self._receiver.type_of(provider), result).inc(number)


def _one_of(batch: Sequence[Notification]) -> Notification:
    """What is sent for these. One message of many belongs to no single incident."""
    if len(batch) == 1:
        return batch[0]
    event = as_one([each.event for each in batch])
    return msgspec.structs.replace(batch[0], event=event, mark=NO_INCIDENT)
