"""Kill it anywhere: after a restart nothing is orphaned, nothing is sent twice for nothing, and Ready never lies."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sluice.api.crds import KINDS
from sluice.kube.client import KubeClient
from sluice.kube.resource import Resource
from tests.operator_fixture import Bench, Sync, condition, config_map, deployment, poll

RECORD = "sluice.dev/record"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass
class Tripwire:
    """Lets `left` writes of one verb pass (in a namespace, of a kind); then nothing reaches the API server any more."""

    verb: str
    namespace: str
    left: int = 0
    kind: str = ""
    tripped: bool = False
    unanswered: int = 0

    def passes(self, verb: str, resource: Resource, namespace: str, dry_run: bool) -> bool:
        """False from the moment the process counts as dead."""
        if self.tripped:
            return False
        if dry_run or (verb, namespace) != (self.verb, self.namespace) or self.kind not in {"", resource.kind}:
            return True
        if self.left == 0:
            self.tripped = True
            return False
        self.left -= 1
        return True


def guarded(wire: Tripwire, verb: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """The client's method, behind the wire: a call that does not pass never returns."""

    async def call(self: KubeClient, resource: Resource, namespace: str, *args: Any, **options: Any) -> Any:
        if not wire.passes(verb, resource, namespace, bool(options.get("dry_run"))):
            await asyncio.Event().wait()
        wire.unanswered += 1
        try:
            return await original(self, resource, namespace, *args, **options)
        finally:
            wire.unanswered -= 1

    return call


Arm = Callable[[Tripwire], Tripwire]


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch) -> Arm:
    """Puts a tripwire into the real client."""

    def armed(wire: Tripwire) -> Tripwire:
        for verb in ("apply", "delete", "merge_patch", "create", "replace"):
            monkeypatch.setattr(KubeClient, verb, guarded(wire, verb, getattr(KubeClient, verb)))
        return wire

    return armed


@pytest.fixture(autouse=True)
def running(bench: Bench) -> None:
    """Start each test with a living operator, whatever the one before left."""
    bench.operator.ensure()


def crash(bench: Bench, wire: Tripwire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait until the wire is tripped, end the operator without a farewell, and take the wire out.

    What the wire let through has been answered by then, so that the crash comes after exactly that many writes.
    The next process has the dead one's identity, so it need not wait for the leases to run out.
    """
    poll("the operator ran into the wire", lambda: wire.tripped and not wire.unanswered)
    bench.operator.kill()
    monkeypatch.undo()


FILES = {f"{n}.yaml": config_map(n) for n in "abcdef"}


@pytest.mark.parametrize("done", [0, 1, 3])
def test_killed_in_the_middle_of_the_first_apply_it_finishes_and_tracks_everything(
    bench: Bench, arm: Arm, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    sync = bench.source()
    revision = sync.commit(dict(FILES))
    wire = arm(Tripwire("apply", sync.target, done))
    sync.create_source()
    sync.create()
    crash(bench, wire, monkeypatch)
    assert condition(sync.get(), "Ready").get("status") != "True"
    bench.operator.start()
    sync.wait_ready(revision)
    assert sync.inventory() == [f"{sync.target}_{n}__ConfigMap" for n in "abcdef"]
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert [n for n in "abcdef" if sync.live("configmaps", n)] == []


def test_killed_in_the_middle_of_an_apply_and_git_moved_on_nothing_is_orphaned(
    bench: Bench, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = bench.synced({"keep.yaml": config_map("keep")})
    wire = arm(Tripwire("apply", sync.target, 2))
    sync.push({f"{n}.yaml": config_map(n) for n in "abcd"})
    crash(bench, wire, monkeypatch)
    created = [n for n in "abcd" if sync.live("configmaps", n)]
    assert created, "the crash was in the middle"
    revision = sync.commit({f"{n}.yaml": None for n in "abcd"})
    bench.operator.start()
    sync.wait_ready(revision)
    assert [n for n in "abcd" if sync.live("configmaps", n)] == []
    assert sync.inventory() == [f"{sync.target}_keep__ConfigMap"]


def test_killed_in_the_middle_of_a_prune_it_prunes_the_rest(
    bench: Bench, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = bench.synced({**FILES, "web.yaml": deployment("web")})
    wire = arm(Tripwire("delete", sync.target, 2))
    revision = sync.push({**dict.fromkeys(["a.yaml", "b.yaml", "c.yaml", "web.yaml"]), "f.yaml": config_map("f", "2")})
    crash(bench, wire, monkeypatch)
    assert sync.status["lastAppliedRevision"] != revision
    bench.operator.start()
    sync.wait_ready(revision)
    assert [n for n in "abc" if sync.live("configmaps", n)] == []
    assert sync.live("apps/v1/deployments", "web") is None
    assert sync.config("f")["data"] == {"key": "2"}
    assert sync.inventory() == [f"{sync.target}_{n}__ConfigMap" for n in "def"]


@pytest.mark.parametrize("verb", ["create", "replace"])
def test_killed_before_the_record_is_durable_nothing_was_sent(
    bench: Bench, arm: Arm, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    if verb == "replace":
        sync = bench.synced({"a.yaml": config_map("a")})
        audit = bench.audit()
        wire = arm(Tripwire("replace", bench.namespace, kind="Secret"))
        revision = sync.push({"b.yaml": config_map("b")})
    else:
        sync = bench.source()
        audit = bench.audit()
        wire = arm(Tripwire("create", bench.namespace, kind="Secret"))
        revision = sync.commit({"b.yaml": config_map("b")})
        sync.create()
        sync.create_source()
    crash(bench, wire, monkeypatch)
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    bench.operator.start()
    sync.wait_ready(revision)


def test_killed_between_the_applies_and_the_status_it_says_ready_without_sending_again(
    bench: Bench, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.operator.stop()
    revision = sync.commit({"a.yaml": config_map("a", "2")})
    wire = arm(Tripwire("merge_patch", bench.namespace, kind="Kustomization"))
    bench.operator.start()
    crash(bench, wire, monkeypatch)
    assert sync.config("a")["data"] == {"key": "2"}
    assert sync.status["lastAppliedRevision"] != revision
    audit = bench.audit()
    bench.operator.start()
    sync.wait_ready(revision)
    assert sync.writes(audit) == []


def test_killed_between_the_applies_and_the_status_and_git_is_bad_since_it_tells_what_is_in_the_cluster(
    bench: Bench, arm: Arm, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.operator.stop()
    revision = sync.commit({"a.yaml": config_map("a", "2")})
    wire = arm(Tripwire("merge_patch", bench.namespace, kind="Kustomization"))
    bench.operator.start()
    crash(bench, wire, monkeypatch)
    assert sync.status["lastAppliedRevision"] != revision
    bad = sync.commit({"a.yaml": "apiVersion: v1\nkind: [\n"})
    bench.operator.start()
    sync.wait_failed(bad, "E202")
    assert sync.config("a")["data"] == {"key": "2"}
    assert sync.status["lastAppliedRevision"] == revision
    bench.api.patch(sync.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("a is right again", lambda: sync.config("a")["data"] == {"key": "2"})


def test_a_commit_that_changed_nothing_stays_the_applied_one_beside_a_bad_head(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    revision = sync.push({"README.md": "nothing that is applied"})
    sync.wait_ready(revision)
    bench.operator.restart()
    sync.wait_failed(sync.push({"a.yaml": "apiVersion: v1\nkind: [\n"}), "E202")
    assert sync.status["lastAppliedRevision"] == revision


def test_a_restart_writes_nothing_and_no_status_flips(bench: Bench) -> None:
    syncs = [bench.synced({"a.yaml": config_map("a"), "web.yaml": deployment("web")}) for _ in range(2)]
    syncs.append(bench.synced({"job.yaml": deployment("job")}, wait=True))
    for sync in syncs:
        sync.reconcile()
    before = [(s.get()["metadata"]["resourceVersion"], s.status) for s in syncs]
    bench.operator.stop()
    audit = bench.audit()
    bench.operator.start()
    # A new sync's whole life comes after the turns that a start gives to everyone.
    late = bench.synced({"b.yaml": config_map("b")})
    assert [(s.get()["metadata"]["resourceVersion"], s.status) for s in syncs] == before
    mine = [w for w in audit.writes(bench.agent) if any(s.target in w.path or s.name in w.path for s in syncs)]
    assert mine == []
    assert late.condition("Ready")["status"] == "True"


def test_a_restart_prunes_what_left_git_meanwhile(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    bench.operator.stop()
    revision = sync.commit({"a.yaml": None})
    bench.operator.start()
    sync.wait_ready(revision)
    assert sync.live("configmaps", "a") is None


def test_a_sync_deleted_meanwhile_is_finalized_after_the_restart(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.operator.stop()
    bench.api.delete(sync.path)
    bench.operator.start()
    sync.wait_gone()
    assert sync.live("configmaps", "a") is None


# --- the record -----------------------------------------------------------------------------------------------------


def record_of(bench: Bench, sync: Sync) -> str:
    """The path of the Secret that holds the sync's record."""
    collection = f"/api/v1/namespaces/{bench.namespace}/secrets"
    for item in (bench.api.get(f"{collection}?labelSelector={RECORD}%3Dhead") or {})["items"]:
        if base64.b64decode(item["data"]["owner"]).decode() == f"{bench.namespace}/{sync.name}":
            return f"{collection}/{item['metadata']['name']}"
    raise AssertionError("no record")


def test_a_record_that_is_cut_stops_its_sync_prunes_nothing_and_leaves_the_others_alone(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    other = bench.synced({"a.yaml": config_map("a")})
    bench.operator.stop()
    path = record_of(bench, sync)
    whole = (bench.api.get(path) or {})["data"]["record"]
    cut = base64.b64encode(base64.b64decode(whole)[:-10]).decode()
    bench.api.patch(path, {"data": {"record": cut}})
    revision = sync.commit({"a.yaml": None, "b.yaml": config_map("b", "2")})
    audit = bench.audit()
    bench.operator.start()
    message = sync.wait_failed(revision, "E320")
    assert "restore the Secret from a backup" in message
    assert sync.writes(audit) == []
    assert sync.live("configmaps", "a") is not None
    other.wait_ready(other.push({"a.yaml": config_map("a", "2")}))
    # Restored, as the message says, it goes on where it was, without a restart.
    bench.api.patch(path, {"data": {"record": whole}})
    sync.request()
    sync.wait_ready(revision)
    assert sync.live("configmaps", "a") is None


def test_a_record_that_was_cut_and_then_deleted_is_made_anew_from_status(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a"), "b.yaml": config_map("b")})
    bench.operator.stop()
    path = record_of(bench, sync)
    bench.api.patch(path, {"data": {"record": base64.b64encode(b"rubbish").decode()}})
    bench.operator.start()
    sync.wait_condition("Ready", "False", text="E320")
    bench.api.delete(path)
    sync.wait_ready(sync.push({"a.yaml": None}))
    assert sync.live("configmaps", "a") is None, "status names it, and our labels are on it"


def test_a_record_deleted_under_a_running_operator_is_written_again_before_the_next_write(bench: Bench) -> None:
    sync = bench.synced({"a.yaml": config_map("a")})
    bench.api.delete(record_of(bench, sync))
    sync.wait_ready(sync.push({"b.yaml": config_map("b")}))
    assert record_of(bench, sync)


def test_a_copied_record_of_another_sync_is_refused(bench: Bench) -> None:
    one, two = (bench.synced({f"{n}.yaml": config_map(n)}) for n in "ab")
    bench.operator.stop()
    data = (bench.api.get(record_of(bench, one)) or {})["data"]["record"]
    bench.api.patch(record_of(bench, two), {"data": {"record": data}})
    bench.operator.start()
    two.wait_condition("Ready", "False", text="E320")
    assert two.live("configmaps", "b") is not None
    assert one.condition("Ready")["status"] == "True"


def test_a_large_record_is_cut_into_chunks_that_are_read_back_and_cleaned_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.runtime.record_store.CHUNK_BYTES", 256)
    names = [f"c{n:02}" for n in range(24)]
    sync = bench.synced({f"{n}.yaml": config_map(n) for n in names})
    collection, _, head = record_of(bench, sync).rpartition("/")

    def chunks() -> list[str]:
        found = (bench.api.get(f"{collection}?labelSelector={RECORD}%3Dchunk") or {})["items"]
        return [item["metadata"]["name"] for item in found if item["metadata"]["name"].startswith(head)]

    assert len(chunks()) > 2
    bench.operator.restart()
    audit = bench.audit()
    sync.reconcile()
    assert sync.writes(audit) == []
    sync.wait_ready(sync.push(dict.fromkeys(f"{n}.yaml" for n in names[2:])))
    assert sync.inventory() == [f"{sync.target}_{n}__ConfigMap" for n in names[:2]]
    assert len(chunks()) <= 2
    bench.api.delete(sync.path)
    sync.wait_gone()
    assert chunks() == []


def test_chunks_of_a_record_whose_head_a_crash_prevented_go_with_the_next_record(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.runtime.record_store.CHUNK_BYTES", 256)
    sync = bench.synced({f"{n}.yaml": config_map(f"c{n}") for n in range(8)})
    head = record_of(bench, sync).rpartition("/")[2]
    secrets = f"/api/v1/namespaces/{bench.namespace}/secrets"
    bench.operator.stop()
    stray = f"{head}-0123456789abcdef"
    metadata = {"name": stray, "labels": {RECORD: "chunk"}}
    bench.api.create(secrets, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"record": "AAAA"}})
    bench.operator.start()
    sync.wait_ready(sync.push({"0.yaml": config_map("c0", "2")}))
    poll("it is gone", lambda: bench.api.get(f"{secrets}/{stray}") is None)
    sync.wait_ready(sync.push({"0.yaml": config_map("c0", "3")}))


def test_a_kind_of_a_record_that_may_not_be_watched_any_more_holds_up_nothing_else(bench: Bench) -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: $NS}\nspec: {ports: [{port: 80}]}\n"
    held, well = bench.synced({"s.yaml": service}), bench.synced({"a.yaml": config_map("a")})
    name = f"limited-{held.name}"
    ours = sorted({kind.group for kind, _ in KINDS} | {"coordination.k8s.io", "apiextensions.k8s.io"})
    core = ["secrets", "configmaps", "events", "namespaces", "resourcequotas", "pods"]
    rules = [
        {"apiGroups": ours, "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": core, "verbs": ["*"]},
    ]
    bench.api.create(f"{RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"kind": "ClusterRole", "name": name, "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    bench.api.create(f"{RBAC}/clusterrolebindings", binding)
    everything = bench.operator.access
    bench.operator.stop()
    bench.operator.access = replace(everything, impersonate=(("Impersonate-User", name),))
    try:
        bench.operator.start()
        well.wait_ready(well.push({"a.yaml": config_map("a", "2")}))
    finally:
        bench.operator.stop()
        bench.operator.access = everything
        bench.operator.start()
    held.wait_ready(held.push({"s.yaml": service.replace("80", "81")}))


def test_a_restart_spares_the_turn_of_what_is_as_it_was_left_and_keeps_it_all_the_same(bench: Bench) -> None:
    plain, waiting = bench.synced({"a.yaml": config_map("a")}), bench.synced({"b.yaml": config_map("b")}, wait=True)
    bench.operator.stop()
    bench.operator.logged.clear()
    bench.operator.start()

    def turns() -> set[object]:
        return {e.get("name") for e in bench.operator.logged if e.get("event") == "reconciled"}

    poll("what waits for health has its turn", lambda: waiting.name in turns())
    assert plain.name not in turns()
    bench.api.patch(plain.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("a is right again", lambda: plain.config("a")["data"] == {"key": "1"})
    plain.wait_ready(plain.push({"a.yaml": config_map("a", "2"), "c.yaml": config_map("c")}))
    plain.wait_ready(plain.push({"c.yaml": None}))
    assert plain.live("configmaps", "c") is None


def test_what_was_set_right_before_a_stop_has_no_turn_after_the_start(bench: Bench) -> None:
    plain, waiting = bench.synced({"a.yaml": config_map("a")}), bench.synced({"b.yaml": config_map("b")}, wait=True)

    def told(event: str) -> set[object]:
        return {e.get("name") for e in bench.operator.logged if e.get("event") == event}

    bench.api.patch(plain.at("configmaps", "a"), {"data": {"key": "edited"}})
    poll("it is told", lambda: plain.name in told("drift corrected"))
    bench.operator.stop()
    bench.operator.logged.clear()
    bench.operator.start()
    poll("what waits for health has its turn", lambda: waiting.name in told("reconciled"))
    assert plain.name not in told("reconciled")
