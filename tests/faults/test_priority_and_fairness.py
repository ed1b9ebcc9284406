"""The API server gives the operator one seat: everything is slower, and a small sync does not wait for a large one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from sluice.kube.config import load_kubeconfig
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import CRDS, Api, Bench, Json, LogCapture, OpenBench, Sync, config_map, poll, settings_for

OBJECTS = 2000  # so many that it is not done while a small one goes its whole way
SECONDS = 240.0
FLOWCONTROL = "/apis/flowcontrol.apiserver.k8s.io/v1"
# 100 requests at once for everybody, of which a share of one in some 250 is one seat.
LIMITS = ("--max-requests-inflight=80", "--max-mutating-requests-inflight=20")


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_f043_with_one_seat_a_small_sync_goes_on_beside_a_large_one_and_both_come_to_their_revision(
    fresh_cluster: Callable[..., Cluster], log_capture: LogCapture, tmp_path: Path
) -> None:
    cluster = fresh_cluster(api_server_flags=LIMITS)
    cluster.kubectl("apply", "--server-side", "-f", str(CRDS))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=20s", "crd", "--all")
    home = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, home)
    with closing(Api(cluster)) as api:
        access = load_kubeconfig(kubeconfig(cluster, tmp_path, account(api, home)))
        starve(api, home)
    with OpenBench(cluster, tmp_path, log_capture, settings_for(home, tmp_path), access) as bench:
        assert measured(bench, "nominal_limit_seats") == 1
        large, small = bench.synced(files(2, "0")), bench.synced(files(1, "0"))
        wanted = files(OBJECTS, "1")
        slow = large.push(wanted)
        poll("it is in the middle", lambda: large.live("configmaps", "c3"), SECONDS)
        quick = small.push(files(1, "1"))
        small.wait_ready(quick, SECONDS)
        assert large.status["lastAppliedRevision"] != slow, "it waited for the large one"
        large.wait_ready(slow, SECONDS)
        assert measured(bench, "request_wait_duration_seconds_count", 'execute="true"') > OBJECTS
        assert [*wrong(bench, large, wanted), *wrong(bench, small, files(1, "1"))] == []


def files(count: int, value: str) -> dict[str, str]:
    return {f"{n}.yaml": config_map(f"c{n}", value) for n in range(count)}


def wrong(bench: Bench, sync: Sync, wanted: dict[str, str]) -> list[str]:
    live = owned_by(bench.api, sync)
    return judge(live, desired_of(wanted, sync.target), {}, record_of(bench.api, sync), exact=False).wrong


def account(api: Api, namespace: str) -> str:
    """The token of an account that may do everything, and is not exempt as the admin's certificate is."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    body: Json = {"metadata": {"name": namespace}, "roleRef": role, "subjects": [subject]}
    api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", body)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
    return str(api.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"])


def kubeconfig(cluster: Cluster, folder: Path, token: str) -> Path:
    server = {"server": cluster.server, "certificate-authority": str(cluster.ca)}
    parts: dict[str, Any] = {
        "clusters": [{"name": "c", "cluster": server}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    context = {"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "current-context": "c"}
    path = folder / "starved.kubeconfig"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **parts, **context}))
    return path


def starve(api: Api, namespace: str) -> None:
    """One seat for all that the operator asks, and a line before it."""
    queue = {"type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": 100}}
    limited = {"nominalConcurrencyShares": 1, "lendablePercent": 0, "borrowingLimitPercent": 0, "limitResponse": queue}
    level = {"metadata": {"name": "starved"}, "spec": {"type": "Limited", "limited": limited}}
    api.create(f"{FLOWCONTROL}/prioritylevelconfigurations", level)
    who = {"kind": "ServiceAccount", "serviceAccount": {"namespace": namespace, "name": "default"}}
    every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    others = {"verbs": ["*"], "nonResourceURLs": ["*"]}
    rules = [{"subjects": [who], "resourceRules": [every], "nonResourceRules": [others]}]
    spec = {"priorityLevelConfiguration": {"name": "starved"}, "matchingPrecedence": 2, "rules": rules}
    api.create(f"{FLOWCONTROL}/flowschemas", {"metadata": {"name": "starved"}, "spec": spec})


def measured(bench: Bench, name: str, *labels: str) -> float:
    """What the API server says of our priority level."""
    text = bench.api.request("GET", "/metrics")[1]["text"]
    wanted = ('priority_level="starved"', *labels)
    lines = [line for line in text.splitlines() if line.startswith(f"apiserver_flowcontrol_{name}{{")]
    return sum(float(line.split()[-1]) for line in lines if all(label in line for label in wanted))
