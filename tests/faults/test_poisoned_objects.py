"""An object whose handling ends the process: after the third time it is left alone, and the others go on."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.lane import Lane, open_lane
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import Sync, condition, config_map, poll

SECONDS = 60.0
MOST_DEATHS = 6


@pytest.fixture(scope="module")
def lane(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    root = tmp_path_factory.mktemp("poisoned")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root, ("poisoned",)) as opened:
        yield opened


def deaths_until(lane: Lane, sync: Sync, reason: str) -> int:
    """Start the operator again each time that it dies, as the kubelet does, until the sync's Ready has this reason."""
    deaths = 0

    def so() -> bool:
        nonlocal deaths
        if not lane.operator.running:
            deaths += 1
            assert deaths <= MOST_DEATHS, f"it dies again and again: {lane.operator.tail()}"
            lane.operator.start()
        return condition(sync.get(), "Ready").get("reason") == reason

    poll(f"{sync.name} is {reason}", so, SECONDS)
    return deaths


def suspects(lane: Lane) -> dict[str, object]:
    """What is written down of deaths."""
    found = lane.bench.api.get(f"/api/v1/namespaces/{lane.bench.namespace}/secrets/sluice-quarantine")
    written = json.loads(base64.b64decode(found["data"]["suspects"])) if found is not None else {}
    return dict(written.get("suspects", {}))


def wrong(lane: Lane, sync: Sync, wanted: dict[str, str]) -> list[str]:
    live = owned_by(lane.bench.api, sync)
    return judge(live, desired_of(wanted, sync.target), {}, record_of(lane.bench.api, sync), exact=False).wrong


def test_f014_an_object_that_ends_the_process_is_left_alone_after_three_deaths_and_the_others_go_on(lane: Lane) -> None:
    good = {"a.yaml": config_map("good")}
    sync, neighbour = lane.bench.synced(good), lane.bench.synced({"n.yaml": config_map("next")})
    sync.push({"poison.yaml": config_map("poison")})
    assert deaths_until(lane, sync, "Quarantined") == 3
    ready = condition(sync.get(), "Ready")
    assert "[E375]" in ready["message"]
    assert "the operator died 3 times" in ready["message"]
    assert "Aborted" in ready["message"]
    assert condition(sync.get(), "Stalled").get("reason") == "Quarantined"
    assert any("ended of itself" in str(entry.get("msg")) and entry.get("stacks") for entry in lane.operator.said())
    neighbour.wait_ready(neighbour.push({"n.yaml": config_map("next", "2")}))
    # Somebody asks for it: it has one more try, and that one is enough.
    sync.request()
    poll("it is tried", lambda: not lane.operator.running, SECONDS)
    lane.operator.start()
    poll("the request is answered", lambda: "died 4 times" in condition(sync.get(), "Ready")["message"], SECONDS)
    # Another life, on another disk, knows it still: it is skipped at the start, and what was applied before stays.
    lane.operator.kill()
    assert lane.operator.wait_dead(10)
    shutil.rmtree(lane.operator.storage)
    lane.operator.start()
    neighbour.wait_ready(neighbour.push({"n.yaml": config_map("next", "3")}), SECONDS)
    told = poll("it is told again", lambda: [e for e in lane.operator.said() if e.get("name") == sync.name], SECONDS)
    assert told[-1]["reason"] == "Quarantined"
    assert wrong(lane, sync, good) == []
    # A new revision has its try, and one that goes well forgets the rest.
    sync.wait_ready(sync.push({"poison.yaml": None, "b.yaml": config_map("better")}), SECONDS)
    assert wrong(lane, sync, {**good, "b.yaml": config_map("better")}) == []
    poll("it is forgotten", lambda: not suspects(lane))
    assert lane.operator.running


@pytest.mark.soak
def test_killed_four_times_at_the_same_work_by_somebody_a_sync_is_not_taken_for_poisoned(lane: Lane) -> None:
    steps = lane.operator.storage.parent / "somebody-kills"
    lane.operator.stop()
    lane.operator.patches = (f"steps:{steps}",)
    sync = lane.bench.source()
    revision = sync.commit({"a.yaml": config_map("good")})
    sync.create_source()
    sync.create()
    for _ in range(4):
        steps.write_text("after render")
        lane.operator.start()
        poll("it is killed", lambda: not lane.operator.running, SECONDS)
        assert not steps.exists()
    assert list((lane.operator.storage / "under-way").iterdir()), "it was not killed in the middle"
    lane.operator.start()
    sync.wait_ready(revision, SECONDS)
    assert suspects(lane) == {}
