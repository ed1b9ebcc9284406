"""The command line as people wait for it: whole processes, from their start to their end.

`cli_version`: `sluice --version`, median of 21. Reference: 0.1 s, the limit that is promised.
`cli_get_1000`: `get ks -A` and `status -A` with 1,000 Kustomizations of 25 objects each; the slower of both, median of
7. Reference: 0.4 s, the limit that is promised; `kubectl get ks -A` of the same run is printed beside it.
`why`: `why` of the last of five that wait for each other, of which the first fails, among those 1,000; median of 7.
Reference: 1 s, the limit that is promised. No operator runs: what it would have written is written by the bench.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from statistics import median
from typing import Any

from bench.figure import Figure, rounds
from bench.raw import RawApi
from bench.stand import prepare
from bench.sync import NAMESPACE, SOURCES, SYNCS, sync_body
from devcluster import Cluster, ClusterOptions, running_cluster
from devcluster.cluster import kubectl_path

FIGURES = ("cli_version", "cli_get_1000", "why")
SYNC_COUNT = 1_000
OBJECTS = 25
CHAIN = 5
IN_FLIGHT = 32
COMMIT = "a1b2c3d4" * 5
REVISION = f"main@sha1:{COMMIT}"
AT = "2026-01-01T00:00:00Z"
FAILED = (
    f"unknown field spec.replica [E204] Deployment shop/web at apps/web.yaml:7:3@{COMMIT[:7]}: no such field; fix: x"
)
SLUICE = (sys.executable, "-m", "sluice")


async def measure(names: Collection[str]) -> list[Figure]:
    """Those of the figures that are asked for."""
    found = []
    if FIGURES[0] in names:
        found.append(_version())
    if set(FIGURES[1:]) & set(names):
        async with running_cluster(ClusterOptions(fairness=False)) as cluster, RawApi(cluster) as api:
            await prepare(cluster, api)
            await _fill(api)
            found += await asyncio.to_thread(_in_cluster, cluster)
    return found


def _version() -> Figure:
    taken = [_seconds((*SLUICE, "--version"), {}) for _ in range(21)]
    bare = median(_seconds((sys.executable, "-c", "pass"), {}) for _ in range(5))
    return Figure(
        FIGURES[0], median(taken), "s", 0.1, (f"an empty Python program {bare:.3f} s; slowest {max(taken):.3f} s",)
    )


def _in_cluster(cluster: Cluster) -> list[Figure]:
    variables = {"KUBECONFIG": str(cluster.kubeconfig)}

    def taken(*command: str, code: int = 0) -> list[float]:
        _seconds(command, variables, code)  # the first reads programs and certificates from a cold disk
        return [_seconds(command, variables, code) for _ in range(7)]

    get = taken(*SLUICE, "get", "ks", "-A")
    status = taken(*SLUICE, "status", "-A", "--exit-zero")
    kubectl = taken(str(kubectl_path()), "get", "ks", "-A")
    why = taken(*SLUICE, "why", _name(CHAIN - 1), "-n", NAMESPACE, "--no-git", code=1)
    slower = max(median(get), median(status))
    notes = (f"get {rounds(get)}; status {rounds(status)}; kubectl get {rounds(kubectl)}",)
    return [
        Figure(FIGURES[1], slower, "s", 0.4, notes),
        Figure(FIGURES[2], median(why), "s", 1.0, (f"rounds {rounds(why)}",)),
    ]


def _seconds(command: Sequence[str], variables: Mapping[str, str], code: int = 0) -> float:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    began = time.perf_counter()
    done = subprocess.run(command, env=environment | dict(variables), capture_output=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode != code:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stderr.decode(errors='replace')[-2000:]}")
    return seconds


# --- what an operator would have left ---------------------------------------------------------------------------------


def _name(number: int) -> str:
    return f"sync-{number:04}"


async def _fill(api: RawApi) -> None:
    spec = {"url": "https://git.example/fleet.git", "interval": "12h"}
    head = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "fleet"}}
    await api.apply(f"{SOURCES}/fleet", json.dumps({**head, "spec": spec}).encode())
    artifact = {"digest": "sha256:0", "lastUpdateTime": AT, "path": "x", "revision": REVISION, "url": "http://x/x"}
    ready = _ready("True", "Succeeded", f"stored artifact for revision '{REVISION}'")
    await api.patch(
        f"{SOURCES}/fleet/status", {"status": {"conditions": ready, "artifact": artifact, "observedGeneration": 1}}
    )
    numbers = iter(range(SYNC_COUNT))

    async def work() -> None:
        for number in numbers:
            depends = [{"name": _name(number - 1)}] if 0 < number < CHAIN else []
            path = f"{SYNCS}/{_name(number)}"
            await api.apply(path, sync_body(_name(number), "./", dependsOn=depends))
            await api.patch(f"{path}/status", {"status": _status(number)})

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(work())


def _status(number: int) -> dict[str, Any]:
    entries = [{"id": f"shop_object-{number}-{n}__ConfigMap", "v": "v1"} for n in range(OBJECTS)]
    status: dict[str, Any] = {
        "observedGeneration": 1,
        "lastAppliedRevision": REVISION,
        "lastAttemptedRevision": REVISION,
        "inventory": {"entries": entries},
        "conditions": _ready("True", "ReconciliationSucceeded", f"Applied revision: {REVISION}"),
    }
    if number == 0:
        status["conditions"] = _ready("False", "BuildFailed", FAILED)
    elif number < CHAIN:
        text = f"dependency '{NAMESPACE}/{_name(number - 1)}' is not ready [E306]"
        status["conditions"] = _ready("False", "DependencyNotReady", text)
    return status


def _ready(status: str, reason: str, message: str) -> list[dict[str, Any]]:
    words = {"type": "Ready", "status": status, "reason": reason, "message": message}
    return [{**words, "lastTransitionTime": AT, "observedGeneration": 1}]
