"""Watches do not tell everything, tell it twice or late: what they are relied on for is right all the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.fault_proxy import Asked, Fault
from tests.faults.lane import Lane, open_lane
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import Sync, config_map, poll

FILES = {f"{n}.yaml": config_map(n) for n in "abc"}
Retell = Callable[[bytes], Sequence[bytes]]


@pytest.fixture(scope="module")
def lane(cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """An operator whose watches end soon, and soon tell the full state again."""
    root = tmp_path_factory.mktemp("watches")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root, ("short-watches",)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def unharmed(lane: Lane) -> Iterator[None]:
    yield
    lane.proxy.arm()


def event_of(line: bytes) -> tuple[str, str, str]:
    """Type, namespace and name of what a watch tells."""
    told = json.loads(line)
    meta = told["object"].get("metadata", {})
    return told["type"], meta.get("namespace", ""), meta.get("name", "")


def retold(lane: Lane, path_end: str, retell: Retell) -> None:
    """Every watch of these paths is told so from now on; those that are open end."""
    opened: list[str] = []

    def decide(asked: Asked) -> Fault | None:
        if not asked.watch or not asked.path.endswith(path_end):
            return None
        opened.append(asked.path)
        return Fault(retell=retell)

    lane.proxy.arm(decide)
    lane.proxy.cut_watches()
    poll("the watch is open again", lambda: opened)


def as_git_has_it(lane: Lane, sync: Sync, files: dict[str, str]) -> list[str]:
    """What the oracle finds wrong."""
    live, record = owned_by(lane.bench.api, sync), record_of(lane.bench.api, sync)
    return judge(live, desired_of(files, sync.target), {}, record, exact=False).wrong


def test_f031_drift_whose_events_are_swallowed_is_found_when_the_watch_tells_the_full_state_again(lane: Lane) -> None:
    sync = lane.bench.synced(FILES)
    swallowed: list[str] = []

    def swallow(line: bytes) -> Sequence[bytes]:
        kind, namespace, name = event_of(line)
        # No change is told; the full state that comes later is `ADDED`.
        if kind in {"MODIFIED", "DELETED"} and namespace == sync.target and name in {"a", "b"}:
            swallowed.append(name)
            return ()
        return (line,)

    retold(lane, "/configmaps", swallow)
    lane.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    lane.bench.api.delete(sync.at("configmaps", "b"))
    poll("the events are swallowed", lambda: {"a", "b"} <= set(swallowed))
    poll("the edit is set right", lambda: sync.config("a")["data"] == {"key": "1"})
    poll("the deletion is set right", lambda: sync.live("configmaps", "b"))
    poll("nothing is wrong", lambda: as_git_has_it(lane, sync, FILES) == [])


def test_f031_a_changed_spec_whose_event_is_swallowed_is_followed_all_the_same(lane: Lane) -> None:
    sync = lane.bench.synced({f"one/{n}": t for n, t in FILES.items()} | {"two/d.yaml": config_map("d")}, path="./one")
    swallowed: list[str] = []

    def swallow(line: bytes) -> Sequence[bytes]:
        kind, _, name = event_of(line)
        if kind == "MODIFIED" and name == sync.name:
            swallowed.append(name)
            return ()
        return (line,)

    retold(lane, "/kustomizations", swallow)
    sync.edit(path="./two")
    poll("the event is swallowed", lambda: swallowed)
    poll("the new path is there", lambda: as_git_has_it(lane, sync, {"d.yaml": config_map("d")}) == [])


def test_f032_events_that_come_twice_and_again_after_newer_ones_change_nothing(lane: Lane) -> None:
    sync = lane.bench.synced(FILES)
    told: list[bytes] = []

    def again(line: bytes) -> Sequence[bytes]:
        kind, namespace, _ = event_of(line)
        if namespace != sync.target or kind == "BOOKMARK":
            return (line,)
        told.append(line)
        return (line, line, *told[-3:-1])  # the ones before, once more, after it

    retold(lane, "/configmaps", again)
    audit = lane.bench.audit()
    revision = sync.push({"a.yaml": config_map("a", "2"), "b.yaml": None, "d.yaml": config_map("d")})
    sync.wait_ready(revision)
    wanted = {"a.yaml": config_map("a", "2"), "c.yaml": config_map("c"), "d.yaml": config_map("d")}
    poll("older events came after newer ones", lambda: len(told) > 3)
    assert as_git_has_it(lane, sync, wanted) == []
    lane.bench.api.patch(sync.at("configmaps", "c"), {"data": {"key": "edited"}})
    poll("the edit is set right", lambda: sync.config("c")["data"] == {"key": "1"})
    sync.wait_ready(sync.push({"e.yaml": config_map("e")}))
    assert as_git_has_it(lane, sync, {**wanted, "e.yaml": config_map("e")}) == []
    sent = [w.path.rpartition("/")[2] for w in sync.writes(audit) if not w.dry_run and "/configmaps/" in w.path]
    assert sorted(sent) == ["a", "b", "c", "d", "e"], "each change is written once"
