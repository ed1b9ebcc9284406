"""The faults that other operators were seen to fail, by the promise that each would break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.fault_proxy import Asked, Fault
from tests.faults.lane import Lane, open_lane
from tests.faults.oracle import owned_by
from tests.operator_fixture import Sync, condition, config_map, poll

MANY = {f"{n}.yaml": config_map(f"c{n:03}") for n in range(200)}


@pytest.fixture(scope="module")
def lane(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    root = tmp_path_factory.mktemp("promises")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root) as opened:
        yield opened


def killed_half_way(lane: Lane) -> Sync:
    """A sync whose operator is killed while it creates 200 objects."""
    sync = lane.bench.source()
    sync.commit({**MANY, "keep.yaml": config_map("keep")})

    def trap(asked: Asked) -> Fault | None:
        if asked.number == 100:
            return Fault(after=lane.operator.kill, answer=False)
        return None

    lane.proxy.arm(trap)
    sync.create_source()
    sync.create()
    assert lane.operator.wait_dead(20)
    lane.proxy.settle()
    lane.proxy.arm()
    assert 50 < len(owned_by(lane.bench.api, sync)) < 200, "it died half-way"
    return sync


def test_killed_while_applying_and_the_objects_left_git_meanwhile_none_is_orphaned(lane: Lane) -> None:
    sync = killed_half_way(lane)
    revision = sync.commit(dict.fromkeys(MANY))
    lane.operator.start()
    sync.wait_ready(revision)
    assert [key.name for key in owned_by(lane.bench.api, sync)] == ["keep"]


def test_killed_while_applying_it_is_never_ready_with_leftovers(lane: Lane) -> None:
    sync = killed_half_way(lane)
    lane.operator.start()
    lane.operator.wait_ready()
    revision = sync.push(dict.fromkeys(MANY))
    seen = []

    def settled() -> bool:
        found = sync.get()
        ready = condition(found, "Ready").get("status") == "True"
        claims = found["status"].get("lastAppliedRevision") == revision if ready else False
        if claims:
            seen.append([key.name for key in owned_by(lane.bench.api, sync)])
        return claims

    poll("it is Ready at the new revision", settled)
    assert seen == [["keep"]]
