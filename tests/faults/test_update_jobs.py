"""The operator is killed while it carries out what somebody asked for: the next life of it does so once, or says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from devcluster.registry import Registry
from tests.faults.fault_proxy import DROP, LOSE_ANSWER, Asked, Fault
from tests.faults.git_bench import processes_naming
from tests.faults.git_proxy import GitProxy, to
from tests.faults.lane import Lane, open_lane
from tests.operator_fixture import Sync, poll
from tests.update_asking import Asking

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def lane(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    root = tmp_path_factory.mktemp("jobs")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root) as opened:
        yield opened


@pytest.fixture(scope="module")
def git_proxy(lane: Lane) -> Iterator[GitProxy]:
    with GitProxy(lane.bench.git) as opened:
        yield opened


def go_through(proxy: GitProxy, sync: Sync) -> None:
    """From now on the operator reaches the repository by way of the proxy."""
    api, path = sync.bench.api, sync.source_path
    generation = api.patch(path, {"spec": {"url": proxy.address(sync.name)}})["metadata"]["generation"]
    poll("it is seen", lambda: (api.get(path) or {})["status"].get("observedGeneration") == generation, 60)


@pytest.mark.parametrize("taken", [True, False], ids=["after the push", "before the push"])
def test_a_job_is_carried_out_once_though_the_operator_is_killed(
    lane: Lane, registry: Registry, git_proxy: GitProxy, taken: bool
) -> None:
    asking = Asking.begin(lane.bench, registry)
    go_through(git_proxy, asking.sync)
    commits = asking.commits()
    kill = lane.operator.kill
    git_proxy.arm(to("push", Fault(after=kill, answer=False) if taken else Fault(before=kill, forward=False)))
    nonce = asking.ask("policy", {asking.web: {"add": {"locked": "true"}, "remove": {}}})
    assert lane.operator.wait_dead(60)
    # Its git lives on for a moment, and may send the push once more.
    poll("git has ended, too", lambda: not processes_naming(git_proxy.address(asking.sync.name)), 60)
    assert asking.commits() == commits + taken
    git_proxy.arm()
    lane.operator.start()
    lane.operator.wait_ready()
    answer = asking.answered(nonce)
    assert answer["state"] == "succeeded"
    assert answer["revision"] == asking.git("rev-parse", "main").strip()
    assert [each["status"] for each in answer["results"]] == ["success"]
    assert asking.commits() == commits + 1
    assert f"Sluice-Update: Request/{lane.bench.namespace} {answer['jobID']}" in asking.git("log", "-1", "main")


def test_a_job_whose_push_is_not_answered_is_carried_out_once(
    lane: Lane, registry: Registry, git_proxy: GitProxy
) -> None:
    asking = Asking.begin(lane.bench, registry)
    go_through(git_proxy, asking.sync)
    commits = asking.commits()
    git_proxy.arm(to("push", LOSE_ANSWER))
    answer = asking.asked("policy", {asking.web: {"add": {"locked": "true"}, "remove": {}}})
    assert answer["revision"] == asking.git("rev-parse", "main").strip()
    assert asking.commits() == commits + 1


@pytest.fixture
def short_lease(cluster: Cluster, crds: None, tmp_path: Path) -> Iterator[Lane]:
    """Of a lease of six seconds, after each renewal three are enough to begin a push."""
    with GitHttpServer(tmp_path / "git") as git, open_lane(cluster, git, tmp_path, ("short-lease",)) as opened:
        yield opened


def test_a_leader_that_reaches_git_but_not_the_api_server_pushes_nothing_that_may_outlast_its_lease(
    short_lease: Lane, registry: Registry
) -> None:
    lane = short_lease
    asking = Asking.begin(lane.bench, registry)
    asking.asked("policy", {asking.web: {"add": {"locked": "true"}, "remove": {}}})
    commits = asking.commits()
    saved = 0

    def cut(asked: Asked) -> Fault | None:
        """Once the commit is planned only this one answer still comes, and late; from then on there is no way."""
        nonlocal saved
        if saved < 2 and asked.method == "PUT" and asked.path.endswith("/sluice-record-jobs"):
            saved += 1
            return Fault(delay=4.0) if saved == 2 else None
        return DROP if saved == 2 else None

    lane.proxy.arm(cut)
    nonce = asking.ask("policy", {asking.web: {"add": {}, "remove": {"locked": "true"}}})
    assert lane.operator.wait_dead(30), "it goes on without its lease"
    assert "the lease was lost" in lane.operator.tail()
    assert saved == 2
    assert asking.commits() == commits, "git could be reached all the time"
    lane.proxy.settle()
    lane.proxy.arm()
    lane.operator.start()
    assert asking.answered(nonce)["state"] == "succeeded"
    assert asking.commits() == commits + 1
