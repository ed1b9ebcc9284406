"""Several things at once that an upgrade may meet: each is named, and when they are over all is as git has it."""

from __future__ import annotations

import base64
import json
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.fault_proxy import Asked, Fault
from tests.faults.lane import Lane, open_lane
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import Sync, condition, config_map, poll

SECONDS = 60.0
OLD_KEY, NEW_KEY = "canary-old-71c3f0", "canary-new-9d02ae"
DISK_MB = 32


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own for the operator's storage. Only root can make one."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def lane(cluster: Cluster, crds: None, small_disk: Path, tmp_path: Path) -> Iterator[Lane]:
    flags = ("--git-insecure-http-credentials=true",)
    with GitHttpServer(tmp_path / "git") as git, open_lane(cluster, git, tmp_path, flags=flags) as opened:
        opened.operator.stop()
        opened.operator.storage = small_disk / "data"
        opened.operator.start()
        opened.operator.wait_ready()
        yield opened


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_f131_an_upgrade_in_the_middle_with_a_full_disk_and_another_key_is_named_and_comes_to_the_head(
    lane: Lane, small_disk: Path
) -> None:
    api, sync = lane.bench.api, lane.bench.source()
    first = sync.commit(files(20, "1"))
    demand(lane, sync, OLD_KEY)
    secret = f"/api/v1/namespaces/{sync.namespace}/secrets/{sync.name}"
    body = {"metadata": {"name": sync.name}, "stringData": {"username": "git", "password": OLD_KEY}}
    api.create(secret.rpartition("/")[0], body)
    sync.create_source(secretRef={"name": sync.name}, timeout="20s")
    sync.create()
    sync.wait_ready(first, SECONDS)
    before = owned_by(api, sync)

    def end(asked: Asked) -> Fault | None:
        middle = asked.number == 10 and "/configmaps/" in asked.path
        return Fault(after=lane.operator.kill) if middle else None

    lane.proxy.arm(end)
    sync.push(files(20, "2"))
    assert lane.operator.wait_dead(SECONDS)
    lane.proxy.settle()
    # It was an older version, which wrote records of format 2; the disk is full by now, and the key is another.
    written_by_an_older_version(lane, sync)
    filler = small_disk / "filler"
    fill(filler)
    demand(lane, sync, NEW_KEY)
    head = sync.push(files(20, "3"))
    lane.operator.start()
    wait_named(lane, sync, "No space left on device")
    filler.unlink()
    sync.request(sync.source_path)
    wait_named(lane, sync, "[E101]")
    api.patch(secret, {"stringData": {"password": NEW_KEY}})
    sync.request(sync.source_path)
    sync.wait_ready(head, SECONDS)
    found = judge(
        owned_by(api, sync), desired_of(files(20, "3"), sync.target), before, record_of(api, sync), exact=False
    )
    assert found.wrong == []
    said = lane.operator.log.read_text() + json.dumps(
        [sync.get(), api.get(sync.source_path), api.get(f"/api/v1/namespaces/{sync.namespace}/events")]
    )
    for key in (OLD_KEY, NEW_KEY):
        assert key not in said
        assert base64.b64encode(key.encode()).decode() not in said


def files(count: int, value: str) -> dict[str, str]:
    return {f"{n}.yaml": config_map(f"c{n}", value) for n in range(count)}


def demand(lane: Lane, sync: Sync, key: str) -> None:
    """The git host takes this key from now on, and no other; whoever commits here has it at once."""
    lane.bench.git.demand("git", key)
    header = base64.b64encode(f"git:{key}".encode()).decode()
    sync.repo.git("config", "http.extraHeader", f"Authorization: Basic {header}")


def written_by_an_older_version(lane: Lane, sync: Sync) -> None:
    """The record in the form of format 2, which had no history."""
    secrets = f"/api/v1/namespaces/{lane.bench.namespace}/secrets?labelSelector=sluice.dev/record%3Dhead"
    listed = lane.bench.api.get(secrets)
    owner = base64.b64encode(f"{sync.namespace}/{sync.name}".encode()).decode()
    [head] = [each for each in (listed or {})["items"] if each["data"]["owner"] == owner]
    record = json.loads(zlib.decompress(base64.b64decode(head["data"]["record"])))
    assert record["phase"] == "Applying"
    old = {key: value for key, value in record.items() if key not in {"history", "inputs"}} | {"format": 2}
    data = {"record": base64.b64encode(zlib.compress(json.dumps(old).encode())).decode()}
    lane.bench.api.patch(f"{secrets.partition('?')[0]}/{head['metadata']['name']}", {"data": data})


def fill(place: Path) -> None:
    """Leave no room on the disk that it is on."""
    with place.open("wb", buffering=0) as file:
        try:
            while file.write(b"0" * 4096):
                pass
        except OSError:
            return


def wait_named(lane: Lane, sync: Sync, words: str) -> None:
    """The fault is in the source's status, and the operator lives."""

    def named() -> bool:
        assert lane.operator.running, lane.operator.tail()
        found = lane.bench.api.get(sync.source_path)
        return found is not None and words in condition(found, "Ready").get("message", "")

    poll(f"{words} is named", named, SECONDS)
