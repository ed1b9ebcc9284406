"""What a plan warns of: what can't be undone, and what new objects still have to wait for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.inventory import Entry, Inventory
from sluice.core.manifest import Manifest
from sluice.core.plan import Live, Plan, PlanOptions, build_plan
from sluice.core.plan_warning import plan_warnings, wanted_live
from sluice.core.problem import Origin
from tests.plans import OWNER

JOB, SERVICE = ("batch", "Job", "v1"), ("", "Service", "v1")
INGRESS, CRD = ("networking.k8s.io", "Ingress", "v1"), ("apiextensions.k8s.io", "CustomResourceDefinition", "v1")


def made(kind: tuple[str, str, str], name: str, spec: Any) -> Manifest:
    group, word, version = kind
    api_version = f"{group}/{version}" if group else version
    namespace = "" if kind is CRD else "shop"
    body = json.dumps({"apiVersion": api_version, "kind": word, "metadata": {"name": name}, "spec": spec}).encode()
    return Manifest(ResourceId(group, word, namespace, name), api_version, body, Origin(f"{name}.yaml", 1), body[:16])


def plan_of(*desired: Manifest, gone: tuple[Manifest, ...] = (), live: bool = False) -> Plan:
    there = {m.id for m in gone} | ({m.id for m in desired} if live else set())
    inventory = Inventory(Entry(m.id, m.api_version, "u1", m.digest, "g1") for m in gone)

    def look(resource: ResourceId) -> Live | None:
        return Live("u1", "1", "g1", OWNER) if resource in there else None

    return build_plan(OWNER, desired, inventory, look, PlanOptions())


def crd(*versions: str, storage: str) -> Manifest:
    return made(CRD, "gadgets.example.com", {"versions": [{"name": v, "storage": v == storage} for v in versions]})


def node_port(name: str, port: int) -> Manifest:
    return made(SERVICE, name, {"type": "NodePort", "ports": [{"port": 80, "nodePort": port}]})


def ingress(name: str, host: str, path: str) -> Manifest:
    return made(INGRESS, name, {"rules": [{"host": host, "http": {"paths": [{"path": path}]}}]})


def test_a_job_that_will_run_is_named_with_its_place() -> None:
    [warning] = plan_warnings(plan_of(made(JOB, "migrate", {})), {})
    assert warning.code is codes.NOT_UNDOABLE
    assert (str(warning.subject), str(warning.origin)) == ("Job shop/migrate", "migrate.yaml:1")


def test_a_job_that_is_there_or_suspended_is_not() -> None:
    assert plan_warnings(plan_of(made(JOB, "migrate", {}), live=True), {}) == ()
    assert plan_warnings(plan_of(made(JOB, "migrate", {"suspend": True})), {}) == ()


def test_a_new_storage_version_of_a_crd_is_named_and_one_that_was_stored_is_not() -> None:
    definition = crd("v1", "v2", storage="v2")
    plan = plan_of(definition, live=True)
    assert [c.id for c in wanted_live(plan)] == [definition.id]
    [warning] = plan_warnings(plan, {definition.id: {"status": {"storedVersions": ["v1"]}}})
    assert "version v2" in warning.title
    assert plan_warnings(plan, {definition.id: {"status": {"storedVersions": ["v1", "v2"]}}}) == ()
    assert plan_warnings(plan, {definition.id: {}}) == ()
    assert wanted_live(plan_of(definition)) == ()


@pytest.mark.parametrize(
    ("new", "old", "what"),
    [
        (node_port("b", 30080), node_port("a", 30080), "nodePort 30080/TCP"),
        (ingress("b", "shop.example", "/"), ingress("a", "shop.example", "/"), "host shop.example path /"),
        (node_port("b", 30081), node_port("a", 30080), ""),
        (ingress("b", "shop.example", "/b"), ingress("a", "shop.example", "/a"), ""),
        (made(SERVICE, "b", {"ports": [{"port": 80}]}), made(SERVICE, "a", {"ports": [{"port": 80}]}), ""),
        (made(SERVICE, "b", "nonsense"), node_port("a", 30080), ""),
        (made(INGRESS, "b", {"rules": [1, {"http": {"paths": "x"}}]}), ingress("a", "h", "/"), ""),
    ],
)
def test_what_a_pruned_object_still_holds_is_named_with_both(new: Manifest, old: Manifest, what: str) -> None:
    plan = plan_of(new, gone=(old,))
    found = plan_warnings(plan, {old.id: json.loads(old.body)})
    assert [w.title for w in found] == (
        [f"{what} still belongs to {old.id}, which this revision prunes"] if what else []
    )
    assert all(w.code is codes.COLLISION and w.subject == new.id for w in found)


def test_live_objects_are_asked_for_only_where_something_could_collide() -> None:
    plain = made(SERVICE, "b", {"ports": [{"port": 80}]})
    assert wanted_live(plan_of(plain, gone=(node_port("a", 30080),))) == ()
    assert len(wanted_live(plan_of(node_port("b", 1), gone=(node_port("a", 1), ingress("i", "h", "/"))))) == 1
