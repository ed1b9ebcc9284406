"""One leader at a time: whoever lost the Lease, or can't know that it still has it, sends nothing more."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import FreshCluster
from devcluster.git_http import GitHttpServer
from tests.faults.fault_proxy import Asked, Fault, refuse
from tests.faults.lane import open_lane
from tests.faults.oracle import owned_by, record_of
from tests.faults.replicas import OURS, Replica, lease_path, open_replicas
from tests.operator_fixture import PATIENCE, Bench, Json, Sync, config_map, install_crds, poll

FLUX = "kustomize-controller-leader-election"
MANY = 30


@dataclass
class Pair:
    """Two replicas of one installation; `old` leads first."""

    bench: Bench
    old: Replica
    new: Replica

    def lease_path(self, name: str = OURS) -> str:
        """A Lease of theirs."""
        return lease_path(self.bench, name)

    def lease(self, name: str = OURS) -> Json:
        """It as it is."""
        found = self.bench.api.get(self.lease_path(name))
        assert found is not None
        return found

    def holder(self, name: str = OURS) -> str:
        """Who has it."""
        return str(self.lease(name)["spec"].get("holderIdentity", ""))


@pytest.fixture
def pair(cluster: Cluster, crds: None, tmp_path: Path) -> Iterator[Pair]:
    with (
        GitHttpServer(tmp_path / "git") as git,
        open_replicas(cluster, git, tmp_path, ("old", "new"), ("quick-lease",)) as (bench, (old, new)),
    ):
        yield Pair(bench, old, new)


def files(value: str) -> dict[str, str]:
    return {f"{n}.yaml": config_map(f"c{n}", value) for n in range(MANY)}


def led(pair: Pair) -> Sync:
    """A sync that `old` has brought to its first revision; `new` stands by."""
    pair.old.operator.start()
    pair.old.operator.wait_ready()
    sync = pair.bench.synced(files("1"))
    pair.new.operator.start()
    pair.new.wait_waiting()
    return sync


def values(sync: Sync) -> set[str]:
    return {sync.config(f"c{n}")["data"]["key"] for n in range(MANY)}


def stopped_half_way(pair: Pair, sync: Sync) -> str:
    """`old` is stopped in the middle of the second revision; `new` takes over and finishes it."""

    def stop(asked: Asked) -> Fault | None:
        middle = asked.number == MANY // 2 and "/configmaps/" in asked.path
        return Fault(before=pair.old.operator.pause) if middle else None

    pair.old.proxy.arm(stop)
    revision = sync.push(files("2"))
    pair.new.operator.wait_ready()
    sync.wait_ready(revision)
    return revision


def test_a_leader_that_was_stopped_longer_than_its_lease_sends_nothing_when_it_wakes(pair: Pair) -> None:
    sync = led(pair)
    stopped_half_way(pair, sync)
    pair.old.proxy.settle()
    sent = pair.old.sent
    pair.old.operator.resume()
    pair.old.wait_ended()
    assert pair.old.sent == sent
    assert values(sync) == {"2"}


@pytest.mark.soak
def test_what_a_stopped_leader_had_in_flight_is_put_right_by_the_new_one(pair: Pair) -> None:
    sync = led(pair)

    def hold(asked: Asked) -> Fault | None:
        if asked.number == MANY // 2 and "/configmaps/" in asked.path:
            return Fault(before=pair.old.operator.pause, delay=6.0)
        return None

    pair.old.proxy.arm(hold)
    sync.push(files("2"))
    pair.new.operator.wait_ready()
    revision = sync.push(files("3"))
    sync.wait_ready(revision)
    pair.old.proxy.settle()
    poll("every object is at the newest revision", lambda: values(sync) == {"3"})
    record = record_of(pair.bench.api, sync)
    assert record is not None
    assert record.revision == revision
    assert len(record.inventory) == MANY


def test_a_leader_that_can_not_renew_gives_up_before_its_lease_runs_out_though_all_else_works(pair: Pair) -> None:
    sync = led(pair)
    pair.old.proxy.arm(lambda asked: refuse(500, "InternalError") if "/leases/" in asked.path else None)
    pair.old.wait_ended()
    sent = pair.old.sent
    pair.new.operator.wait_ready()
    sync.wait_ready(sync.push(files("2")))
    assert pair.old.sent == sent


@pytest.mark.soak
def test_a_lease_that_was_deleted_is_made_again_and_one_replica_leads(pair: Pair) -> None:
    sync = led(pair)
    pair.old.proxy.arm()
    pair.bench.api.delete(pair.lease_path())
    poll("the Lease is back", lambda: pair.bench.api.get(pair.lease_path()))
    sync.wait_ready(sync.push(files("2")))
    leads = pair.holder()
    assert leads in {"old", "new"}
    other = pair.new if leads == "old" else pair.old
    assert other.sent == 0


@pytest.mark.soak
def test_a_leader_whose_lease_was_given_to_a_stranger_stops_and_nobody_writes_until_that_one_is_silent(
    pair: Pair,
) -> None:
    sync = led(pair)
    pair.bench.api.patch(pair.lease_path(), {"spec": {"holderIdentity": "stranger", "leaseDurationSeconds": 4}})
    pair.old.wait_ended()
    assert pair.holder() == "stranger"
    assert pair.new.sent == 0
    revision = sync.push(files("2"))
    pair.new.operator.wait_ready()
    sync.wait_ready(revision)
    assert pair.holder() == "new"


def test_while_flux_holds_its_own_lease_nothing_is_written_and_who_holds_it_is_said(pair: Pair) -> None:
    now = "2030-01-01T00:00:00.000000Z"
    spec = {"holderIdentity": "flux-7f", "leaseDurationSeconds": 600, "acquireTime": now, "renewTime": now}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": FLUX}, "spec": spec}
    pair.bench.api.create(pair.lease_path().rpartition("/")[0], lease)
    sync = pair.bench.source()
    revision = sync.commit(files("1"))
    sync.create_source()
    sync.create()
    pair.old.operator.start()
    pair.old.wait_waiting()
    assert any(e.get("holder") == "flux-7f" for e in pair.old.operator.said())
    assert pair.old.sent == 0
    pair.bench.api.patch(pair.lease_path(FLUX), {"spec": {"holderIdentity": ""}})
    pair.old.operator.wait_ready()
    sync.wait_ready(revision)


@pytest.mark.soak
def test_a_leader_that_is_asked_to_end_in_the_middle_lets_go_and_the_next_one_finishes(pair: Pair) -> None:
    sync = led(pair)

    def end(asked: Asked) -> Fault | None:
        middle = asked.number == MANY // 2 and "/configmaps/" in asked.path
        return Fault(before=pair.old.operator.terminate) if middle else None

    pair.old.proxy.arm(end)
    revision = sync.push(files("2"))
    assert pair.old.operator.wait_dead(PATIENCE)
    assert pair.old.operator.exit_code == 0
    assert pair.holder() != "old", "the Lease was not given back"
    pair.new.operator.wait_ready()
    sync.wait_ready(revision)
    assert values(sync) == {"2"}


@pytest.mark.soak
def test_etcd_stopped_for_longer_than_a_lease_ends_the_leader_and_the_next_life_finishes(
    fresh_cluster: FreshCluster, tmp_path: Path
) -> None:
    cluster = fresh_cluster(nodes=0, audit=True)
    install_crds(cluster)
    with (
        GitHttpServer(tmp_path / "git") as git,
        open_lane(cluster, git, tmp_path, ("quick-lease",)) as lane,
    ):
        sync = lane.bench.synced(files("1"))
        etcd = cluster.pid("etcd")

        def stop(asked: Asked) -> Fault | None:
            middle = asked.number == MANY // 2 and "/configmaps/" in asked.path
            return Fault(before=lambda: os.kill(etcd, signal.SIGSTOP)) if middle else None

        lane.proxy.arm(stop)
        revision = sync.push(files("2"))
        try:
            assert lane.operator.wait_dead(30), "it goes on without its lease"
        finally:
            os.kill(etcd, signal.SIGCONT)
        assert "the lease was lost" in lane.operator.tail()
        lane.proxy.settle()
        lane.proxy.arm()
        lane.operator.start()
        sync.wait_ready(revision, seconds=60)
        assert values(sync) == {"2"}


@pytest.mark.soak
def test_f130_stopped_while_it_prunes_and_etcd_stands_still_the_other_ends_it_and_deletes_nothing_else(
    pair: Pair,
) -> None:
    sync = led(pair)
    place, labels = sync.at("configmaps", "theirs"), sync.config("c0")["metadata"]["labels"]
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "labels": labels}, "data": {}}
    uid = pair.bench.api.create(place.rpartition("/")[0], theirs)["metadata"]["uid"]
    etcd = pair.bench.cluster.pid("etcd")

    def stand_still() -> None:
        pair.old.operator.pause()
        os.kill(etcd, signal.SIGSTOP)

    stopped: list[str] = []

    def stop(asked: Asked) -> Fault | None:
        if asked.method != "DELETE" or stopped:
            return None
        stopped.append(asked.path)
        return Fault(before=stand_still)

    pair.old.proxy.arm(stop)
    left = MANY // 2
    try:
        revision = sync.push(dict.fromkeys(f"{n}.yaml" for n in range(left, MANY)))
        poll("it stands still", lambda: stopped)
        time.sleep(4.0)  # longer than a lease: nobody can renew one, or take one
    finally:
        os.kill(etcd, signal.SIGCONT)
    pair.new.operator.wait_ready()
    sync.wait_ready(revision, seconds=60)
    pair.old.proxy.settle()
    before = owned_by(pair.bench.api, sync)
    sent = pair.old.sent
    pair.old.operator.resume()
    pair.old.wait_ended()
    pair.old.proxy.settle()
    late = pair.old.proxy.numbered[sent:]
    assert not [w for w in late if w.forwarded and w.status < 400], "what it had under way still took effect"
    assert owned_by(pair.bench.api, sync) == before
    assert {n for n in range(MANY) if sync.live("configmaps", f"c{n}")} == set(range(left))
    assert sync.config("theirs")["metadata"]["uid"] == uid
    record = record_of(pair.bench.api, sync)
    assert record is not None
    assert len(record.inventory) == left
