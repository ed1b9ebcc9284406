"""The bench itself: each of seven bugs, planted in an operator, is caught; without it the same look finds nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.audit import ApplyAfterDelete
from tests.faults.fault_proxy import Asked, Fault, FaultProxy
from tests.faults.lane import Lane, counted, open_lane
from tests.faults.operator_process import OperatorProcess
from tests.faults.oracle import TOOLKIT, desired_of, judge, owned_by, record_of
from tests.faults.planted_bugs import BUGS
from tests.operator_fixture import Json, Sync, condition, config_map, poll

pytestmark = pytest.mark.soak

AB = {"a.yaml": config_map("a"), "b.yaml": config_map("b")}


def verdict(lane: Lane, sync: Sync, files: dict[str, str]) -> list[str]:
    """What the oracle finds wrong."""
    desired = desired_of(files, sync.target)
    return judge(owned_by(lane.bench.api, sync), desired, {}, record_of(lane.bench.api, sync), exact=False).wrong


def labelled(sync: Sync, name: str) -> Json:
    """An object of somebody else that carries our owner labels."""
    labels = {f"{TOOLKIT}/name": sync.name, f"{TOOLKIT}/namespace": sync.namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"key": "x"}}


def configs(sync: Sync) -> str:
    return sync.at("configmaps", "x").rpartition("/")[0]


def look_at_a_crash_before_which_git_moved_on(lane: Lane) -> list[str]:
    many = {f"{n}.yaml": config_map(f"c{n}") for n in range(20)}
    sync = lane.bench.source()
    sync.commit({**many, **AB})
    trap: Callable[[Asked], Fault | None] = lambda asked: (  # noqa: E731 - one line says it
        Fault(after=lane.operator.kill, answer=False) if asked.number == 12 else None
    )
    lane.proxy.arm(trap)
    sync.create_source()
    sync.create()
    assert lane.operator.wait_dead(20)
    lane.proxy.settle()
    lane.proxy.arm()
    revision = sync.commit(dict.fromkeys(many))
    lane.operator.start()
    sync.wait_ready(revision)
    return verdict(lane, sync, AB)


def look_at_the_order_of_writes(lane: Lane) -> list[str]:
    sync = lane.bench.synced(AB)
    audit = lane.bench.audit()
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2"), "b.yaml": None, "c.yaml": config_map("c")}))
    return ApplyAfterDelete(audit).found(lane.bench.agent, [sync])


def look_at_a_namesake(lane: Lane) -> list[str]:
    sync = lane.bench.synced(AB)
    sync.edit(suspend=True)
    lane.bench.api.delete(sync.at("configmaps", "b"))
    lane.bench.api.create(configs(sync), labelled(sync, "b"))
    revision = sync.push({"b.yaml": None})

    def fetched() -> bool:
        source = lane.bench.api.get(sync.source_path) or {}
        return bool(source["status"].get("artifact", {}).get("revision") == revision)

    poll("the revision without b is there", fetched)
    sync.edit(suspend=False)
    sync.wait_ready(revision)
    return [] if sync.live("configmaps", "b") else ["somebody's b was deleted"]


def look_at_a_folder_that_went(lane: Lane) -> list[str]:
    sync = lane.bench.source()
    revision = sync.commit({f"apps/{name}": text for name, text in AB.items()})
    sync.create_source()
    sync.create(path="./apps", allowEmpty=True)
    sync.wait_ready(revision)
    moved = {f"apps/{name}": None for name in AB} | {f"other/{name}": text for name, text in AB.items()}
    revision = sync.push(moved)
    sync.wait("it was tried", lambda k: k["status"].get("lastAttemptedRevision") == revision)
    return [] if sync.live("configmaps", "a") else ["a was deleted, because its folder was not found"]


def look_at_ready_in_the_middle(lane: Lane) -> list[str]:
    sync = lane.bench.synced(AB)
    gate = asyncio.Event()
    reached: list[str] = []

    def hold(asked: Asked) -> Fault | None:
        if asked.number and asked.path.endswith("/configmaps/b"):
            reached.append(asked.path)
            return Fault(hold=gate)
        return None

    lane.proxy.arm(hold)
    revision = sync.push({"a.yaml": config_map("a", "2"), "b.yaml": config_map("b", "2")})
    poll("it is in the middle", lambda: reached)
    found = sync.get()
    claims = condition(found, "Ready")["status"] == "True" and found["status"]["lastAppliedRevision"] == revision
    lane.proxy.set(gate)
    lane.proxy.arm()
    sync.wait_ready(revision)
    return ["it is Ready at a revision that is half applied"] if claims else []


def look_at_labelled_strangers(lane: Lane) -> list[str]:
    sync = lane.bench.synced(AB)
    lane.bench.api.create(configs(sync), labelled(sync, "stranger"))
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "3")}))
    return [] if sync.live("configmaps", "stranger") else ["a stranger with our labels was deleted"]


def look_at_a_late_record_of_an_old_leader(lane: Lane) -> list[str]:
    """The old one's last write of a record is held until another, which believes to lead, too, has moved on."""
    sync = lane.bench.synced(AB)
    gate = asyncio.Event()
    records: list[str] = []

    def hold(asked: Asked) -> Fault | None:
        if asked.number and "/secrets" in asked.path:
            records.append(asked.path)
            return Fault(hold=gate, after=lane.operator.kill) if len(records) == 2 else None
        return None

    lane.proxy.arm(hold)
    sync.push({"a.yaml": config_map("a", "2")})
    poll("the old one is about to finish", lambda: len(records) == 2)
    with second_leader(lane) as other:
        other.wait_ready()
        revision = sync.push({"a.yaml": config_map("a", "3"), "c.yaml": config_map("c")})
        sync.wait_ready(revision)
        lane.proxy.set(gate)
        assert lane.operator.wait_dead(20)
        lane.proxy.settle()
        return verdict(lane, sync, {**AB, "a.yaml": config_map("a", "3"), "c.yaml": config_map("c")})


@contextmanager
def second_leader(lane: Lane) -> Iterator[OperatorProcess]:
    """Another operator of the same installation that believes to lead."""
    bench, root = lane.bench, lane.operator.log.parent
    with FaultProxy(bench.cluster, counted) as proxy:
        config = proxy.write_kubeconfig(root / "second.kubeconfig")
        patches = tuple({*lane.operator.patches, "blind-leader"})
        log = root / "second.log"
        other = OperatorProcess(config, bench.namespace, root / "second", log, "second", patches)
        other.start()
        try:
            yield other
        finally:
            other.stop()


LOOKS: dict[str, Callable[[Lane], list[str]]] = {
    "inventory-after-apply": look_at_a_crash_before_which_git_moved_on,
    "prune-before-apply": look_at_the_order_of_writes,
    "uid-ignored": look_at_a_namesake,
    "missing-is-empty": look_at_a_folder_that_went,
    "ready-too-early": look_at_ready_in_the_middle,
    "no-epoch-check": look_at_a_late_record_of_an_old_leader,
    "labels-are-ownership": look_at_labelled_strangers,
}


@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_caught_and_without_it_nothing_is_found(
    cluster: Cluster, crds: None, tmp_path: Path, bug: str
) -> None:
    blind = ("blind-leader",) if bug == "no-epoch-check" else ()
    for name, patches in (("clean", blind), ("planted", (*blind, bug))):
        with ExitStack() as stack:
            root = tmp_path / name
            root.mkdir()
            git = stack.enter_context(GitHttpServer(root / "git"))
            found = LOOKS[bug](stack.enter_context(open_lane(cluster, git, root, patches)))
            assert bool(found) == (name == "planted"), found
