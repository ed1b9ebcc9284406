"""The process ends at any moment, again and again, or is asked to end: the next life of it finishes the revision."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.fault_proxy import Asked, Fault
from tests.faults.lane import Lane, open_lane
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import PATIENCE, Json, Sync, condition, config_map, free_port, poll

KILLS = 20
SEED = 20


@pytest.fixture(scope="module")
def lane(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    root = tmp_path_factory.mktemp("process")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root, ("small-chunks",)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def alive(lane: Lane) -> Iterator[None]:
    yield
    lane.proxy.arm()
    if not lane.operator.running:
        lane.operator.start()
        lane.operator.wait_ready()


def files(count: int, value: str) -> dict[str, str]:
    return {f"{n}.yaml": config_map(f"c{n}", value) for n in range(count)}


def wrong(lane: Lane, sync: Sync, wanted: dict[str, str], before: dict[str, str]) -> list[str]:
    """What the oracle finds; `before` are the UIDs that have to be the same still."""
    live = owned_by(lane.bench.api, sync)
    changed = [str(key) for key, body in live.items() if before.get(key.name, body["metadata"]["uid"]) != uid(body)]
    found = judge(live, desired_of(wanted, sync.target), {}, record_of(lane.bench.api, sync), exact=False)
    return found.wrong + [f"{key} was recreated" for key in changed]


def uid(body: Json) -> str:
    return str(body["metadata"]["uid"])


def uids(lane: Lane, sync: Sync) -> dict[str, str]:
    return {key.name: uid(body) for key, body in owned_by(lane.bench.api, sync).items()}


def secrets_of(lane: Lane) -> int:
    listed = lane.bench.api.get(f"/api/v1/namespaces/{lane.bench.namespace}/secrets?labelSelector=sluice.dev/record")
    return len((listed or {})["items"])


@pytest.mark.soak
def test_killed_twenty_times_in_a_row_it_comes_to_the_head_and_leaves_nothing_behind(lane: Lane) -> None:
    rng = Random(SEED)
    sync = lane.bench.synced(files(30, "0"))
    before, secrets = uids(lane, sync), secrets_of(lane)
    for kill in range(KILLS):
        sync.push(files(30, str(kill + 1)))
        time.sleep(rng.uniform(0.05, 2.0))  # the moment of the kill is what is random here
        lane.operator.kill()
        assert lane.operator.wait_dead(PATIENCE)
        lane.proxy.settle()
        lane.operator.start()
    wanted = {**files(20, "end"), "more.yaml": config_map("more")}
    revision = sync.push({**wanted, **dict.fromkeys(f"{n}.yaml" for n in range(20, 30))})
    sync.wait_ready(revision, seconds=60)
    assert wrong(lane, sync, wanted, before) == []
    assert secrets_of(lane) <= secrets, "records or their chunks pile up"


@pytest.mark.parametrize("grace", [0.0, 1.0])
def test_asked_to_end_in_the_middle_and_killed_soon_after_the_next_life_finishes(lane: Lane, grace: float) -> None:
    sync = lane.bench.synced(files(20, "1"))
    before = uids(lane, sync)

    def end(asked: Asked) -> Fault | None:
        middle = asked.number == 10 and "/configmaps/" in asked.path
        return Fault(before=lane.operator.terminate) if middle else None

    lane.proxy.arm(end)
    revision = sync.push(files(20, "2"))
    if not lane.operator.wait_dead(grace or PATIENCE):
        lane.operator.kill()
        assert lane.operator.wait_dead(PATIENCE)
    lane.proxy.settle()
    lane.operator.start()
    sync.wait_ready(revision)
    assert wrong(lane, sync, files(20, "2"), before) == []


def test_f129_a_lost_answer_a_kill_and_a_rewritten_branch_at_once_end_at_the_new_head(lane: Lane) -> None:
    sync = lane.bench.synced(files(20, "1"))
    before = uids(lane, sync)

    def both(asked: Asked) -> Fault | None:
        middle = asked.number == 10 and "/configmaps/" in asked.path
        return Fault(after=lane.operator.kill, answer=False) if middle else None

    lane.proxy.arm(both)
    sync.push({**files(20, "2"), "extra.yaml": config_map("extra")})
    assert lane.operator.wait_dead(PATIENCE)
    lane.proxy.settle()
    sync.repo.git("reset", "-q", "--hard", "HEAD~1")
    wanted = {**files(15, "3"), "other.yaml": config_map("other")}
    texts = {name: text.replace("$NS", sync.target) for name, text in wanted.items()}
    gone = dict.fromkeys(f"{n}.yaml" for n in range(15, 20))
    revision = f"main@sha1:{sync.repo.commit({**texts, **gone}, 'rewritten', push=False)}"
    sync.repo.push(force=True)
    lane.operator.start()
    sync.wait_ready(revision, seconds=60)
    assert wrong(lane, sync, wanted, before) == []


def test_f008_a_renderer_that_outlives_its_killed_process_is_ended_by_the_next_one(lane: Lane) -> None:
    sync = lane.bench.synced(files(1, "1"))
    many = "---\n".join(config_map(f"m{n}") for n in range(1500))
    built = "namePrefix: x-\nresources: [many.yaml]\n"
    sync.push({"0.yaml": None, "kustomization.yaml": built, "many.yaml": many})
    [renderer] = poll("it is being built", lambda: renderers(lane), 60)
    os.kill(renderer, signal.SIGSTOP)
    try:
        lane.operator.kill()
        assert lane.operator.wait_dead(10)
        assert renderers(lane) == [renderer], "nothing was left"
        revision = sync.push({**files(1, "2"), "kustomization.yaml": None, "many.yaml": None})
        lane.operator.start()
        sync.wait_ready(revision, seconds=60)
        assert renderer not in renderers(lane)
        poll("no folder is left", lambda: not list((lane.operator.storage / "render").glob("build-*")))
    finally:
        if renderer in renderers(lane):
            os.kill(renderer, signal.SIGKILL)


def renderers(lane: Lane) -> list[int]:
    """The processes that work in a folder of a build."""
    inside, found = str((lane.operator.storage / "render").resolve()), []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((process / "cwd").readlink()).startswith(f"{inside}/build-"):
                found.append(int(process.name))
    return found


@pytest.mark.soak
def test_f013_without_descriptors_the_limit_is_named_and_when_there_are_some_again_it_goes_on(lane: Lane) -> None:
    sync = lane.bench.synced(files(5, "1"))
    before, pid = uids(lane, sync), lane.operator.pid
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lane.proxy.arm()
    used = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, hard))
    revision = sync.push(files(5, "2"))
    poll("the limit is named", lambda: "open files" in str(lane.operator.said()[-50:]), 40)
    assert lane.operator.running
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    sync.wait_ready(revision, seconds=90)
    assert wrong(lane, sync, files(5, "2"), before) == []


@contextlib.contextmanager
def no_more_processes(lane: Lane) -> Iterator[None]:
    """The operator can start neither processes nor threads beyond those that it has.

    Root is held to that by a group of processes alone; everybody else by a limit on all that are the user's.
    """
    pid = lane.operator.pid
    if os.geteuid():
        before = resource.prlimit(pid, resource.RLIMIT_NPROC, (1, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
        yield
        resource.prlimit(pid, resource.RLIMIT_NPROC, before)
        return
    root = Path("/sys/fs/cgroup")
    group = (root / "pids" if (root / "pids").is_dir() else root) / f"sluice-{secrets.token_hex(4)}"
    group.mkdir()
    (group / "cgroup.procs").write_text(str(pid))
    (group / "pids.max").write_text(str(len(list(Path(f"/proc/{pid}/task").iterdir()))))
    try:
        yield
    finally:
        (group / "pids.max").write_text("max")
        poll("the group is empty", lambda: is_dissolved(group), 30)


def is_dissolved(group: Path) -> bool:
    """Whether all that were in a group of processes are out of it, and it is gone."""
    with contextlib.suppress(OSError):  # one has ended meanwhile, or is about to
        for process in (group / "cgroup.procs").read_text().split():
            (group.parent / "cgroup.procs").write_text(process)
        group.rmdir()
    return not group.is_dir()


@pytest.mark.soak
def test_f013_without_processes_the_limit_is_named_and_when_there_are_some_again_it_goes_on(lane: Lane) -> None:
    sync = lane.bench.synced(files(5, "1"))
    before = uids(lane, sync)
    with no_more_processes(lane):
        revision = sync.push(files(5, "2"))

        def message() -> str:
            source = lane.bench.api.get(sync.source_path)
            return str(condition(source or {}, "Ready").get("message"))

        poll("the limit is named", lambda: "[E376]" in message(), 60)
        assert "no more processes" in message()
        assert lane.operator.running
    sync.request(sync.source_path)
    sync.wait_ready(revision, seconds=90)
    assert wrong(lane, sync, files(5, "2"), before) == []


@pytest.mark.soak
def test_f012_a_process_whose_loop_stands_still_fails_its_probe_ends_and_the_next_one_goes_on(lane: Lane) -> None:
    lane.operator.stop()
    port = free_port()
    lane.operator.patches = ("lost-on-signal", "impatient")
    lane.operator.flags = (f"--health-addr=127.0.0.1:{port}",)
    lane.operator.start()
    lane.operator.wait_ready()
    sync = lane.bench.synced(files(5, "1"))
    before = uids(lane, sync)
    poll("its probe is answered", lambda: is_alive(port), 30)
    lane.operator.signal(signal.SIGUSR2)
    poll("its probe fails", lambda: not is_alive(port), 30)
    revision = sync.push(files(5, "2"))
    assert lane.operator.wait_dead(60), "it stands there for ever"
    assert lane.operator.exit_code == 1
    lane.operator.start()
    sync.wait_ready(revision, seconds=60)
    [told] = [entry for entry in lane.operator.said() if "ended of itself" in entry["msg"]]
    assert told["error"] == "its event loop stood still"
    assert any("lost" in line for line in told["stacks"])
    assert wrong(lane, sync, files(5, "2"), before) == []


def is_alive(port: int) -> bool:
    """Whether the liveness probe is answered."""
    probe = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        probe.request("GET", "/healthz")
        return probe.getresponse().status == 200
    except OSError:
        return False
    finally:
        probe.close()
