"""fluxd's upstream: what is synced in flag mode is posted to a service such as fluxcloud, as fluxd did with --connect.

Events wait in memory, in order, and are tried again for a day; nothing waits for them. As with fluxd, a commit of a job
or of the automation is told when it is made, and as a release when it is synced.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

import msgspec
import structlog

from sluice.api.kustomization import Kustomization
from sluice.core.artifact import Artifact
from sluice.core.errors import RemoteError, SluiceError
from sluice.core.event import commit_of
from sluice.core.fluxd_event import FluxdEvent, Span, Synced, sync_event
from sluice.core.fluxd_job_event import PushedUpdate, pushed_event, released_event
from sluice.core.history import Past
from sluice.core.ids import NamespacedName
from sluice.core.notification import MAX_AGE
from sluice.core.schedule import backoff
from sluice.core.timestamp import rfc3339
from sluice.notify.delivery import judge
from sluice.notify.message import Request, Target, post_json
from sluice.notify.transport import Route, Transport
from sluice.reconcilers.kustomization_report import Turnout
from sluice.runtime.metrics import NOTIFICATIONS, expect_notifications

PATH = "/v6/events"
MAX_WAITING = 1000
MAX_UNSYNCED = 100
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
TYPE = "upstream"
log = structlog.get_logger()


class Upstream:
    """Give it events with `send`; `run` it to have them posted. `address` is an http or https URL."""

    def __init__(
        self,
        address: str,
        transport: Transport,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        expect_notifications(TYPE)
        self._target = Target(TYPE, address)
        self._transport = transport
        self._now = now
        self._sleep = sleep
        self._waiting: asyncio.Queue[tuple[float, FluxdEvent]] = asyncio.Queue(MAX_WAITING)
        self._told: dict[NamespacedName, str] = {}
        self._unsynced: deque[tuple[datetime, PushedUpdate]] = deque(maxlen=MAX_UNSYNCED)

    def send(self, event: FluxdEvent) -> None:
        """Post it when there is time. What is too much is dropped, and counted."""
        try:
            self._waiting.put_nowait((self._now().timestamp(), event))
        except asyncio.QueueFull:
            NOTIFICATIONS.labels(TYPE, "dropped").inc()

    def pushed(self, update: PushedUpdate) -> None:
        """Tell of a commit of ours, and of what it releases once it is synced, which may be so already."""
        now = self._now()
        self.send(pushed_event(update, Span(rfc3339(now), rfc3339(now))))
        if update.commit in {commit_of(revision) for revision in self._told.values()}:
            self._released([update], now)
        else:
            self._unsynced.append((now, update))

    def _released(self, updates: list[PushedUpdate], started: datetime) -> None:
        span = Span(rfc3339(started), rfc3339(self._now()))
        for event in (released_event(each, span) for each in updates):
            if event is not None:
                self.send(event)

    def _included(self, commit: str, started: datetime) -> list[PushedUpdate]:
        """Take the updates that a sync of this commit has: its own, and those that were pushed before it began."""
        found = [(at, each) for at, each in self._unsynced if each.commit == commit or at <= started]
        for item in found:
            self._unsynced.remove(item)
        return [each for _, each in found]

    def synced(
        self,
        sync: Kustomization,
        turnout: Turnout,
        artifact: Artifact | None,
        past: tuple[Past, ...],
        started: datetime,
    ) -> None:
        """Tell what became of a revision, once. An earlier process has told what is in the past and changed nothing."""
        key, revision = sync.metadata.key, turnout.revision
        if turnout.waiting or not revision or self._told.get(key) == revision:
            return
        changed = tuple(each.id for each in turnout.outcomes if each.result != "unchanged")
        known = [each.revision for each in past]
        first = key not in self._told
        self._told[key] = revision
        if first and revision in known and not changed and turnout.succeeded:
            return
        commit = commit_of(revision) or revision
        updates = self._included(commit, started)
        synced = Synced(
            commit,
            artifact.subject if artifact is not None and str(artifact.revision) == revision else turnout.subject,
            changed,
            turnout.problems,
            _kinds(updates, artifact),
            initial=first and not [each for each in known if each != revision],
        )
        self.send(sync_event(synced, Span(rfc3339(started), rfc3339(self._now()))))
        self._released(updates, started)

    async def run(self) -> None:
        """Post what waits, in order, until cancelled."""
        while True:
            made_at, event = await self._waiting.get()
            failures = 0
            while (pause := await self._try(event, made_at, failures)) is not None:
                failures += 1
                await self._sleep(pause)

    async def _try(self, event: FluxdEvent, made_at: float, failures: int) -> float | None:
        """One attempt. Returns the pause before the next; None when it is done, well or not."""
        try:
            await self._post(event)
        except RemoteError as error:
            if self._now().timestamp() - made_at <= MAX_AGE:
                if failures == 0:
                    log.warning("upstream", type=event.type, error=str(error), again=True)
                NOTIFICATIONS.labels(TYPE, "retried").inc()
                return max(backoff(failures + 1, FIRST_PAUSE, LONGEST_PAUSE), float(getattr(error, "after", 0) or 0))
            self._given_up(event, error)
        except SluiceError as error:
            self._given_up(event, error)
        else:
            NOTIFICATIONS.labels(TYPE, "sent").inc()
        return None

    async def _post(self, event: FluxdEvent) -> None:
        request = self._request(event)
        judge(await self._transport.send(request, Route()), request, self._target)

    def _request(self, event: FluxdEvent) -> Request:
        return post_json(self._target.need_address().rstrip("/") + PATH, msgspec.to_builtins(event))

    def _given_up(self, event: FluxdEvent, error: SluiceError) -> None:
        NOTIFICATIONS.labels(TYPE, "failed").inc()
        log.warning("upstream", type=event.type, error=str(error), again=False)


def _kinds(updates: Iterable[PushedUpdate], artifact: Artifact | None) -> tuple[str, ...]:
    """What kinds of commits a sync has, where that is known."""
    kinds = {each.included_as for each in updates}
    if not kinds and artifact is not None and artifact.updated_by:
        return ("autorelease",)  # of an earlier process, or of an automation elsewhere
    return tuple(sorted(kinds))
