"""Far more than anybody has: fifty thousand objects in one sync, and ten thousand syncs. They print what it took."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from tests.faults.lane import Lane, open_lane
from tests.operator_fixture import CRDS, SYNCS, Api, Json, Sync, condition, config_map, free_port, poll

OBJECTS = 50_000
MANY = 10_000
PER_FILE = 1000
HOUR = 3600.0
# What `sluice install` gives the container.
MEMORY_MB = 1024
LARGEST_SECRET = 1_000_000
LARGEST_OBJECT = 1_500_000


@contextmanager
def opened(cluster: Cluster, root: Path, *flags: str) -> Iterator[Lane]:
    cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=20s", "crd", "--all")
    with GitHttpServer(root / "git") as git, open_lane(cluster, git, root, (), flags) as lane:
        yield lane


@pytest.mark.soak
@pytest.mark.timeout(2 * int(HOUR))
def test_f067_fifty_thousand_objects_in_one_sync_are_applied_within_the_memory_of_an_installation(
    fresh_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    with opened(fresh_cluster(fairness=False), tmp_path) as lane:
        api, sync = lane.bench.api, lane.bench.source()
        names = [f"c{number:05}" for number in range(OBJECTS)]
        parts = {f"{at}.yaml": names[at : at + PER_FILE] for at in range(0, OBJECTS, PER_FILE)}
        revision = sync.commit({name: "---\n".join(map(config_map, part)) for name, part in parts.items()})
        sync.create_source(timeout="10m")
        began = time.monotonic()
        sync.create(timeout="1h")
        sync.wait_ready(revision, HOUR)
        print(f"{OBJECTS} objects: {time.monotonic() - began:.0f} s, {peak_mb(lane)} MB")
        assert total(api, sync) == OBJECTS
        # One of them is changed, and one is taken out: the others are what they were.
        last, untouched = names[-1], sync.config(names[0])
        changed = [config_map(name, "2" if name == last else "1") for name in names[-PER_FILE + 1 :]]
        revision = sync.push({f"{OBJECTS - PER_FILE}.yaml": "---\n".join(changed)})
        sync.wait_ready(revision, HOUR)
        assert total(api, sync) == OBJECTS - 1
        assert sync.config(last)["data"]["key"] == "2"
        assert sync.config(names[0]) == untouched
        assert peak_mb(lane) < MEMORY_MB
        held = api.get(f"/api/v1/namespaces/{lane.bench.namespace}/secrets")
        assert held is not None
        assert max(len(json.dumps(secret)) for secret in held["items"]) < LARGEST_SECRET
        assert len(json.dumps(sync.get())) < LARGEST_OBJECT


@pytest.mark.soak
@pytest.mark.timeout(2 * int(HOUR))
def test_f069_ten_thousand_syncs_all_become_ready_and_a_commit_for_one_is_live_without_the_others(
    fresh_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    port = free_port()
    with opened(fresh_cluster(fairness=False), tmp_path, f"--metrics-addr=127.0.0.1:{port}") as lane:
        sync = lane.bench.source()
        revision = sync.commit({f"{number}/a.yaml": config_map(f"c{number}") for number in range(MANY)})
        sync.create_source(timeout="10m")
        members = [Sync(lane.bench, f"m{number:05}", sync.target, sync.repo) for number in range(MANY)]
        began = time.monotonic()
        for number, member in enumerate(members):
            member.create(sourceRef={"kind": "GitRepository", "name": sync.name}, path=f"./{number}", interval="10h")
        poll("all are ready", partial(all_ready, lane.bench.api, lane, revision), HOUR)
        print(
            f"{MANY} syncs: {time.monotonic() - began:.0f} s, {peak_mb(lane)} MB, waited {p99(port)} s at most of 99 %"
        )
        assert total(lane.bench.api, sync) == MANY
        began = time.monotonic()
        revision = sync.push({"7/a.yaml": config_map("c7", "2")})
        members[7].wait_ready(revision, HOUR)
        print(f"one of them: {time.monotonic() - began:.1f} s")
        assert members[7].config("c7")["data"]["key"] == "2"
        poll("all are at the commit", partial(all_ready, lane.bench.api, lane, revision), HOUR)
        assert peak_mb(lane) < MEMORY_MB


def pages(api: Api, path: str) -> Iterator[Json]:
    """Every object of a collection."""
    more = ""
    while True:
        page = api.get(f"{path}?limit=500{more}")
        assert page is not None
        yield from page["items"]
        if not page["metadata"].get("continue"):
            return
        more = f"&continue={page['metadata']['continue']}"


def all_ready(api: Api, lane: Lane, revision: str) -> bool:
    found = pages(api, f"{SYNCS}/namespaces/{lane.bench.namespace}/kustomizations")
    return all(
        condition(each, "Ready").get("status") == "True" and each["status"].get("lastAppliedRevision") == revision
        for each in found
    )


def total(api: Api, sync: Sync) -> int:
    """The ConfigMaps of its namespace that it may have made."""
    found = api.get(f"/api/v1/namespaces/{sync.target}/configmaps?limit=1")
    assert found is not None
    # One is the namespace's own.
    return len(found["items"]) + int(found["metadata"].get("remainingItemCount", 0)) - 1


def peak_mb(lane: Lane) -> int:
    """The most memory that the operator ever had."""
    status = Path(f"/proc/{lane.operator.pid}/status").read_text()
    return next(int(line.split()[1]) >> 10 for line in status.splitlines() if line.startswith("VmHWM"))


def p99(port: int) -> float:
    """How long 99 % of the turns of Kustomizations waited at most, by the buckets of the metric."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    of_syncs = [
        line
        for line in lines
        if line.startswith("workqueue_queue_duration_seconds_bucket{") and '="kustomization"' in line
    ]
    buckets = [(float(line.split('le="')[1].split('"')[0]), float(line.split()[-1])) for line in of_syncs]
    return next(bound for bound, count in sorted(buckets) if count >= 0.99 * max(n for _, n in buckets))
