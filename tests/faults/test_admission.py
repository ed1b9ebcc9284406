"""What the API server itself makes of our writes: it refuses a CRD's new form, or changes what we send."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crd_text import crd_text
from tests.faults.conftest import Faulty
from tests.faults.oracle import owned_by, record_of
from tests.operator_fixture import Json, config_map, poll

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
ONE = {f"{n}.yaml": config_map(n) for n in "abc"}


@pytest.fixture(autouse=True)
def unharmed(faulty: Faulty) -> Iterator[None]:
    yield
    faulty.proxy.arm()


@pytest.mark.parametrize("change", ["stored version", "scope"])
def test_f049_a_crd_that_would_lose_what_is_stored_is_refused_before_any_write(faulty: Faulty, change: str) -> None:
    group = f"{change.split(maxsplit=1)[0]}.{faulty.bench.namespace}.example.com"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: one, namespace: $NS}}\n"
    first = crd_text(group, ("v1", True), ("v2", False))
    second = crd_text(group, ("v2", True)) if change == "stored version" else first.replace("Namespaced", "Cluster")
    sync = faulty.bench.synced({**ONE, "crd.yaml": first, "thing.yaml": thing}, prune=True)
    uid = (faulty.bench.api.get(f"/apis/{group}/v1/namespaces/{sync.target}/things/one") or {})["metadata"]["uid"]
    audit = faulty.bench.audit()
    changed = {"a.yaml": config_map("a", "2"), "crd.yaml": second, "thing.yaml": thing.replace("/v1", "/v2")}
    message = sync.wait_failed(sync.push(changed))
    assert f"things.{group}" in message
    assert "crd.yaml" in message
    assert [w for w in sync.writes(audit) if not w.dry_run] == []
    assert sync.config("a")["data"] == {"key": "1"}
    live = faulty.bench.api.get(f"/apis/{group}/v1/namespaces/{sync.target}/things/one")
    assert live is not None
    assert live["metadata"]["uid"] == uid


@pytest.fixture
def mutated(faulty: Faulty) -> Iterator[str]:
    """A namespace label: ConfigMaps of a namespace that has it get another value than was sent."""
    name = f"mutates.{faulty.bench.namespace}.example.com"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    constraints = {"namespaceSelector": {"matchLabels": {"mutated": name[:60]}}, "resourceRules": [rule]}
    patch = {"expression": '[JSONPatch{op: "replace", path: "/data/key", value: "mutated"}]'}
    spec = {
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "matchConstraints": constraints,
        "matchConditions": [{"name": "has-it", "expression": "has(object.data) && 'key' in object.data"}],
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": patch}],
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    api = faulty.bench.api
    api.create(f"{ADMISSION}/mutatingadmissionpolicies", {**kind, "kind": "MutatingAdmissionPolicy", "spec": spec})
    binding = {**kind, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": name}}
    api.create(f"{ADMISSION}/mutatingadmissionpolicybindings", binding)
    yield name[:60]
    api.delete(f"{ADMISSION}/mutatingadmissionpolicybindings/{name}")
    api.delete(f"{ADMISSION}/mutatingadmissionpolicies/{name}")


def test_f058_what_admission_changes_of_our_fields_is_sent_once_and_not_fought_over(
    faulty: Faulty, mutated: str
) -> None:
    sync, api = faulty.bench.synced(ONE), faulty.bench.api
    collection = f"/api/v1/namespaces/{sync.target}/configmaps"
    probe: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}, "data": {"key": "sent"}}
    api.patch(f"/api/v1/namespaces/{sync.target}", {"metadata": {"labels": {"mutated": mutated}}})

    def in_force() -> bool:
        status, answer = api.request("POST", f"{collection}?dryRun=All", probe)
        return status == 201 and answer["data"]["key"] == "mutated"

    poll("the policy is in force", in_force)
    before = {key.name: body["metadata"]["uid"] for key, body in owned_by(api, sync).items()}
    audit = faulty.bench.audit()
    revision = sync.push({"a.yaml": config_map("a", "2"), "d.yaml": config_map("d")})
    sync.wait_ready(revision)
    assert sync.config("a")["data"] == {"key": "mutated"}
    for _ in range(3):
        sync.request(sync.path)
        sync.wait_ready(revision)
        faulty.bench.synced(ONE)  # another sync goes all its way meanwhile
    written = [w.path.rpartition("/")[2] for w in sync.writes(audit) if not w.dry_run and "/configmaps/" in w.path]
    assert sorted(written) == ["a", "d"], "each is sent once, whatever became of it"
    live = owned_by(api, sync)
    assert {key.name: body["metadata"]["uid"] for key, body in live.items() if key.name in before} == before
    record = record_of(api, sync)
    assert record is not None
    assert {key.name for key in record.inventory.ids()} == {"a", "b", "c", "d"}
    sync.wait_ready(sync.push({"d.yaml": None}))
    assert sync.live("configmaps", "d") is None
