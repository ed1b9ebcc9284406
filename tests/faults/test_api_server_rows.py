"""The API server or the way to it is bad for a while, in one way a row: the revision takes effect wholly all the same.

Each row breaks some requests of an update that changes, adds and removes objects, and is put to every check of
`tests.faults.checks`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random

import pytest

from sluice.runtime.record_secret import head_name
from tests.faults.checks import Checked
from tests.faults.conftest import Faulty
from tests.faults.fault_proxy import DROP, LOSE_ANSWER, Asked, Decide, Fault, refuse
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import FAILING_JOB, config_map, deployment, poll

BEFORE = {f"c{n}.yaml": config_map(f"c{n}") for n in range(12)} | {"web.yaml": deployment("web", "nginx:1")}
AFTER = {f"c{n}.yaml": config_map(f"c{n}", "2") for n in range(3, 24)} | {"web.yaml": deployment("web", "nginx:2")}


@pytest.fixture(autouse=True)
def unharmed(faulty: Faulty) -> Iterator[None]:
    yield
    faulty.proxy.arm()


Matches = Callable[[Asked], bool]


def first(count: int, fault: Fault, matches: Matches) -> Decide:
    """The first so many that match."""
    left = [count]

    def decide(asked: Asked) -> Fault | None:
        if not left[0] or not matches(asked):
            return None
        left[0] -= 1
        return fault

    return decide


def some(percent: int, faults: tuple[Fault, ...], matches: Matches) -> Decide:
    """A part of those that match, by a fixed seed."""
    rng = Random(7)
    return lambda asked: rng.choice(faults) if matches(asked) and rng.randrange(100) < percent else None


def is_apply(asked: Asked) -> bool:
    return bool(asked.number) and asked.method == "PATCH" and "/namespaces/s-" in asked.path


def is_delete(asked: Asked) -> bool:
    return asked.method == "DELETE"


def is_record(asked: Asked) -> bool:
    return bool(asked.number) and "/secrets" in asked.path


def is_status(asked: Asked) -> bool:
    return asked.method == "PATCH" and asked.path.endswith("/status")


def is_request(asked: Asked) -> bool:
    # Events may be lost with their requests, status says the same: and they are what the telling is counted by.
    return not asked.watch and "/leases" not in asked.path and not asked.path.endswith("/events")


def is_list(asked: Asked) -> bool:
    return asked.method == "GET" and not asked.watch and asked.path.endswith("/configmaps")


def cut_short(body: bytes) -> bytes:
    return body[: len(body) // 2]


def emptied(body: bytes) -> bytes:
    return json.dumps({**json.loads(body), "items": []}).encode()


def etcd_moved(code: int, text: str) -> Fault:
    """What the API server passes on when etcd changes its leader in the middle of a write: taken or not, who knows."""
    return Fault(
        edit=lambda _: json.dumps({"kind": "Status", "status": "Failure", "message": text, "code": code}).encode()
    )


SLOW = tuple(Fault(delay=delay) for delay in (0.0, 0.2, 0.5, 1.0))
ERRORS = tuple(
    refuse(code, reason) for code, reason in ((500, "InternalError"), (502, ""), (503, ""), (504, "Timeout"))
)

ROWS: dict[str, Decide] = {
    "F016 the answers of the first applies are lost": first(6, LOSE_ANSWER, is_apply),
    "F016 the answers of the first deletions are lost": first(3, LOSE_ANSWER, is_delete),
    "F017 a third of the requests is reset before it is forwarded": some(30, (DROP,), is_request),
    "F018 requests take up to a second, as they like": some(60, SLOW, is_request),
    "F019 every answer comes at 10 kB/s": lambda asked: Fault(rate=10_000) if is_request(asked) else None,
    "F020 the first applies are told to wait": first(8, refuse(429, "TooManyRequests", retry_after=1), is_apply),
    "F021 half of the applies and deletions meet a server error": some(
        50, ERRORS, lambda a: is_apply(a) or is_delete(a)
    ),
    "F021 the first writes of the record meet a server error": first(3, ERRORS[0], is_record),
    "F026 a list comes cut short, as if whole": first(2, Fault(edit=cut_short), is_list),
    "F028 a list is forbidden for a while": first(2, refuse(403, "Forbidden"), is_list),
    "F039 etcd changed its leader during the first applies": first(
        3, refuse(500, "etcdserver: leader changed"), is_apply
    ),
}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_update_takes_effect_wholly_although(faulty: Faulty, row: str) -> None:
    checked = Checked.of(faulty, BEFORE, retryInterval="1s")
    met: list[Asked] = []

    def decide(asked: Asked) -> Fault | None:
        fault = ROWS[row](asked)
        if fault is not None:
            met.append(asked)
        return fault

    faulty.proxy.arm(decide)
    revisions = checked.push({**AFTER, **{name: None for name in BEFORE if name not in AFTER}})
    checked.wait_ready(revisions, AFTER)
    assert met, "the fault was never met"
    assert checked.wrong(AFTER, revisions[0]) == []


def test_f023_the_first_write_of_each_status_conflicts_and_the_one_that_says_how_the_revision_ended(
    faulty: Faulty,
) -> None:
    checked = Checked.of(faulty, BEFORE, retryInterval="1s")
    sync, passed, refused = checked.sync, list[str](), list[str]()
    record, status = head_name(f"{sync.namespace}/{sync.name}"), f"{sync.path}/status"

    def decide(asked: Asked) -> Fault | None:
        """Once its record is written after the deletions, the revision has ended: that is what status says next."""
        if is_delete(asked):
            passed.append("deletion")
        elif passed and asked.number and asked.path.endswith(record):
            passed.append("record")
        is_end = asked.path == status and "record" in passed and "end" not in passed
        if not is_status(asked) or (asked.path in refused and not is_end):
            return None
        refused.append(asked.path)
        passed.extend(["end"] * is_end)
        return refuse(409, "Conflict")

    faulty.proxy.arm(decide)
    revisions = checked.push({**AFTER, **{name: None for name in BEFORE if name not in AFTER}})
    checked.wait_ready(revisions, AFTER)
    assert "end" in passed
    assert checked.wrong(AFTER, revisions[0]) == []


def test_f027_a_list_that_is_wrongly_empty_makes_nothing_be_deleted_or_recreated(faulty: Faulty) -> None:
    sync = faulty.bench.synced(BEFORE)
    place = sync.at("configmaps", "x").rpartition("/")[0]
    theirs = [f"c{n}" for n in range(12, 24)]
    for name in theirs:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"mine": "yes"}}
        faulty.bench.api.create(place, body)
    uids = {name: sync.config(name)["metadata"]["uid"] for name in theirs}
    audit = faulty.bench.audit()
    met: list[Asked] = []

    def empty(asked: Asked) -> Fault | None:
        if not is_list(asked):
            return None
        met.append(asked)
        return Fault(edit=emptied)

    faulty.proxy.arm(empty)
    sync.wait_ready(sync.push({f"{name}.yaml": config_map(name) for name in theirs}))
    assert met
    assert {name: sync.config(name)["metadata"]["uid"] for name in theirs} == uids
    assert {sync.config(name)["data"]["mine"] for name in theirs} == {"yes"}
    assert [w for w in sync.writes(audit) if w.verb == "delete"] == []


def test_f063_an_apply_that_is_forbidden_half_way_is_named_and_what_was_written_is_undone(faulty: Faulty) -> None:
    sync = faulty.bench.synced(BEFORE)
    before = owned_by(faulty.bench.api, sync)
    faulty.proxy.arm(first(1, refuse(403, "Forbidden"), lambda asked: is_apply(asked) and asked.path.endswith("/c5")))
    message = sync.wait_failed(sync.push(AFTER), "says Forbidden", reason="Undone")
    assert "c5" in message
    live, record = owned_by(faulty.bench.api, sync), record_of(faulty.bench.api, sync)
    assert judge(live, desired_of(BEFORE, sync.target), before, record, exact=True).wrong == []


def test_f034_what_stale_reads_and_a_late_watch_show_as_ours_is_not_deleted_when_it_is_another_object(
    faulty: Faulty,
) -> None:
    sync, api = faulty.bench.synced({f"{n}.yaml": config_map(n) for n in "abc"}, retryInterval="1s"), faulty.bench.api
    first: dict[str, bytes] = {}

    def behind(asked: Asked) -> Fault | None:
        """An API server that shows each ConfigMap as it was first read, and tells nothing new of `c`."""
        if asked.watch and asked.path.endswith("/configmaps"):
            return Fault(retell=lambda line: () if b'"name":"c"' in line else (line,))
        if asked.method != "GET" or f"/namespaces/{sync.target}/configmaps/" not in asked.path:
            return None
        return Fault(edit=lambda body: body if b'"kind":"Status"' in body else first.setdefault(asked.path, body))

    faulty.proxy.arm(behind)
    faulty.proxy.cut_watches()
    sync.wait_ready(sync.push({f"{n}.yaml": config_map(n, "2") for n in "abc"}))
    assert any(path.endswith("/c") for path in first), "nothing of it was read, so nothing can be stale"
    old = sync.config("c")
    api.delete(sync.at("configmaps", "c"))
    labels = old["metadata"]["labels"]
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": labels}, "data": {"k": "1"}}
    uid = api.create(sync.at("configmaps", "c").rpartition("/")[0], theirs)["metadata"]["uid"]
    audit = faulty.bench.audit()
    head = sync.push({"a.yaml": config_map("a", "3"), "c.yaml": None})
    poll("its deletion was tried", lambda: [w for w in sync.writes(audit) if w.verb == "delete"])
    poll("the rest is there", lambda: sync.config("a")["data"] == {"key": "3"})
    assert {w.status for w in sync.writes(audit) if w.verb == "delete"} == {409}
    faulty.proxy.arm()
    faulty.proxy.cut_watches()
    sync.request(sync.path)
    sync.wait_ready(head)
    assert sync.config("c")["metadata"]["uid"] == uid


def test_an_undo_that_is_denied_names_what_is_left_goes_on_trying_and_ends(faulty: Faulty) -> None:
    sync = faulty.bench.synced(BEFORE, wait=True)
    before, applied = owned_by(faulty.bench.api, sync), list[str]()

    def deny(asked: Asked) -> Fault | None:
        if not asked.number or not asked.path.endswith("/configmaps/c5"):
            return None
        applied.append(asked.method)
        return refuse(403, "Forbidden") if len(applied) > 1 else None  # the first is the revision's own

    faulty.proxy.arm(deny)
    change = {f"c{n}.yaml": config_map(f"c{n}", "2") for n in (5, 6)}
    revision = sync.push({**change, "job.yaml": FAILING_JOB})
    message = sync.wait_failed(revision, "[E323]", reason="UndoFailed")
    assert f"ConfigMap {sync.target}/c5 is not as it was before" in message
    assert "migrate" in message, "the first cause is told, too"
    assert sync.config("c6")["data"] == {"key": "1"}, "the rest is taken back"
    tried = len(applied)
    poll("it is tried again", lambda: len(applied) > tried)
    faulty.proxy.arm()
    sync.wait_failed(revision, reason="Undone")
    live, record = owned_by(faulty.bench.api, sync), record_of(faulty.bench.api, sync)
    assert judge(live, desired_of(BEFORE, sync.target), before, record, exact=True).wrong == []
