"""Two operators in one cluster: the one that holds the Lease writes, the other waits, and takes over when it may."""

from __future__ import annotations

from pathlib import Path

from tests.faults.conftest import Faulty
from tests.faults.operator_process import OperatorProcess
from tests.operator_fixture import config_map, poll


def test_only_the_holder_of_the_lease_writes_and_the_other_takes_over_from_it(faulty: Faulty, tmp_path: Path) -> None:
    bench = faulty.bench
    sync = bench.synced({"a.yaml": config_map("a")})
    audit = bench.audit()
    other = OperatorProcess(bench.cluster.kubeconfig, bench.namespace, tmp_path / "data", tmp_path / "log", "other")
    other.start()
    try:
        poll("it waits", lambda: any(e.get("msg") == "waiting for the lease" for e in other.said()))
        sync.wait_ready(sync.push({"a.yaml": config_map("a", "2")}))
        told = [w for w in audit.writes(bench.agent) if not w.dry_run and "/leases" not in w.path]
        written = {(w.path, w.status) for w in told if not w.path.endswith("/events")}

        def through() -> set[tuple[str, int]]:
            return {(w.asked.path, w.status) for w in faulty.proxy.numbered}

        poll("all that was written came by the proxy, and nothing of whoever waits", lambda: written <= through())
        bench.operator.stop()
        other.wait_ready()
        sync.wait_ready(sync.push({"a.yaml": config_map("a", "3")}))
        assert sync.config("a")["data"] == {"key": "3"}
    finally:
        other.stop()
        bench.operator.ensure()
