"""The API server loses answers, asks to wait, ends watches or goes away: the revision still takes effect wholly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.faults.conftest import Faulty
from tests.faults.fault_proxy import LOSE_ANSWER, Asked, Decide, Fault, refuse
from tests.faults.oracle import owned_by, record_of
from tests.operator_fixture import config_map, poll

THREE = {f"{n}.yaml": config_map(n) for n in "abc"}


@pytest.fixture(autouse=True)
def unharmed(faulty: Faulty) -> Iterator[None]:
    """Whatever a test did to the proxy ends with it."""
    yield
    faulty.proxy.arm()


def times(count: int, fault: Fault, matches: Callable[[Asked], bool]) -> Decide:
    """`fault` for the first `count` requests that match."""
    left = [count]

    def decide(asked: Asked) -> Fault | None:
        if left[0] and matches(asked):
            left[0] -= 1
            return fault
        return None

    return decide


def creates(name: str) -> Callable[[Asked], bool]:
    """Matches the apply of one ConfigMap."""
    return lambda asked: bool(asked.number) and asked.path.endswith(f"/configmaps/{name}")


def is_record(asked: Asked) -> bool:
    """Matches writes of the record."""
    return bool(asked.number) and "/secrets" in asked.path


@pytest.mark.parametrize("lost", [1, 3])
def test_an_object_whose_creation_was_not_answered_is_ours_and_goes_with_its_sync(faulty: Faulty, lost: int) -> None:
    sync = faulty.bench.source()
    revision = sync.commit(THREE)
    faulty.proxy.arm(times(lost, LOSE_ANSWER, creates("b")))
    sync.create_source()
    sync.create()
    sync.wait_ready(revision)
    sent = [w for w in faulty.proxy.numbered if w.asked.path.endswith("/configmaps/b")]
    assert [w.status for w in sent] == [201] + [200] * lost
    assert len(sync.inventory()) == 3
    faulty.bench.api.delete(sync.path)
    sync.wait_gone()
    assert owned_by(faulty.bench.api, sync) == {}


@pytest.mark.parametrize("first", ["create", "replace"])
def test_a_record_whose_writing_was_not_answered_is_read_back_and_nothing_stops(faulty: Faulty, first: str) -> None:
    if first == "create":
        sync = faulty.bench.source()
        faulty.proxy.arm(times(2, LOSE_ANSWER, is_record))
        revision = sync.commit(THREE)
        sync.create_source()
        sync.create()
    else:
        sync = faulty.bench.synced(THREE)
        faulty.proxy.arm(times(2, LOSE_ANSWER, is_record))
        revision = sync.push({"a.yaml": config_map("a", "2")})
    sync.wait_ready(revision)
    taken = [w.status for w in faulty.proxy.numbered if is_record(w.asked) and w.status < 300]
    assert taken == [201 if first == "create" else 200, 200], "written once each"
    record = record_of(faulty.bench.api, sync)
    assert record is not None
    assert len(record.inventory) == 3
    sync.wait_ready(sync.push({"a.yaml": config_map("a", "3")}))
    assert sync.config("a")["data"] == {"key": "3"}


@pytest.mark.parametrize("fault", [refuse(429, "TooManyRequests", retry_after=1), refuse(503, "ServiceUnavailable")])
def test_a_server_that_asks_to_wait_for_a_while_is_waited_for(faulty: Faulty, fault: Fault) -> None:
    sync = faulty.bench.synced(THREE)
    faulty.proxy.arm(times(4, fault, lambda asked: asked.number > 1 and "/configmaps/" in asked.path))
    revision = sync.push({f"{n}.yaml": config_map(n, "2") for n in "abc"})
    sync.wait_ready(revision)
    refused = [w for w in faulty.proxy.numbered if not w.forwarded]
    assert len(refused) == 4
    assert {n: sync.config(n)["data"]["key"] for n in "abc"} == dict.fromkeys("abc", "2")
    assert len(faulty.proxy.numbered) < 20, "it waits, it does not hammer"


@pytest.mark.parametrize("lost", ["lost", "late"])
def test_progress_whose_writing_was_not_answered_does_not_outlast_the_report(faulty: Faulty, lost: str) -> None:
    sync = faulty.bench.synced(THREE)

    def is_progress(asked: Asked) -> bool:
        return asked.method == "PATCH" and asked.path.endswith(f"/kustomizations/{sync.name}/status")

    loses = times(2, LOSE_ANSWER if lost == "lost" else Fault(delay=3.0), is_progress)
    faulty.proxy.arm(lambda asked: loses(asked) or (Fault(delay=2.0) if asked.path.endswith("/configmaps/a") else None))
    faulty.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("progress was written", lambda: any(is_progress(w.asked) for w in faulty.proxy.numbered))
    poll("the edit is corrected", lambda: sync.config("a")["data"] == {"key": "1"})
    faulty.proxy.settle(20)
    sync.wait_condition("Ready", "True")


def test_what_fails_before_a_dependant_s_status_says_that_it_waits_is_told_by_it_all_the_same(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.reconcilers.sync_schedule.DEPENDENCY_RETRY", 3600.0)
    base = faulty.bench.source()
    first = base.commit({"base/a.yaml": config_map("a"), "top/b.yaml": config_map("b")})
    base.create_source()
    base.create(path="./base")
    top = replace(base, name=f"{base.name}-top")
    top.create(path="./top", sourceRef={"kind": "GitRepository", "name": base.name}, dependsOn=[{"name": base.name}])
    top.wait_ready(first)
    waits, fails, reached = asyncio.Event(), asyncio.Event(), set[str]()

    def hold(asked: Asked) -> Fault | None:
        """The dependency is dry-run once the dependant has looked at it; what that says of it comes later still."""
        if asked.dry_run and asked.path == base.at("configmaps", "a"):
            return Fault(hold=fails)
        if asked.path != f"{top.path}/status" or reached:
            return None
        reached.add(asked.path)
        return Fault(hold=waits)

    faulty.proxy.arm(hold)
    bad = base.push({"base/a.yaml": config_map("a") + "datas: {}\n"})
    poll("the dependant has looked", lambda: reached)
    faulty.proxy.set(fails)
    base.wait_failed(bad, "E204")
    faulty.proxy.set(waits)
    top.wait_condition("Ready", "False", "DependencyNotReady", "E204")


def test_a_watch_that_is_cut_and_then_too_old_still_sees_drift(faulty: Faulty) -> None:
    sync = faulty.bench.synced(THREE)
    expired = times(2, refuse(410, "Expired"), lambda asked: asked.watch and "resourceVersion" in asked.query)
    faulty.proxy.arm(expired)
    faulty.proxy.cut_watches()
    faulty.bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("the edit is corrected", lambda: sync.config("a")["data"] == {"key": "1"})
    faulty.bench.api.delete(sync.at("configmaps", "b"))
    poll("the deletion is corrected", lambda: sync.live("configmaps", "b"))
