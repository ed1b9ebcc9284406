"""One operator behind one proxy, and the cells of the kill matrix that run through it one after the other."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from devcluster.cluster import Cluster
from devcluster.fixture import create_namespace
from devcluster.git_http import GitHttpServer
from sluice.api.kinds import IN_GROUP
from sluice.core.record import Record
from sluice.kube.config import load_kubeconfig
from sluice.settings import Settings
from tests.faults.fault_proxy import Asked, Fault, FaultProxy
from tests.faults.operator_process import OperatorProcess
from tests.faults.oracle import Live, Verdict, desired_of, judge, owned_by, record_of, times_told
from tests.faults.scenarios import Scenario
from tests.operator_fixture import AGENT, PATIENCE, Api, Bench, Json, RunningOperator, Sync, condition, poll

# A cell that has not settled by then is stuck: neither finished nor undone.
SETTLE_SECONDS = PATIENCE
BYSTANDER = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bystander"}, "data": {"mine": "yes"}}


def counted(asked: Asked) -> bool:
    """The writes that make up a change: leases and events go by the clock, and hold no state of a sync."""
    return asked.agent == AGENT and not asked.path.endswith("/events") and "/leases" not in asked.path


@dataclass(frozen=True, slots=True)
class Cell:
    """Kill at the k-th write: `after` says whether the API server has taken it by then."""

    scenario: Scenario
    k: int
    after: bool

    def __str__(self) -> str:
        return f"{self.scenario.name}, write {self.k}, {'after' if self.after else 'before'}"


@dataclass
class Result:
    """`killed_at` is empty when the write never came: that is no cell."""

    cell: Cell
    verdict: Verdict
    killed_at: str = ""
    seconds: float = 0.0
    writes: list[str] = field(default_factory=list)


def members_of(sync: Sync, folders: Sequence[str]) -> dict[str, Sync]:
    """The syncs by the folder that each applies: the one, or those of a group that reads its source."""
    if not folders:
        return {"": sync}
    return {f"{f}/": Sync(sync.bench, f"{sync.name}-{f}", sync.target, sync.repo) for f in folders}


def create_members(sync: Sync, folders: Sequence[str], spec: Mapping[str, object], **of_source: object) -> None:
    """Make the source, and whoever reads it."""
    sync.create_source(**of_source)
    source = {"kind": "GitRepository", "name": sync.name}
    for folder, member in members_of(sync, folders).items():
        annotations = {IN_GROUP: sync.name} if folder else {}
        member.create(metadata={"annotations": annotations}, sourceRef=source, path=f"./{folder}", **spec)


def joint_record(api: Api, sync: Sync, folders: Sequence[str]) -> Record | None:
    """The record of the group's transaction, if there is a group and one is under way."""
    record = record_of(api, sync, f"group:{sync.name}") if folders else None
    return record if record is not None and record.shares is not None else None


def _is_gone(api: Api, path: str) -> bool:
    return api.get(path) is None


@dataclass
class Lane:
    """Cells share the operator; a sync and its namespace are a cell's own."""

    bench: Bench
    proxy: FaultProxy
    operator: OperatorProcess
    serial: int = 0
    killed: str = ""

    def count(self, scenario: Scenario) -> list[str]:
        """The counted writes of the scenario when nobody kills anything (but the first kill of a recovery)."""
        result = self.run(Cell(scenario, 0, after=False))
        assert not result.verdict.wrong, f"{scenario.name} fails by itself: {result.verdict.wrong}"
        return result.writes

    def run(self, cell: Cell) -> Result:
        """Run one cell, and clean up behind it."""
        began = time.monotonic()
        sync, before, bystander = self._prepare(cell.scenario)
        self.killed = ""
        revision = self._act(cell, sync)
        writes = [f"{w.asked.method} {w.asked.path}" for w in self.proxy.numbered]
        self.proxy.arm()
        self.proxy.settle()  # whoever is to be killed by a request that is under way is dead then
        refused = bool(cell.scenario.refused and self.killed)
        if refused:
            self.operator.wait_dead(SETTLE_SECONDS)
            revision = sync.push(cell.scenario.refused)
        if not self.operator.running:
            self._revive()
        verdict = self._settled(cell.scenario, sync, revision, refused=refused)
        if not verdict.half:
            verdict = self._judged(cell.scenario, sync, before, refused=refused)
        if not verdict.half and not refused:
            verdict.half += self._told(cell, sync, revision)
        if self.bench.api.get(sync.at("configmaps", "bystander")) != bystander:
            verdict.lost.append("the bystander was touched")
        self._remove(cell.scenario, sync, verdict)
        return Result(cell, verdict, self.killed, time.monotonic() - began, writes)

    # --- the parts of a cell ------------------------------------------------------------------------------------

    def _prepare(self, scenario: Scenario) -> tuple[Sync, Live, Json | None]:
        self.serial += 1
        self.proxy.arm()
        sync = self.bench.source(f"s{self.serial}-{secrets.token_hex(2)}")
        place = sync.at("configmaps", "bystander")
        self.bench.api.create(place.rpartition("/")[0], BYSTANDER)
        if scenario.base:
            revision = self._install(scenario, sync, scenario.base)
            for member in members_of(sync, scenario.folders).values():
                member.wait_ready(revision)
        before = {key: body for m in members_of(sync, scenario.folders).values() for key, body in self._live(m).items()}
        return sync, before, self.bench.api.get(place)

    def _install(self, scenario: Scenario, sync: Sync, files: Mapping[str, str | None]) -> str:
        """Commit, and make the source and whoever reads it."""
        revision = sync.commit(files)
        create_members(sync, scenario.folders, scenario.spec)
        return revision

    def _live(self, sync: Sync) -> Live:
        return owned_by(self.bench.api, sync)

    def _act(self, cell: Cell, sync: Sync) -> str:
        scenario = cell.scenario
        if scenario.first:
            self.proxy.arm(self._trap(scenario.first, after=True))
            revision = self._change(scenario, sync)
            assert self.operator.wait_dead(SETTLE_SECONDS), f"{cell}: the first kill never came"
            self.proxy.settle()
            self.killed = ""
            self.proxy.arm(self._trap(cell.k, after=cell.after))
            self.operator.start()
        else:
            self.proxy.arm(self._trap(cell.k, after=cell.after))
            revision = self._change(scenario, sync)
        self._wait_dead_or_done(scenario, sync, revision)
        return revision

    def _trap(self, k: int, *, after: bool) -> Callable[[Asked], Fault | None]:
        def kill(asked: Asked) -> Callable[[], None]:
            def act() -> None:
                self.operator.kill()
                self.killed = f"{asked.method} {asked.path}"

            return act

        def decide(asked: Asked) -> Fault | None:
            if not k or asked.number != k:
                return None
            if after:
                return Fault(after=kill(asked), answer=False)
            return Fault(before=kill(asked), forward=False)

        return decide

    def _change(self, scenario: Scenario, sync: Sync) -> str:
        if scenario.base:
            return sync.push(scenario.change)
        return self._install(scenario, sync, scenario.change)

    def _wait_dead_or_done(self, scenario: Scenario, sync: Sync, revision: str) -> None:
        deadline = time.monotonic() + SETTLE_SECONDS
        while self.operator.running and time.monotonic() < deadline:
            if self._done(scenario, sync, revision):
                self.operator.wait_dead(0.3)  # the last writes of a turn come after its verdict
                return
            time.sleep(0.02)

    def _revive(self) -> None:
        """Start the operator again, without faults, once what the dead one had sent has arrived."""
        self.proxy.settle()
        self.operator.start()
        self.operator.wait_ready()

    def _done(self, scenario: Scenario, sync: Sync, revision: str, *, refused: bool = False) -> bool:
        found = [self.bench.api.get(member.path) or {} for member in members_of(sync, scenario.folders).values()]
        if any(f.get("status", {}).get("lastAttemptedRevision") != revision for f in found):
            return False
        ready = [condition(f, "Ready") for f in found]
        if refused:
            return all(r.get("status") == "False" for r in ready)
        return all(r.get("reason") == "Undone" if scenario.undone else r.get("status") == "True" for r in ready)

    def _turned(self, scenario: Scenario, sync: Sync) -> bool:
        """True when the living process has said how its turn of the sync, or of each of the group, ended.

        Where the dead one had told everything there is nothing to be done, which is said, too.
        """
        ended = {"reconciled", "not reconciled", "as it was left"}
        told = {e.get("name") for e in self.operator.said() if e.get("msg") in ended}
        return all(member.name in told for member in members_of(sync, scenario.folders).values())

    def _settled(self, scenario: Scenario, sync: Sync, revision: str, *, refused: bool) -> Verdict:
        """Wait until the change is finished or undone; on the way, Ready at the new revision must be true."""
        desired = desired_of(scenario.after, sync.target)
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            done = self._done(scenario, sync, revision, refused=refused)
            claims = done and not scenario.undone and not refused
            if claims and {k for m in members_of(sync, scenario.folders).values() for k in self._live(m)} != set(
                desired
            ):
                return Verdict(half=["Ready while the cluster holds something else"])
            if done and (not self.killed or self._turned(scenario, sync)):
                return Verdict()
            if not self.operator.running:
                return Verdict(half=[f"the operator ended by itself: {self.operator.tail(500)}"])
            if time.monotonic() > deadline:
                status = sync.status
                return Verdict(half=[f"not settled after {SETTLE_SECONDS:.0f}s: {status.get('conditions')}"])
            time.sleep(0.02)

    def _judged(self, scenario: Scenario, sync: Sync, before: Live, *, refused: bool) -> Verdict:
        """What the cluster holds against what it has to; where either of two is right, against the one that it is."""
        if not refused:
            return self._judge(scenario, sync, before, scenario.outcome, exact=scenario.undone)
        after = self._judge(scenario, sync, before, scenario.after, exact=False)
        if not after.wrong:
            return after
        undone = self._judge(scenario, sync, before, scenario.base, exact=True)
        return undone if len(undone.wrong) <= len(after.wrong) else after

    def _told(self, cell: Cell, sync: Sync, revision: str) -> list[str]:
        """What is wrong with the events of how it ended: one, and after a crash at most two.

        Of a group each member tells its own success, and one of them what undid it. Who died with its status written
        may not have sent the event: they are sent in the background, and status holds the same words.
        """
        undone = cell.scenario.undone
        reason = "Undone" if undone else "ReconciliationSucceeded"
        members = list(members_of(sync, cell.scenario.folders).values())
        unsent = [cell.after and self.killed == f"PATCH {member.path}/status" for member in members]

        def times() -> list[int]:
            return [times_told(self.bench.api, member, revision, reason) for member in members]

        def told() -> bool:
            enough = any if undone else all
            return enough(n or lost for n, lost in zip(times(), unsent, strict=True))

        try:
            poll("somebody is told", told)
        except AssertionError:
            return [f"events say {times()} times that {revision} ended: {reason}"]
        found = times()
        most = sum(found) if undone else max(found)
        return [f"events say {found} times that {revision} ended: {reason}"] if most > 2 else []

    def _judge(
        self, scenario: Scenario, sync: Sync, before: Live, outcome: Mapping[str, str], *, exact: bool
    ) -> Verdict:
        api, verdict = self.bench.api, Verdict()
        for folder, member in members_of(sync, scenario.folders).items():
            files = {name: text for name, text in outcome.items() if name.startswith(folder)}
            desired = desired_of(files, sync.target)
            live = self._live(member)
            was = {key: _with_uid_of(live.get(key), body, scenario) for key, body in before.items()}
            verdict.add(judge(live, desired, was, record_of(api, member), exact=exact))
        joint = joint_record(api, sync, scenario.folders)
        if joint is not None:
            verdict.half.append(f"the group's record says {joint.phase}")
        return verdict

    def _remove(self, scenario: Scenario, sync: Sync, verdict: Verdict) -> None:
        """Delete the sync, or the whole group at once: everything that it made has to go with it."""
        api, syncs = self.bench.api, list(members_of(sync, scenario.folders).values())
        try:
            for paths in ([member.path for member in syncs], [sync.source_path]):
                for path in paths:
                    api.delete(path)
                for path in paths:
                    poll(f"{path} is gone", partial(_is_gone, api, path))
            if scenario.folders:
                poll("the group's record is gone", lambda: record_of(api, sync, f"group:{sync.name}") is None)
        except AssertionError as error:
            verdict.half.append(str(error))
        for member in syncs:
            left = [key for key, body in self._live(member).items() if not body["metadata"].get("deletionTimestamp")]
            verdict.orphans += [f"{key} outlives its sync" for key in left]
            if record_of(api, member) is not None:
                verdict.orphans.append("the record outlives its sync")
        api.delete(f"/api/v1/namespaces/{sync.target}")


def _with_uid_of(now: Json | None, body: Json, scenario: Scenario) -> Json:
    """The object as it was, with the UID that it may have now where the scenario has it replaced."""
    if now is None or body["metadata"]["name"] not in scenario.replaced:
        return body
    return {**body, "metadata": {**body["metadata"], "uid": now["metadata"]["uid"]}}


@contextmanager
def open_lane(
    cluster: Cluster, git: GitHttpServer, root: Path, patches: tuple[str, ...] = (), flags: tuple[str, ...] = ()
) -> Iterator[Lane]:
    """A running operator of its own namespace, behind a proxy; the CRDs are installed."""
    name = f"op-{secrets.token_hex(4)}"
    create_namespace(cluster, name)
    api = Api(cluster)
    try:
        with FaultProxy(cluster, counted) as proxy:
            kubeconfig = proxy.write_kubeconfig(root / f"{name}.kubeconfig")
            storage = root / f"{name}-data"
            log, loud = root / f"{name}.log", ("--log-level=debug", *flags)
            operator = OperatorProcess(kubeconfig, name, storage, log, name, patches, loud)
            # The fixture's own operator is never started: ours is a process.
            idle = RunningOperator(Settings(namespace=name), load_kubeconfig(kubeconfig))
            bench = Bench(cluster, api, name, idle, git, root / name, AGENT)
            operator.start()
            try:
                operator.wait_ready()
                yield Lane(bench, proxy, operator)
            finally:
                operator.stop()
    finally:
        api.close()
