"""Leases on the real API server: of two candidates one holds, and losing is noticed in time."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sluice.kube.client import KubeClient
from sluice.kube.config import ClusterAccess
from sluice.kube.lease import LEASES, Candidate, LeaseName, LeaseTiming, acquire_all, holder, read_lease
from tests.contract.kube.wires import Relay, through_relay

pytestmark = pytest.mark.cluster

# Of one that is to run out in the test, and of one that must not, however long the machine takes.
SHORT = LeaseTiming(duration=2.0, renew_deadline=1.5, retry_period=0.2)
LONG = LeaseTiming(duration=120.0, renew_deadline=90.0, retry_period=0.2)


def candidate(client: KubeClient, namespace: str, me: str, timing: LeaseTiming = LONG) -> Candidate:
    return Candidate(client, LeaseName(namespace, "leader", me), timing)


async def test_of_two_candidates_one_holds(client: KubeClient, namespace: str) -> None:
    candidates = [candidate(client, namespace, f"c{index}") for index in range(8)]
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(one.try_acquire()) for one in candidates]
    assert sum(task.result() for task in tries) == 1
    winner = next(one for one, task in zip(candidates, tries, strict=True) if task.result())
    assert winner.holds()
    assert await holder(client, namespace, "leader", dt.datetime.now(dt.UTC)) == winner.holder
    for one in candidates:
        if one is not winner:
            assert not await one.try_acquire()
            assert one.holder == winner.holder
            assert not one.holds()


async def test_a_released_lease_is_taken_at_once_and_a_silent_holders_after_its_duration(
    client: KubeClient, namespace: str
) -> None:
    first, third = (candidate(client, namespace, name) for name in ("first", "third"))
    second = candidate(client, namespace, "second", SHORT)
    assert await first.try_acquire()
    assert not await second.try_acquire()
    await first.release()
    assert not first.holds()
    assert await second.try_acquire()
    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.timeout(60):
        await acquire_all([third])
    assert clock() - began >= SHORT.duration
    lease = await read_lease(client, namespace, "leader")
    assert lease is not None
    assert (lease.holder, lease.spec.lease_transitions) == ("third", 2)
    assert not second.holds()


async def test_the_leases_of_one_dead_holder_run_out_together_and_none_is_lost_while_the_next_is_waited_for(
    client: KubeClient, namespace: str
) -> None:
    def of(me: str, timing: LeaseTiming) -> list[Candidate]:
        return [Candidate(client, LeaseName(namespace, name, me), timing) for name in ("a", "b", "c")]

    dead, heir = of("dead", SHORT), of("heir", LONG)
    await acquire_all(dead)
    told: list[str] = []
    async with asyncio.timeout(60):
        await acquire_all(heir, told.append)
    assert told == ["dead"]
    assert all(one.holds() for one in heir)
    leases = [await read_lease(client, namespace, name) for name in ("a", "b", "c")]
    assert [lease.spec.lease_transitions for lease in leases if lease is not None] == [1, 1, 1]


async def test_of_two_who_want_the_same_leases_one_gets_all_of_them(client: KubeClient, namespace: str) -> None:
    def of(me: str) -> list[Candidate]:
        return [Candidate(client, LeaseName(namespace, name, me), LONG) for name in ("a", "b", "c")]

    both = [of("one"), of("two")]
    tries = [asyncio.create_task(acquire_all(candidates)) for candidates in both]
    await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED, timeout=60)
    assert sum(task.done() for task in tries) == 1
    for task, candidates in zip(tries, both, strict=True):
        assert all(one.holds() for one in candidates) == task.done()
        task.cancel()


async def test_a_holder_keeps_its_lease_for_one_request_each_time(client: KubeClient, namespace: str) -> None:
    one, other = candidate(client, namespace, "one"), candidate(client, namespace, "other")
    assert await one.try_acquire()
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(one.keep())
        versions = set()
        for _ in range(15):
            await asyncio.sleep(0.2)
            lease = await read_lease(client, namespace, "leader")
            assert lease is not None
            versions.add(lease.metadata.resource_version)
            assert not await other.try_acquire()
        assert one.holds()
        assert len(versions) >= 5
        keeping.cancel()


async def test_a_holder_that_is_overruled_says_by_whom(client: KubeClient, namespace: str) -> None:
    one = candidate(client, namespace, "one")
    assert await one.try_acquire()
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(one.keep())
        await client.merge_patch(LEASES, namespace, "leader", b'{"spec":{"holderIdentity":"usurper"}}')
    assert keeping.result() == "it is held by usurper"
    assert not one.holds()


@pytest.fixture
async def far(access: ClusterAccess) -> AsyncIterator[tuple[Relay, KubeClient]]:
    async with through_relay(access) as (relay, client):
        yield relay, client


@pytest.mark.parametrize("how", ["refused", "silent"])
async def test_a_holder_that_can_not_renew_gives_up_before_its_lease_runs_out(
    far: tuple[Relay, KubeClient], namespace: str, how: str
) -> None:
    relay, client = far
    timing = replace(SHORT, duration=60.0)
    one = candidate(client, namespace, "one", timing)
    assert await one.try_acquire()
    clock = asyncio.get_running_loop().time
    began = clock()
    if how == "silent":
        relay.silent = True
    else:
        relay.refuse = True
        relay.cut()
    why = await one.keep()
    assert timing.renew_deadline - 0.3 <= clock() - began < timing.duration
    assert not one.holds()
    assert "did not answer" in why


async def test_who_holds_another_controllers_lease_can_be_read(client: KubeClient, namespace: str) -> None:
    now = dt.datetime.now(dt.UTC)
    assert await holder(client, namespace, "kustomize-controller-leader-election", now) == ""
    flux = Candidate(client, LeaseName(namespace, "kustomize-controller-leader-election", "flux-pod_1"))
    assert await flux.try_acquire()
    assert await holder(client, namespace, "kustomize-controller-leader-election", now) == "flux-pod_1"
    assert await holder(client, namespace, "kustomize-controller-leader-election", now + dt.timedelta(hours=1)) == ""
