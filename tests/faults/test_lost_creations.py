"""Who made an object is not known when somebody was quicker or the answer was lost: then the object itself tells."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.faults.conftest import Faulty
from tests.faults.fault_proxy import LOSE_ANSWER, Asked, Decide, Fault
from tests.faults.oracle import owned_by
from tests.operator_fixture import FAILING_JOB, Api, Json, Sync, config_map

FILES = {"a.yaml": config_map("a"), "b.yaml": config_map("b"), "job.yaml": FAILING_JOB}


def theirs(sync: Sync, data: Json) -> None:
    """Somebody else makes ConfigMap b, over a connection of their own: the proxy's thread calls this."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": data}
    api = Api(sync.bench.cluster)
    api.create(sync.at("configmaps", "b").rpartition("/")[0] + "?fieldManager=somebody", body)
    api.close()


def at_creation(fault: Fault) -> Decide:
    """That fault for the first apply of ConfigMap b."""
    done: list[bool] = []

    def decide(asked: Asked) -> Fault | None:
        if done or not asked.number or not asked.path.endswith("/configmaps/b"):
            return None
        done.append(True)
        return fault

    return decide


def undone(faulty: Faulty, fault: Callable[[Sync], Fault], **spec: str) -> tuple[Sync, str]:
    """A first revision that fails after its ConfigMaps were applied; returns what Ready says."""
    sync = faulty.bench.source()
    revision = sync.commit(FILES)
    faulty.proxy.arm(at_creation(fault(sync)))
    sync.create_source()
    sync.create(wait=True, **spec)
    message = sync.wait_failed(revision, reason="Undone", seconds=40)
    faulty.proxy.arm()
    return sync, message


@pytest.mark.parametrize("answer", [True, False], ids=["answered", "answer lost"])
def test_an_object_that_somebody_made_just_before_us_is_kept_and_reported_by_undo(faulty: Faulty, answer: bool) -> None:
    sync, message = undone(faulty, lambda s: Fault(before=lambda: theirs(s, {"other": "1"}), answer=answer))
    live = sync.config("b")
    assert live["data"]["other"] == "1"
    assert f"ConfigMap {sync.target}/b is kept" in message
    assert sync.live("configmaps", "a") is None
    assert sync.live("batch/v1/jobs", "migrate") is None


def test_values_that_somebody_set_just_before_us_come_back_with_their_owner(faulty: Faulty) -> None:
    sync, _ = undone(faulty, lambda s: Fault(before=lambda: theirs(s, {"key": "theirs"})))
    live = sync.config("b")
    assert live["data"] == {"key": "theirs"}
    assert "labels" not in live["metadata"]
    assert [(m["manager"], m["operation"]) for m in live["metadata"]["managedFields"]] == [("somebody", "Update")]
    assert sync.live("configmaps", "a") is None


@pytest.mark.parametrize("data", [{"key": "theirs"}, {"other": "1"}], ids=["in conflict", "beside ours"])
def test_what_somebody_made_just_before_us_fails_the_revision_where_nothing_may_be_adopted(
    faulty: Faulty, data: Json
) -> None:
    sync, message = undone(faulty, lambda s: Fault(before=lambda: theirs(s, data)), adopt="Never")
    assert "[E340]" in message
    assert f"ConfigMap {sync.target}/b" in message
    live = sync.config("b")
    assert data.items() <= live["data"].items()
    assert ("is kept" in message) == ("other" in data), "where our apply went through, its fields are left"
    assert sync.live("configmaps", "a") is None


def test_an_object_whose_creation_was_not_answered_goes_when_the_revision_is_undone(faulty: Faulty) -> None:
    sync, message = undone(faulty, lambda _: LOSE_ANSWER)
    assert sync.live("configmaps", "b") is None, message
    assert owned_by(faulty.bench.api, sync) == {}


@pytest.mark.parametrize("quicker", [True, False], ids=["made by somebody", "made by us"])
def test_after_a_crash_undo_deletes_what_the_dead_operator_created_and_nothing_else(
    faulty: Faulty, quicker: bool
) -> None:
    bench = faulty.bench
    sync = bench.source()
    revision = sync.commit(FILES)
    dead = threading.Event()

    def kill() -> None:
        bench.operator.kill()
        dead.set()

    make = (lambda: theirs(sync, {"other": "1"})) if quicker else None
    faulty.proxy.arm(at_creation(Fault(before=make, after=kill, answer=False)))
    sync.create_source()
    sync.create(wait=True)
    assert dead.wait(20)
    faulty.proxy.arm()
    assert sync.live("configmaps", "b") is not None
    bench.operator.start()
    sync.wait_failed(revision, reason="Undone", seconds=40)
    assert sync.live("configmaps", "a") is None
    assert (sync.live("configmaps", "b") is not None) == quicker
