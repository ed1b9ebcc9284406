"""The clock of the operator's machine is wrong, or jumps at every look: what is done goes by other clocks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.fault_proxy import Asked, Fault
from tests.faults.lane import Lane, open_lane
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import FAILING_JOB, PATIENCE, config_map, deployment, poll

FILES = {"a.yaml": config_map("a"), "b.yaml": config_map("b"), "web.yaml": deployment("web")}
PICKY = """apiVersion: v1
kind: Pod
metadata: {name: picky, namespace: $NS}
spec:
  nodeSelector: {clock: "%s"}
  containers: [{name: main, image: "nginx:1"}]
"""


@pytest.fixture(scope="module")
def lane(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """An operator whose clock leaps between ten years ahead and ten years ago."""
    root = tmp_path_factory.mktemp("clock")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root, ("leaping-clock",)) as opened:
        yield opened


def test_f080_install_update_undo_drift_and_prune_lose_nothing_while_the_clock_jumps(lane: Lane) -> None:
    sync = lane.bench.synced(FILES, wait=True, timeout="30s")
    times = {entry["lastReconciled"][:4] for entry in sync.status["history"]}
    before = owned_by(lane.bench.api, sync)
    bad = sync.push({"a.yaml": config_map("a", "2"), "job.yaml": FAILING_JOB})
    sync.wait_failed(bad, reason="Undone")
    verdict = judge(
        owned_by(lane.bench.api, sync),
        desired_of(FILES, sync.target),
        before,
        record_of(lane.bench.api, sync),
        exact=True,
    )
    assert verdict.wrong == []
    sync.wait_ready(sync.push({"job.yaml": None, "b.yaml": None}))
    assert sync.live("configmaps", "b") is None
    lane.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("drift is set right", lambda: sync.config("a")["data"] == {"key": "2"})
    times |= {entry["lastReconciled"][:4] for entry in sync.status["history"]}
    assert times
    assert str(datetime.now(UTC).year) not in times, "the clock did jump"
    assert lane.operator.running


def test_f080_killed_in_the_middle_it_goes_on_though_its_next_life_has_another_time(lane: Lane) -> None:
    sync = lane.bench.synced(FILES)

    def kill(asked: Asked) -> Fault | None:
        return Fault(after=lane.operator.kill, answer=False) if asked.number == 2 else None

    lane.proxy.arm(kill)
    revision = sync.push({"a.yaml": config_map("a", "2"), "b.yaml": None, "c.yaml": config_map("c")})
    assert lane.operator.wait_dead(PATIENCE)
    lane.proxy.settle()
    lane.proxy.arm()
    lane.operator.start()
    sync.wait_ready(revision)
    assert {key.name for key in owned_by(lane.bench.api, sync)} == {"a", "c", "web"}


def test_f081_a_pod_that_a_wrong_clock_makes_look_old_is_given_its_time_to_be_scheduled(lane: Lane) -> None:
    sync = lane.bench.source()
    revision = sync.commit({"pod.yaml": PICKY % sync.name})
    sync.create_source()
    sync.create(wait=True, timeout="30s")

    def unschedulable() -> bool:
        pod = sync.live("pods", "picky") or {}
        return any(c.get("reason") == "Unschedulable" for c in pod.get("status", {}).get("conditions", ()))

    poll("no node suits it", unschedulable)
    sync.wait_condition("Reconciling", "True", text="Running health checks")
    node = (lane.bench.api.get("/api/v1/nodes") or {})["items"][0]["metadata"]["name"]
    lane.bench.api.patch(f"/api/v1/nodes/{node}", {"metadata": {"labels": {"clock": sync.name}}})
    sync.wait_ready(revision)
