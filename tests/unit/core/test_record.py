"""The durable record of a sync, as bytes."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from dataclasses import replace
from typing import Any

import pytest

from sluice.core import codes
from sluice.core.before_image import BeforeImage
from sluice.core.errors import StateError
from sluice.core.history import Past
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.plan import Owner
from sluice.core.problem import Origin, Problem
from sluice.core.record import MAX_BYTES, FailedRevision, Record, decode_record, encode_record
from sluice.core.shares import Shares
from sluice.core.transaction_messages import (
    Phase,
    UndoTarget,
)
from tests.plans import entry, manifest

RECORD = Record(
    "shop/web", 7, Phase.APPLYING, "main@sha1:0123", Inventory([entry(manifest("ConfigMap", n)) for n in "abc"])
)


def stored(**changes: Any) -> bytes:
    value = json.loads(zlib.decompress(encode_record(RECORD)))
    return zlib.compress(json.dumps({**value, **changes}).encode())


def test_a_record_is_read_back_as_it_was() -> None:
    assert decode_record(encode_record(RECORD)) == RECORD
    assert encode_record(decode_record(encode_record(RECORD))) == encode_record(RECORD)


@pytest.mark.parametrize("name", ["system:node", "a__b", "a:_b", "a_:b", "_", ":"])
def test_no_name_is_changed_on_the_way(name: str) -> None:
    role = Entry(ResourceId("rbac.authorization.k8s.io", "ClusterRole", "", name), "rbac.authorization.k8s.io/v1", "u")
    record = Record("shop/web", 1, Phase.DONE, "", Inventory([role]))
    assert decode_record(encode_record(record)) == record


BOMB = zlib.compress(b" " * (MAX_BYTES + 1024))
BROKEN = [
    ("it is empty", b""),
    ("it is no zlib stream", b"garbage"),
    ("it is cut", encode_record(RECORD)[:-3]),
    ("a byte was edited", encode_record(RECORD)[:40] + b"\0" + encode_record(RECORD)[41:]),
    ("something follows it", encode_record(RECORD) + b"x"),
    ("it is no JSON", zlib.compress(b"hello")),
    ("it is another JSON", zlib.compress(b"[]")),
    ("it is nested deeper than a reader can follow", zlib.compress(b'{"x":' + b"[" * 100_000)),
    ("it is a group's and names no member", stored(format=4)),
    ("it is a single sync's and names members", stored(members=["shop/web"], owners=[0, 0, 0])),
    ("it says of too few entries whose they are", stored(format=4, members=["shop/web"], owners=[0, 0])),
    ("it names a member that it does not have", stored(format=4, members=["shop/web"], owners=[0, 1, 0])),
    ("it counts members from the end", stored(format=4, members=["shop/web"], owners=[0, -1, 0])),
    ("its member is no name", stored(format=4, members=["web"], owners=[0, 0, 0])),
    ("its phase is unknown", stored(phase="Guessing")),
    ("an entry lacks parts", stored(entries=[["a"]])),
    ("an entry's digest is no base64", stored(entries=[["", "ConfigMap", "shop", "a", "v1", "u", "?", ""]])),
    ("it is a bomb", BOMB),
]


@pytest.mark.parametrize(("why", "data"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_record_is_refused_with_a_way_to_recover_when(why: str, data: bytes) -> None:
    with pytest.raises(StateError) as caught:
        decode_record(data)
    (problem,) = caught.value.problems
    assert problem.code is codes.RECORD_UNREADABLE, why
    assert problem.cause
    assert "never pruned" in problem.fix


@pytest.mark.parametrize(("number", "whose"), [(5, "a newer"), (0, "another")])
def test_a_record_of_a_format_that_is_not_known_names_the_way_out(number: int, whose: str) -> None:
    with pytest.raises(StateError, match=f"{whose} version") as caught:
        decode_record(stored(format=number, entries={"laid out": "otherwise"}))
    assert caught.value.problems[0].code is codes.RECORD_VERSION


@pytest.mark.parametrize("phase", [Phase.APPLYING, Phase.UNDOING])
def test_a_record_is_not_written_larger_than_it_could_be_read_and_an_intent_leaves_room(
    monkeypatch: pytest.MonkeyPatch, phase: Phase
) -> None:
    size = len(zlib.decompress(encode_record(replace(RECORD, phase=phase))))
    monkeypatch.setattr("sluice.core.record.MAX_WRITTEN", size - 1)
    monkeypatch.setattr("sluice.core.record.MAX_BYTES", size)
    if phase is Phase.UNDOING:
        assert encode_record(replace(RECORD, phase=phase))
        monkeypatch.setattr("sluice.core.record.MAX_BYTES", size - 1)
    with pytest.raises(StateError, match="MiB large"):
        encode_record(replace(RECORD, phase=phase))


def test_a_bomb_is_given_up_at_the_limit() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(StateError):
            decode_record(BOMB)
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_a_large_inventory_stays_small() -> None:
    many = Inventory([entry(manifest("ConfigMap", f"config-{n:05}"), f"{n:032x}") for n in range(1001)])
    assert len(encode_record(Record("shop/web", 1, Phase.DONE, "main@sha1:0", many))) < 100_000


IMAGE = BeforeImage(ResourceId("apps", "Deployment", "shop", "web"), "apps/v1", "u1", b'{"spec":{}}', b"[]")
PROBLEM = Problem(
    codes.HEALTH_FAILED, "it failed", ResourceId("", "Pod", "shop", "p"), Origin("a.yaml:3@abc"), cause="why"
)


def test_the_way_back_and_the_failed_revision_are_read_back() -> None:
    target = UndoTarget(RECORD.inventory, {IMAGE.id: IMAGE})
    failed = FailedRevision("digest", (PROBLEM,), frozenset({"now", "then"}))
    record = replace(RECORD, phase=Phase.UNDOING, target=target, failed=failed)
    assert decode_record(encode_record(record)) == record


def test_a_record_of_a_group_says_whose_each_object_is_and_was() -> None:
    a, b, c = (e.id for e in RECORD.inventory)
    web, api = Owner("shop", "web"), Owner("shop", "api")
    before = Inventory(e for e in RECORD.inventory if e.id != c)
    shares = Shares((api, web), {a: api, b: web, c: web}, {a: web, b: web}, {web: "deployer"})
    record = replace(RECORD, owner="shop/group:all", target=UndoTarget(before, {}), shares=shares)
    read = decode_record(encode_record(record))
    assert read == record
    assert json.loads(zlib.decompress(encode_record(record)))["format"] == 4


def test_a_single_sync_s_record_keeps_the_format_that_older_versions_read() -> None:
    assert json.loads(zlib.decompress(encode_record(RECORD)))["format"] == 3
    assert "members" not in json.loads(zlib.decompress(encode_record(RECORD)))


def test_a_failed_revision_recorded_without_its_requests_has_answered_none() -> None:
    record = decode_record(stored(failed={"inputs": "digest", "problems": []}))
    assert record.failed == FailedRevision("digest", ())


def test_a_record_of_format_1_reads_as_one_without_a_way_back() -> None:
    record = decode_record(stored(format=1))
    assert record.target is None
    assert record.failed is None


def test_a_record_of_format_2_has_the_revision_it_committed_for_a_history() -> None:
    assert decode_record(stored(format=2, phase="Done")).history == (Past("main@sha1:0123"),)
    assert decode_record(stored(format=2, phase="Applying")).history == ()
    assert decode_record(stored(format=3, phase="Done")).history == ()
