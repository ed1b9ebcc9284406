"""Leases (coordination.k8s.io/v1): who may act. What to do is a pure function of what was seen; writes are swaps.

Clocks of different machines are never compared to decide: a lease counts as expired when it has not changed for its
duration *as watched from here*. Every write carries the resourceVersion that was read, so two candidates can't both
take it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from sluice.core.errors import ClusterError, SluiceError
from sluice.kube.client import KubeClient
from sluice.kube.errors import Asked, unreadable
from sluice.kube.resource import Resource

LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
MANAGER = "sluice"


class LeaseMeta(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The metadata that a swap carries back."""

    name: str
    namespace: str
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class LeaseSpec(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who holds it and for how many seconds; times are RFC 3339 with microseconds, in the holder's clock."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(msgspec.Struct, frozen=True, rename="camel"):
    """The object."""

    metadata: LeaseMeta
    spec: LeaseSpec = LeaseSpec()
    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"

    @property
    def holder(self) -> str:
        """The holder's identity; empty when it was released."""
        return self.spec.holder_identity or ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A lease as it was read, and since when (our monotonic clock) it has been exactly so. None is "no such lease"."""

    lease: Lease | None
    since: float


class Decision(enum.Enum):
    """What a candidate does now."""

    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"


def decide(seen: Seen, me: str, now: float) -> Decision:
    """What the candidate `me` does at `now` (the clock of `seen.since`): pure, the same answer for the same facts."""
    lease = seen.lease
    if lease is None:
        return Decision.CREATE
    if lease.holder == me:
        return Decision.RENEW
    if not lease.holder or now >= seen.since + (lease.spec.lease_duration_seconds or 0):
        return Decision.TAKE
    return Decision.WAIT


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """Seconds: how long a lease lasts, when a holder that could not renew gives up, and how often it is renewed."""

    duration: float = 35.0
    renew_deadline: float = 30.0
    retry_period: float = 5.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_period < self.renew_deadline < self.duration:
            raise ValueError("a lease needs retry period < renew deadline < duration")


@dataclass(frozen=True, slots=True)
class LeaseName:
    """The lease, and who we are in it."""

    namespace: str
    name: str
    identity: str


class Candidate:
    """One candidate for one lease: `acquire_all`, then `keep` until it answers that it is lost, or `release`."""

    def __init__(
        self,
        client: KubeClient,
        lease: LeaseName,
        timing: LeaseTiming | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not lease.identity:
            raise ValueError("a lease's holder needs an identity")
        self._client = client
        self._lease = lease
        self._timing = timing or LeaseTiming()
        self._clock = clock
        self._seen = Seen(None, clock())
        self._renewed_at = float("-inf")

    @property
    def retry_period(self) -> float:
        """Seconds between two looks at it."""
        return self._timing.retry_period

    @property
    def holder(self) -> str:
        """Who held it when it was last read."""
        return self._seen.lease.holder if self._seen.lease is not None else ""

    def holds(self) -> bool:
        """True while we may act: we hold it, and the renew deadline has not passed."""
        fresh = self._clock() < self._renewed_at + self._timing.renew_deadline
        return fresh and self.holder == self._lease.identity

    async def look(self) -> None:
        """Note who holds it, and since when; take nothing. Raises ClusterError."""
        lease = await read_lease(self._client, self._lease.namespace, self._lease.name)
        if lease is None or self._seen.lease is None or lease.spec != self._seen.lease.spec:
            # As of the answer: the request may have been long on its way, and the holder have renewed until it arrived.
            self._seen = Seen(lease, self._clock())
        else:
            self._seen = Seen(lease, self._seen.since)  # metadata may have changed

    async def try_acquire(self) -> bool:
        """Look once, and take or renew the lease if that is due. Raises ClusterError; a lost race is just False."""
        now = self._clock()
        await self.look()
        decision = decide(self._seen, self._lease.identity, now)
        if decision is Decision.WAIT:
            return False
        return await self._swap(decision, now)

    async def keep(self) -> str:
        """Renew until the lease is lost, and answer why, no later than the renew deadline."""
        why = ""
        while True:
            await asyncio.sleep(min(self._timing.retry_period, max(self.seconds_left(), 0.0)))
            if self.seconds_left() <= 0:
                return why or "it could not be renewed in time"
            try:
                async with asyncio.timeout(self.seconds_left()):
                    if not await self._renew():
                        return self._whose()
            except TimeoutError:
                why = "the API server did not answer in time"
            except SluiceError as error:
                why = str(error)

    async def release(self) -> None:
        """Give the lease up, if it is ours, so that another can take it at once."""
        if self.holder != self._lease.identity or self._seen.lease is None:
            return
        self._renewed_at = float("-inf")
        lease = self._seen.lease
        spec = msgspec.structs.replace(lease.spec, holder_identity="", lease_duration_seconds=1, renew_time=_now())
        await self._write(lease, spec)

    def _whose(self) -> str:
        if self._seen.lease is None:
            return f"Lease {self._lease.namespace}/{self._lease.name} was deleted, perhaps with its namespace"
        return f"it is held by {self.holder or 'nobody'}"

    def seconds_left(self) -> float:
        """For how long we surely hold it, without another renewal; not positive when we may not act any more."""
        return self._renewed_at + self._timing.renew_deadline - self._clock()

    async def _renew(self) -> bool:
        """Renew with what is in hand; read only after a conflict, so that a held lease costs one request."""
        now = self._clock()
        if await self._swap(Decision.RENEW, now):
            return True
        await self.look()
        return self.holder == self._lease.identity and await self._swap(Decision.RENEW, now)

    async def _swap(self, decision: Decision, now: float) -> bool:
        """Write the lease as ours; False when somebody else was faster."""
        before = self._seen.lease
        spec = self._spec(decision, before)
        try:
            after = await self._create(spec) if before is None else await self._write(before, spec)
        except ClusterError as error:
            if error.status == 409 or (error.status == 404 and before is not None):
                return False
            raise
        self._seen = Seen(after, now)
        self._renewed_at = now  # as of before the request: the lease may not outlive what others see
        return True

    def _spec(self, decision: Decision, before: Lease | None) -> LeaseSpec:
        seconds = max(1, int(self._timing.duration))
        now = _now()
        if decision is Decision.RENEW and before is not None:
            return msgspec.structs.replace(before.spec, renew_time=now, lease_duration_seconds=seconds)
        transitions = 0 if before is None else (before.spec.lease_transitions or 0) + 1
        return LeaseSpec(self._lease.identity, seconds, now, now, transitions)

    async def _create(self, spec: LeaseSpec) -> Lease:
        lease = Lease(LeaseMeta(self._lease.name, self._lease.namespace), spec)
        body = msgspec.json.encode(lease)
        answer = await self._client.create(LEASES, self._lease.namespace, body, manager=MANAGER)
        return _decode(answer, self._client, self._lease.namespace, self._lease.name)

    async def _write(self, before: Lease, spec: LeaseSpec) -> Lease:
        namespace, name = self._lease.namespace, self._lease.name
        body = msgspec.json.encode(Lease(before.metadata, spec))
        answer = await self._client.replace(LEASES, namespace, name, body, manager=MANAGER)
        after = _decode(answer, self._client, namespace, name)
        self._seen = Seen(after, self._clock())
        return after


async def acquire_all(
    candidates: Sequence[Candidate],
    waiting: Callable[[str], None] = lambda holder: None,
    failing: Callable[[str], None] = lambda why: None,
) -> None:
    """Wait until every lease is ours; errors of the API server that may pass are waited out.

    They are taken in their order, so that two of us never wait for each other. What is held is renewed while the next
    is waited for, and all are watched from the beginning: leases of one dead holder run out together. `waiting` is told
    each new holder that is waited for, `failing` each new reason for which one can't be looked at or written now.
    """
    told, why = None, ""

    def passing(error: ClusterError) -> None:
        nonlocal why
        if str(error) != why:
            why = str(error)
            failing(why)

    while (missing := await _first_missing(candidates, passing)) is not None:
        if missing.holder != told:
            told = missing.holder
            waiting(told)
        await asyncio.sleep(missing.retry_period)


async def _first_missing(candidates: Sequence[Candidate], passing: Callable[[ClusterError], None]) -> Candidate | None:
    """Take or renew one after the other as far as that goes; those behind are only looked at."""
    missing: Candidate | None = None
    for candidate in candidates:
        try:
            if missing is not None:
                await candidate.look()
            elif not await candidate.try_acquire():
                missing = candidate
        except ClusterError as error:
            if not error.is_temporary:
                raise
            passing(error)
            missing = missing or candidate
    return missing


async def read_lease(client: KubeClient, namespace: str, name: str) -> Lease | None:
    """The lease as it is; None when there is none. So is read who holds another controller's lease."""
    body = await client.get(LEASES, namespace, name)
    return None if body is None else _decode(body, client, namespace, name)


async def holder(client: KubeClient, namespace: str, name: str, now: dt.datetime) -> str:
    """Who holds the lease at `now`; empty when nobody does or it has run out (by more than a minute, as clocks go)."""
    lease = await read_lease(client, namespace, name)
    if lease is None or not lease.holder:
        return ""
    try:
        renewed = dt.datetime.fromisoformat(lease.spec.renew_time or "")
    except ValueError:
        return lease.holder
    if renewed.tzinfo is None:
        return lease.holder
    lasts = dt.timedelta(seconds=(lease.spec.lease_duration_seconds or 0) + 60)
    return "" if now > renewed + lasts else lease.holder


def _decode(body: bytes, client: KubeClient, namespace: str, name: str) -> Lease:
    try:
        return msgspec.json.decode(body, type=Lease)
    except msgspec.MsgspecError as error:
        raise unreadable(Asked(client.access.server, LEASES.id_of(namespace, name)), str(error)) from error


def _now() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
