"""An object whose handling ends the process: after the third time it is left alone, and the others go on."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.lane import Lane, open_lane
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import Sync, condition, config_map, poll

SECONDS = 60.0
MOST_DEATHS = 6
POD = "sluice-0"


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


@dataclass
class Memory:
    """A group of processes with a limit on their memory; where the kernel grants us none, its part is played:
    who is in the middle of the work is ended in the same way.
    """

    lane: Lane
    group: Path | None

    def hold(self) -> None:
        """From now on the operator may have 32 MiB more than one that is idle."""
        if self.group is None:
            return
        self.enter()
        status = Path(f"/proc/{self.lane.operator.pid}/status").read_text()
        in_use = next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("RssAnon"))
        name = "memory.limit_in_bytes" if self.group.parent.name == "memory" else "memory.max"
        (self.group / name).write_text(str(in_use + (32 << 20)))

    def enter(self) -> None:
        """The next life of the operator is held, too."""
        if self.group is not None:
            (self.group / "cgroup.procs").write_text(str(self.lane.operator.pid))

    def wait_for_its_end(self) -> None:
        """The kernel ends the operator, since there is no more."""
        if self.group is None:
            marks = self.lane.operator.storage / "under-way"
            poll("it is at work", lambda: marks.is_dir() and list(marks.iterdir()), SECONDS)
            self.lane.operator.kill()
        assert self.lane.operator.wait_dead(4 * SECONDS), "it lives with that"
        assert self.lane.operator.exit_code == -signal.SIGKILL


@pytest.fixture
def memory(lane: Lane) -> Iterator[Memory]:
    root = Path("/sys/fs/cgroup")
    group = (root / "memory" if (root / "memory").is_dir() else root) / f"sluice-{secrets.token_hex(4)}"
    try:
        group.mkdir()
    except OSError:
        yield Memory(lane, None)
        return
    yield Memory(lane, group)
    lane.operator.stop()
    poll("its processes are gone", lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_f010_manifests_that_need_more_memory_than_there_is_are_left_alone_and_the_others_go_on(
    lane: Lane, memory: Memory
) -> None:
    lane.operator.stop()
    lane.operator.patches = ()
    lane.operator.environment = {"POD_NAME": POD}
    make_pod(lane)
    lane.operator.start()
    lane.operator.wait_ready()
    good = {"a.yaml": config_map("good")}
    sync, neighbour = lane.bench.synced(good), lane.bench.synced({"n.yaml": config_map("next")})
    memory.hold()
    dense = "".join(f"  k{n}: [{'{a},' * 60}]\n" for n in range(6000))  # some 50 bytes of memory for each of text
    sync.push({"large.yaml": f"apiVersion: v1\nkind: Large\nmetadata: {{name: large}}\nspec:\n{dense}"})
    for death in range(3):
        memory.wait_for_its_end()
        tell_end(lane, death + 1)
        lane.operator.start()
        memory.enter()
    ready = sync.wait_condition("Ready", "False", "Quarantined", seconds=SECONDS)
    assert "it ran out of memory" in ready["message"]
    neighbour.wait_ready(neighbour.push({"n.yaml": config_map("next", "2")}), SECONDS)
    assert wrong(lane, sync, good) == []
    assert lane.operator.running


def make_pod(lane: Lane) -> None:
    """The pod in which the operator says that it is; nobody runs it."""
    path = f"/api/v1/namespaces/{lane.bench.namespace}/pods"
    spec = {"schedulerName": "nobody", "containers": [{"name": "manager", "image": "sluice:1"}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
    poll("the pod is taken", lambda: lane.bench.api.request("POST", path, body)[0] == 201)


def tell_end(lane: Lane, times: int) -> None:
    """What the kubelet writes of a container that the kernel ended for its memory, and that is started again."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {"exitCode": 137, "reason": "OOMKilled", "startedAt": now, "finishedAt": now}
    container = {"name": "manager", "image": "", "imageID": "", "ready": True, "restartCount": times}
    status = {"containerStatuses": [{**container, "lastState": {"terminated": ended}}]}
    lane.bench.api.patch(f"/api/v1/namespaces/{lane.bench.namespace}/pods/{POD}/status", {"status": status})
