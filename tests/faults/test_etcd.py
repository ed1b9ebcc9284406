"""What the API server stores is not there, is full, or is that of earlier: nothing is lost, and it is said."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import FreshCluster
from devcluster.git_http import GitHttpServer
from tests.faults.lane import BYSTANDER, Lane, open_lane
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import Sync, config_map, install_crds, poll

pytestmark = pytest.mark.soak

ONE = {f"{n}.yaml": config_map(n) for n in "abcd"}
TWO = {f"{n}.yaml": config_map(n, "2") for n in "abc"} | {"e.yaml": config_map("e")}


@pytest.fixture
def lane(fresh_cluster: FreshCluster, tmp_path: Path) -> Iterator[Lane]:
    """An operator on a control plane of its own, whose lease runs out soon."""
    cluster = fresh_cluster(nodes=0, audit=True)
    install_crds(cluster)
    with ExitStack() as stack:
        git = stack.enter_context(GitHttpServer(tmp_path / "git"))
        yield stack.enter_context(open_lane(cluster, git, tmp_path, ("quick-lease",)))


def wrong(lane: Lane, sync: Sync, files: dict[str, str]) -> list[str]:
    """What the oracle finds."""
    live, record = owned_by(lane.bench.api, sync), record_of(lane.bench.api, sync)
    return judge(live, desired_of(files, sync.target), {}, record, exact=False).wrong


class EtcdConnection(http.client.HTTPConnection):
    """etcd's own interface, at the socket that it listens on."""

    def __init__(self, path: Path) -> None:
        super().__init__("etcd")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def out_of_space(cluster: Cluster, *, full: bool) -> None:
    """Raise the alarm that etcd raises at its quota, or take it back: while it stands, etcd stores nothing."""
    etcd = EtcdConnection(cluster.directory / "etcd.sock")
    body = {"action": "ACTIVATE" if full else "DEACTIVATE", "alarm": "NOSPACE", "memberID": member_of(etcd)}
    etcd.request("POST", "/v3/maintenance/alarm", json.dumps(body))
    answer = etcd.getresponse()
    assert answer.status == 200, answer.read()
    etcd.close()


def member_of(etcd: EtcdConnection) -> str:
    etcd.request("POST", "/v3/cluster/member/list", "{}")
    return str(json.loads(etcd.getresponse().read())["members"][0]["ID"])


def restart_if_dead(lane: Lane) -> None:
    """As a Deployment does."""
    if not lane.operator.running:
        lane.operator.start()


def test_f038_while_etcd_has_no_room_nothing_is_written_and_it_is_said_and_afterwards_it_goes_on(lane: Lane) -> None:
    sync, cluster = lane.bench.synced(ONE), lane.bench.cluster
    before = {key: body["metadata"]["resourceVersion"] for key, body in owned_by(lane.bench.api, sync).items()}
    out_of_space(cluster, full=True)
    try:
        sync.commit({**TWO, "d.yaml": None})
        assert lane.operator.wait_dead(30), "it goes on although its lease can't be renewed"
        assert "database space exceeded" in lane.operator.tail()
        lane.operator.start()
        poll("it says why it does not lead", lambda: "database space exceeded" in str(lane.operator.said()))
        live = {key: body["metadata"]["resourceVersion"] for key, body in owned_by(lane.bench.api, sync).items()}
        assert live == before
    finally:
        out_of_space(cluster, full=False)
    restart_if_dead(lane)
    lane.operator.wait_ready()
    sync.request(sync.source_path)
    poll("it is at the head", lambda: wrong(lane, sync, TWO) == [], 60)


def test_f037_a_cluster_that_is_set_back_to_a_snapshot_comes_to_the_head_again_and_loses_nothing(lane: Lane) -> None:
    sync, cluster, api = lane.bench.synced(ONE), lane.bench.cluster, lane.bench.api
    place = sync.at("configmaps", "bystander")
    api.create(place.rpartition("/")[0], BYSTANDER)
    bystander = api.get(place)
    uids = {key.name: body["metadata"]["uid"] for key, body in owned_by(api, sync).items()}
    snapshot = cluster.directory / "snapshot"
    os.kill(cluster.pid("etcd"), signal.SIGSTOP)
    shutil.copytree(cluster.directory / "etcd", snapshot)
    os.kill(cluster.pid("etcd"), signal.SIGCONT)
    head = sync.push({**TWO, "d.yaml": None})
    sync.wait_ready(head)

    os.kill(cluster.pid("etcd"), signal.SIGKILL)
    shutil.rmtree(cluster.directory / "etcd")
    snapshot.rename(cluster.directory / "etcd")
    cluster.restart("etcd")
    cluster.restart("kube-apiserver")
    lane.operator.terminate()  # whoever restores a cluster rolls what watches it
    assert lane.operator.wait_dead(20)
    lane.operator.start()
    lane.operator.wait_ready()
    poll("it is at the head again", lambda: wrong(lane, sync, TWO) == [], 60)
    live = {key.name: body["metadata"]["uid"] for key, body in owned_by(api, sync).items()}
    assert {name: uid for name, uid in live.items() if name in "abc"} == {name: uids[name] for name in "abc"}
    assert api.get(place) == bystander
