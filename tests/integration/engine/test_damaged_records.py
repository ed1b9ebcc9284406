"""Records and inventories that somebody cut, edited, copied or made too large: a clear state, and nothing is lost."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.operator_fixture import Bench, Json, Sync, config_map, poll

RECORD = "sluice.dev/record"


@pytest.fixture(autouse=True)
def running(bench: Bench) -> None:
    """Start each test with a living operator, whatever the one before left."""
    bench.operator.ensure()


def secrets_of(bench: Bench) -> str:
    return f"/api/v1/namespaces/{bench.namespace}/secrets"


def heads(bench: Bench) -> list[Json]:
    found = bench.api.get(f"{secrets_of(bench)}?labelSelector={RECORD}%3Dhead")
    return list((found or {})["items"])


def record_of(bench: Bench, sync: Sync) -> str:
    """The path of the Secret that holds the sync's record."""
    for item in heads(bench):
        if base64.b64decode(item["data"]["owner"]).decode() == f"{bench.namespace}/{sync.name}":
            return f"{secrets_of(bench)}/{item['metadata']['name']}"
    raise AssertionError("no record")


def text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def data_of(bench: Bench, path: str) -> dict[str, str]:
    found = bench.api.get(path)
    assert found is not None
    return dict(found["data"])


def written(bench: Bench, path: str) -> Any:
    """What the record says, of one that is in one piece."""
    return msgspec.json.decode(zlib.decompress(base64.b64decode(data_of(bench, path)["record"])))


def newer(record: Any) -> bytes:
    return zlib.compress(msgspec.json.encode({**record, "format": 99, "entries": {"of": "another kind"}}))


def deep(record: Any) -> bytes:
    return zlib.compress(b'{"format":3,"new":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


BROKEN: list[tuple[str, Callable[[Any], bytes], str]] = [
    ("is of a newer version", newer, "E370"),
    ("is nested so deep that no reader ends well", deep, "E320"),
]


@pytest.mark.parametrize(("what", "edit", "code"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_record_stops_its_sync_alone_and_prunes_nothing_when_it(
    bench: Bench, what: str, edit: Callable[[Any], bytes], code: str
) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    other = bench.synced({"a.yaml": config_map("a")})
    bench.operator.stop()
    path = record_of(bench, sync)
    whole = data_of(bench, path)["record"]
    bench.api.patch(path, {"data": {"record": text(edit(written(bench, path)))}})
    revision = sync.commit({"a.yaml": None, "b.yaml": config_map("b", "2")})
    audit = bench.audit()
    bench.operator.start()
    sync.wait_failed(revision, code)
    assert sync.writes(audit) == []
    assert sync.live("configmaps", "a") is not None
    other.wait_ready(other.push({"a.yaml": config_map("a", "2")}))
    bench.api.patch(path, {"data": {"record": whole}})
    sync.request()
    sync.wait_ready(revision)
    assert sync.live("configmaps", "a") is None


def test_a_record_that_lacks_a_chunk_says_which_and_prunes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.runtime.record_store.CHUNK_BYTES", 256)
    sync = bench.synced({f"{n}.yaml": config_map(f"c{n}") for n in range(8)})
    bench.operator.stop()
    chunk = base64.b64decode(data_of(bench, record_of(bench, sync))["chunks"]).decode().split(",")[0]
    bench.api.delete(f"{secrets_of(bench)}/{chunk}")
    revision = sync.commit({"0.yaml": None})
    audit = bench.audit()
    bench.operator.start()
    message = sync.wait_failed(revision, "E320")
    assert f"Secret {bench.namespace}/{chunk} does not exist" in message
    assert sync.writes(audit) == []


@pytest.mark.parametrize("chunks", ["bootstrap-token", "../configmaps/x", ",".join(["x"] * 1000)])
def test_a_record_that_names_other_secrets_as_its_chunks_reads_none_of_them(bench: Bench, chunks: str) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.operator.stop()
    bench.api.patch(record_of(bench, sync), {"data": {"chunks": text(chunks.encode())}})
    audit = bench.audit()
    bench.operator.start()
    sync.wait_condition("Ready", "False", text="E320")
    asked = {r.path for r in audit.requests(bench.agent)}
    assert not [path for path in asked if path.endswith((chunks, "/x"))]


def test_a_copy_of_a_record_under_another_name_is_not_taken_for_the_record(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    copied = data_of(bench, record_of(bench, sync))
    sync.wait_ready(sync.push({"b.yaml": config_map("b")}))
    bench.operator.stop()
    metadata = {"name": "zz-backup", "labels": {RECORD: "head"}}
    bench.api.create(secrets_of(bench), {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": copied})
    bench.operator.start()
    sync.wait_ready(sync.push({"b.yaml": None}))
    assert sync.live("configmaps", "b") is None, "the record knows it; the older copy does not"
    assert bench.api.get(f"{secrets_of(bench)}/zz-backup") is not None
    bench.api.delete(f"{secrets_of(bench)}/zz-backup")


EDITS: list[tuple[str, Json]] = [
    ("lost its label", {"metadata": {"labels": None}}),
    ("had its owner edited", {"data": {"owner": text(b"\xff\xfe")}}),
    ("got a label of somebody", {"metadata": {"labels": {"backup": "yes"}}}),
]


@pytest.mark.parametrize(("what", "edit"), EDITS, ids=[e[0] for e in EDITS])
def test_a_record_is_still_known_after_a_restart_when_it(bench: Bench, what: str, edit: Json) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    bench.operator.stop()
    bench.api.patch(record_of(bench, sync), edit)
    bench.operator.start()
    sync.wait_ready(sync.push({"b.yaml": None}))
    assert sync.live("configmaps", "b") is None
    assert written(bench, record_of(bench, sync))["owner"] == f"{bench.namespace}/{sync.name}"


def test_labels_that_somebody_puts_on_a_record_under_a_running_operator_stop_nothing(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.api.patch(record_of(bench, sync), {"metadata": {"annotations": {"backup": "done"}}})
    sync.wait_ready(sync.push({"b.yaml": config_map("b")}))


def test_a_record_edited_under_a_running_operator_stops_its_sync_until_a_restart(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    path = record_of(bench, sync)
    earlier = data_of(bench, path)
    sync.wait_ready(sync.push({"b.yaml": config_map("b")}))
    bench.api.patch(path, {"data": earlier})  # as a backup that was restored would do
    audit = bench.audit()
    revision = sync.push({"c.yaml": config_map("c")})
    assert path.rpartition("/")[2] in sync.wait_failed(revision, "E372")
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    bench.operator.restart()
    sync.wait_ready(revision)
    assert sync.inventory() == [f"{sync.target}_{n}__ConfigMap" for n in "abc"]


def test_a_record_that_would_be_too_large_is_refused_before_the_first_write(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    monkeypatch.setattr("sluice.core.record.MAX_WRITTEN", 2048)
    audit = bench.audit()
    revision = sync.push({f"{n}.yaml": config_map(f"c{n}") for n in range(40)})
    message = sync.wait_failed(revision, "E371")
    assert "41 objects" in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    monkeypatch.undo()
    sync.request()
    sync.wait_ready(revision)


def test_an_inventory_that_somebody_edited_in_status_changes_nothing_while_there_is_a_record(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    entries = [{"id": f"{sync.target}_kube-root-ca.crt__ConfigMap", "v": "v1"}]
    status, answer = bench.api.request(
        "PATCH",
        f"{sync.path}/status",
        {"status": {"inventory": {"entries": entries}}},
        "application/merge-patch+json",
    )
    assert status == 200, answer
    bench.operator.restart()
    sync.wait_ready(sync.push({"b.yaml": None}))
    poll("b is gone", lambda: sync.live("configmaps", "b") is None)
    assert sync.live("configmaps", "kube-root-ca.crt") is not None
    assert sync.inventory() == [f"{sync.target}_a__ConfigMap"]
