"""Objects, syncs and their specs change while a transaction is in the middle of its applies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sluice.runtime.record_secret import head_name
from tests.crd_text import crd_text
from tests.faults.conftest import Faulty
from tests.faults.fault_proxy import Asked, Fault
from tests.faults.oracle import desired_of, judge, owned_by, record_of
from tests.operator_fixture import Json, Sync, config_map, poll

ONE = {f"{n}.yaml": config_map(n) for n in "abcd"}
TWO = {f"{n}.yaml": config_map(n, "2") for n in "abc"} | {"e.yaml": config_map("e")}
CHANGE: dict[str, str | None] = {**TWO, "d.yaml": None}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@pytest.fixture(autouse=True)
def unharmed(faulty: Faulty) -> Iterator[None]:
    yield
    faulty.proxy.arm()


@contextmanager
def in_the_middle(faulty: Faulty, act: Callable[[], object], name: str = "b") -> Iterator[None]:
    """The apply of one ConfigMap is held; at the end of the block it goes on. `act` makes the operator come there."""
    gate, reached = asyncio.Event(), list[str]()

    def hold(asked: Asked) -> Fault | None:
        if asked.number and asked.method == "PATCH" and asked.path.endswith(f"/configmaps/{name}") and not reached:
            reached.append(asked.path)
            return Fault(hold=gate)
        return None

    faulty.proxy.arm(hold)
    act()
    poll("it is in the middle", lambda: reached)
    try:
        yield
    finally:
        faulty.proxy.set(gate)


def wrong(faulty: Faulty, sync: Sync, files: dict[str, str], before: dict[str, Json] | None = None) -> list[str]:
    """What the oracle finds when `files` have to be in the cluster; objects of `before` have to be the same ones."""
    live, record = owned_by(faulty.bench.api, sync), record_of(faulty.bench.api, sync)
    known = {key: body for key, body in live.items() if key.name in (before or {})}
    kept = {key: {**body, **(before or {})[key.name]} for key, body in known.items()}
    return judge(live, desired_of(files, sync.target), kept, record, exact=False).wrong


def test_f044_an_object_deleted_in_the_middle_is_made_again_and_the_revision_takes_effect(faulty: Faulty) -> None:
    sync = faulty.bench.synced(ONE)
    with in_the_middle(faulty, lambda: sync.push(CHANGE)):
        faulty.bench.api.delete(sync.at("configmaps", "b"))
    head = f"main@sha1:{sync.repo.git('rev-parse', 'HEAD')}"
    sync.wait_ready(head)
    assert wrong(faulty, sync, TWO) == []


def test_f045_an_object_changed_in_the_middle_keeps_the_fields_of_others(faulty: Faulty) -> None:
    sync = faulty.bench.synced(ONE)
    with in_the_middle(faulty, lambda: sync.push(CHANGE)):
        faulty.bench.api.patch(sync.at("configmaps", "b"), {"data": {"key": "edited", "theirs": "yes"}})
    sync.wait_ready(f"main@sha1:{sync.repo.git('rev-parse', 'HEAD')}")
    assert wrong(faulty, sync, TWO) == []
    assert sync.config("b")["data"] == {"key": "2", "theirs": "yes"}


def test_f055_what_only_the_real_write_denies_is_undone_and_the_next_revision_goes_through(faulty: Faulty) -> None:
    sync, api = faulty.bench.synced(ONE), faulty.bench.api
    name = f"real.{sync.name}.example.com"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    scope = {"matchLabels": {"kubernetes.io/metadata.name": sync.target}}
    constraints = {"namespaceSelector": scope, "resourceRules": [rule]}
    denied = "request.dryRun || object.metadata.name != 'b' || object.data.key != '2'"
    spec = {"failurePolicy": "Fail", "matchConstraints": constraints, "validations": [{"expression": denied}]}
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    api.create(f"{ADMISSION}/validatingadmissionpolicies", {**kind, "kind": "ValidatingAdmissionPolicy", "spec": spec})
    binding = {**kind, "kind": "ValidatingAdmissionPolicyBinding"}
    bound = {"policyName": name, "validationActions": ["Deny"]}
    api.create(f"{ADMISSION}/validatingadmissionpolicybindings", {**binding, "spec": bound})
    other = {"metadata": {"annotations": {"probe": "yes"}}, "data": {"key": "2"}}
    path = sync.at("configmaps", "b")
    merge = "application/merge-patch+json"
    sync.edit(suspend=True)
    poll("the policy is in force", lambda: api.request("PATCH", path, other, merge)[0] in {403, 422})
    api.patch(path, {"metadata": {"annotations": {"probe": None}}, "data": {"key": "1"}})
    sync.edit(suspend=False)
    before = {key.name: body for key, body in owned_by(api, sync).items()}
    sync.wait_failed(sync.push(CHANGE), "E302", reason="Undone")
    assert wrong(faulty, sync, ONE, before) == []
    sync.wait_ready(sync.push({"b.yaml": config_map("b", "3")}))
    assert wrong(faulty, sync, {**TWO, "b.yaml": config_map("b", "3")}) == []
    api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{name}")
    api.delete(f"{ADMISSION}/validatingadmissionpolicies/{name}")


def test_f062_what_a_limit_refuses_is_found_in_the_dry_run_and_nothing_is_written(faulty: Faulty) -> None:
    sync = faulty.bench.synced(ONE)
    limits = {"limits": [{"type": "Container", "max": {"cpu": "1"}, "default": {"cpu": "1"}}]}
    place = sync.at("configmaps", "x").replace("/configmaps/x", "/limitranges")
    faulty.bench.api.create(
        place, {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": limits}
    )
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: big, namespace: $NS}\n"
        'spec: {containers: [{name: main, image: "x:1", resources: {limits: {cpu: "2"}}}]}\n'
    )
    audit = faulty.bench.audit()
    message = sync.wait_failed(sync.push({**CHANGE, "pod.yaml": pod}), "maximum cpu usage")
    assert "big" in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []


def test_f066_a_record_into_which_a_strangers_object_was_forged_deletes_nothing(faulty: Faulty) -> None:
    import base64
    import dataclasses

    from sluice.core.ids import ResourceId
    from sluice.core.inventory import Entry, Inventory
    from sluice.core.record import encode_record

    sync, api = faulty.bench.synced(ONE), faulty.bench.api
    place = sync.at("configmaps", "x").rpartition("/")[0]
    stranger = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stranger"}, "data": {}}
    uid = api.create(place, stranger)["metadata"]["uid"]
    record = record_of(api, sync)
    assert record is not None
    forged = Entry(ResourceId("", "ConfigMap", sync.target, "stranger"), "v1", uid)
    record = dataclasses.replace(record, inventory=record.inventory.union(Inventory([forged])))
    faulty.bench.operator.stop()
    secrets = f"/api/v1/namespaces/{faulty.bench.namespace}/secrets"
    owner = base64.b64encode(f"{sync.namespace}/{sync.name}".encode()).decode()
    listed = api.get(f"{secrets}?labelSelector=sluice.dev/record%3Dhead") or {}
    head = next(s["metadata"]["name"] for s in listed["items"] if s["data"]["owner"] == owner)
    api.patch(f"{secrets}/{head}", {"data": {"record": base64.b64encode(encode_record(record)).decode()}})
    faulty.bench.operator.start()
    sync.wait_ready(sync.push(CHANGE))
    assert wrong(faulty, sync, TWO) == []
    assert sync.config("stranger")["metadata"]["uid"] == uid


def test_f071_a_sync_deleted_in_the_middle_takes_exactly_what_it_made_with_it(faulty: Faulty) -> None:
    sync = faulty.bench.source()
    sync.commit(ONE)
    sync.create_source()
    bystander = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bystander"}, "data": {}}
    place = sync.at("configmaps", "x").rpartition("/")[0]
    uid = faulty.bench.api.create(place, bystander)["metadata"]["uid"]
    with in_the_middle(faulty, sync.create):
        faulty.bench.api.delete(sync.path)
    sync.wait_gone()
    assert owned_by(faulty.bench.api, sync) == {}
    assert record_of(faulty.bench.api, sync) is None
    assert sync.config("bystander")["metadata"]["uid"] == uid


def test_f072_a_sync_deleted_and_made_again_at_once_has_all_of_its_objects(faulty: Faulty) -> None:
    sync = faulty.bench.synced(ONE, prune=False)
    before = {key.name: body for key, body in owned_by(faulty.bench.api, sync).items()}
    revision = sync.commit(CHANGE)
    faulty.bench.api.delete(sync.path)
    sync.wait_gone()
    sync.create(prune=False)
    sync.request(sync.source_path)
    sync.wait_ready(revision)
    live = {key.name: body for key, body in owned_by(faulty.bench.api, sync).items()}
    assert {n: live[n]["metadata"]["uid"] for n in "abcd"} == {n: before[n]["metadata"]["uid"] for n in "abcd"}
    assert live["a"]["data"] == {"key": "2"}


def test_a_deleted_sync_that_the_watch_still_shows_is_not_taken_up_again(faulty: Faulty) -> None:
    sync = faulty.bench.synced(ONE)
    opened: list[str] = []

    def late(asked: Asked) -> Fault | None:
        if asked.watch and asked.path.endswith("/kustomizations"):
            opened.append(asked.path)
            return Fault(lag=2.0)
        return None

    faulty.proxy.arm(late)
    faulty.proxy.cut_watches()
    poll("the watch is late", lambda: opened)
    faulty.bench.api.delete(sync.path)
    sync.wait_gone()
    sync.push(TWO)
    faulty.bench.synced(ONE)  # its own events come after those of the one that is gone
    record = head_name(f"{sync.namespace}/{sync.name}")
    written = [w.asked for w in faulty.proxy.numbered]
    assert [a.method for a in written if a.path == sync.path] == ["PATCH"]
    assert [a.method for a in written if a.path.endswith(record)].count("DELETE") == 1
    assert record_of(faulty.bench.api, sync) is None
    faulty.proxy.arm()
    faulty.proxy.cut_watches()  # the late one would stay open


def test_f073_a_path_changed_in_the_middle_ends_the_old_transaction_before_the_new(faulty: Faulty) -> None:
    files = {**{f"one/{n}": text for n, text in ONE.items()}, **{f"two/{n}": text for n, text in TWO.items()}}
    sync = faulty.bench.source()
    revision = sync.commit(files)
    sync.create_source()
    with in_the_middle(faulty, lambda: sync.create(path="./one")):
        sync.edit(path="./two")
    sync.wait("the new path is there", lambda k: sync.live("configmaps", "e"))
    sync.wait_ready(revision)
    assert wrong(faulty, sync, TWO) == []


def test_f074_a_sync_suspended_in_the_middle_ends_its_transaction_and_then_writes_nothing(faulty: Faulty) -> None:
    sync = faulty.bench.synced(ONE)
    with in_the_middle(faulty, lambda: sync.push(CHANGE)):
        sync.edit(suspend=True)
    poll("what was begun is ended", lambda: wrong(faulty, sync, TWO) == [])
    faulty.proxy.settle()
    audit = faulty.bench.audit()
    sync.push({"a.yaml": config_map("a", "3")})
    faulty.bench.synced(ONE)  # another sync goes all its way meanwhile
    assert sync.writes(audit) == []
    sync.edit(suspend=False)
    sync.wait_ready(f"main@sha1:{sync.repo.git('rev-parse', 'HEAD')}")
    assert sync.config("a")["data"] == {"key": "3"}


def test_f048_a_crd_deleted_in_the_middle_is_named_and_comes_back_with_its_objects(faulty: Faulty) -> None:
    group = f"{faulty.bench.namespace}.example.com"
    crd = crd_text(group)
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: one, namespace: $NS}}\nspec: {{size: 1}}\n"
    files = {**ONE, "crd.yaml": crd, "thing.yaml": thing}
    sync = faulty.bench.synced(files, retryInterval="1s", onFailure="Stop")
    with in_the_middle(faulty, lambda: sync.push({**CHANGE, "thing.yaml": thing.replace("1}", "2}")})):
        faulty.bench.api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{group}")

    def is_whole() -> bool:
        # The revision may be done while the CRD is still on its way out: then what goes with it is drift.
        found = faulty.bench.api.get(f"/apis/{group}/v1/namespaces/{sync.target}/things/one")
        return found is not None and found["spec"] == {"size": 2} and "deletionTimestamp" not in found["metadata"]

    poll("the CRD and its object are back", is_whole, seconds=60)
    sync.wait_ready(f"main@sha1:{sync.repo.git('rev-parse', 'HEAD')}", seconds=60)
    assert is_whole()
