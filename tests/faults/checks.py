"""The checks that each fault is put to, beside what its own test asserts: C1 to C5 and C7 to C10 of the catalogue.

C6, that the fault is named, is in the tests of those faults that end a revision: the others end by themselves.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.faults.audit import ApplyAfterDelete
from tests.faults.conftest import Faulty
from tests.faults.lane import BYSTANDER
from tests.faults.oracle import Live, as_wanted, desired_of, judge, owned_by, record_of, times_told
from tests.operator_fixture import Audit, Json, Sync, condition, config_map, poll

CANARY = "canary-4c1d77"
SECRET = {
    "secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: canary, namespace: $NS}\n"
    f"data: {{password: {base64.b64encode(CANARY.encode()).decode()}}}\n"
}
MAX_WRITES = 200


@dataclass
class Checked:
    """One sync whose next revision meets a fault; its `before` has a Secret with the canary in it."""

    faulty: Faulty
    sync: Sync
    neighbour: Sync
    before: Live
    bystander: Json
    audit: Audit
    handles: int
    threads: int
    temporary: set[str]

    @classmethod
    def of(cls, faulty: Faulty, files: Mapping[str, str], **spec: object) -> Checked:
        """Make it, a neighbour, and an object of somebody else that carries its labels."""
        bench = faulty.bench
        sync, neighbour = (
            bench.synced({**files, **SECRET}, **spec),
            bench.synced({"n.yaml": config_map("next")}, **spec),
        )
        place = sync.at("configmaps", "bystander")
        labels = {"kustomize.toolkit.fluxcd.io/name": sync.name, "example.com/mine": "yes"}
        bench.api.create(place.rpartition("/")[0], {**BYSTANDER, "metadata": {"name": "bystander", "labels": labels}})
        bystander = bench.api.get(place)
        assert bystander is not None
        before = owned_by(bench.api, sync)
        return cls(
            faulty, sync, neighbour, before, bystander, bench.audit(), handles(), threading.active_count(), left(faulty)
        )

    def push(self, changes: Mapping[str, str | None]) -> tuple[str, str]:
        """Commit to both; returns both revisions."""
        return self.sync.push(changes), self.neighbour.push({"n.yaml": config_map("next", "2")})

    def wait_ready(self, revisions: tuple[str, str], files: Mapping[str, str], seconds: float = 60) -> None:
        """Wait for both (C7); whoever says before that the sync is Ready is wrong (C3)."""
        mine, others = revisions
        desired = desired_of({**files, **SECRET}, self.sync.target)

        def ready(found: Json) -> bool:
            if condition(found, "Ready").get("status") != "True" or found["status"]["lastAppliedRevision"] != mine:
                return False
            live = owned_by(self.faulty.bench.api, self.sync)
            wrong = [str(key) for key, wanted in desired.items() if not as_wanted(live.get(key), wanted)]
            assert not wrong, f"C3: Ready at {mine}, but {wrong} is not so"
            assert set(live) == set(desired), f"C3: Ready at {mine} with {set(live) ^ set(desired)}"
            return True

        self.sync.wait(f"ready at {mine}", ready, seconds)
        self.neighbour.wait_ready(others, seconds)

    def wrong(self, files: Mapping[str, str], revision: str, *, reason: str = "ReconciliationSucceeded") -> list[str]:
        """What breaks a check, in words."""
        bench, sync = self.faulty.bench, self.sync
        desired, exact = desired_of({**files, **SECRET}, sync.target), reason != "ReconciliationSucceeded"
        record = record_of(bench.api, sync)
        # C1, C2 and C4: as git has it, the same objects, all of them tracked.
        found = judge(owned_by(bench.api, sync), desired, self.before, record, exact=exact).wrong
        if bench.api.get(sync.at("configmaps", "bystander")) != self.bystander:
            found.append("C2: the bystander was touched")
        poll("it is told", lambda: times_told(bench.api, sync, revision, reason))
        if times_told(bench.api, sync, revision, reason) != 1:
            found.append("C5: its end was told more than once")
        if CANARY in self._said() or base64.b64encode(CANARY.encode()).decode() in self._said():
            found.append("C8: the canary is in a log, an event or a status")
        if len(self.faulty.proxy.numbered) > MAX_WRITES:
            found.append(f"C9: {len(self.faulty.proxy.numbered)} writes: it hammers")
        found += ApplyAfterDelete(self.audit).found(bench.agent, [sync])  # C10
        self.faulty.proxy.arm()
        return found + self._grown()

    def _said(self) -> str:
        api, home = self.faulty.bench.api, self.faulty.bench.namespace
        events = api.get(f"/api/v1/namespaces/{home}/events")
        return json.dumps([self.faulty.bench.operator.logged, events, self.sync.get()], default=str)

    def _grown(self) -> list[str]:
        """C9: once the fault is over, what the process holds goes back to what it was."""
        try:
            poll("descriptors are closed", lambda: handles() <= self.handles * 1.1 + 8)
            poll("threads end", lambda: threading.active_count() <= self.threads * 1.1 + 2)
            poll("temporary files go", lambda: left(self.faulty) <= self.temporary)
        except AssertionError as error:
            return [f"C9: {error}: {handles()} of {self.handles}, {left(self.faulty) - self.temporary}"]
        return []


def handles() -> int:
    """Open descriptors of this process, the operator's among them."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def left(faulty: Faulty) -> set[str]:
    """What is unfinished in the operator's storage: files that are being written, and folders of builds."""
    storage = faulty.bench.operator.settings.storage
    unfinished = (".new-", "build-", "tmp_")
    return {str(path) for path in storage.rglob("*") if any(mark in path.name for mark in unfinished)}
