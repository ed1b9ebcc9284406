"""What no undo could take back: which changes are told only, and which may be asked about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.core import codes
from sluice.core.ids import ResourceId, split_api_version
from sluice.core.inventory import Entry, Inventory
from sluice.core.irreversible import ask, irreversible, refuse_recreation, runs
from sluice.core.manifest import Directives, Manifest
from sluice.core.plan import Live, Plan, PlanOptions, build_plan
from sluice.core.problem import Origin, Problem
from tests.plans import OWNER


def made(api_version: str, kind: str, name: str, spec: Any = None, *, force: bool = False) -> Manifest:
    body = json.dumps({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}).encode()
    key = ResourceId(split_api_version(api_version)[0], kind, "shop", name)
    return Manifest(key, api_version, body, Origin(f"{name}.yaml", 1), body[:16], Directives(force=force))


def pruning(*gone: Manifest) -> Plan:
    inventory = Inventory(Entry(m.id, m.api_version, "u1", m.digest, "g1") for m in gone)
    return build_plan(OWNER, (), inventory, lambda key: Live("u1", "1", "g1", OWNER), PlanOptions())


def creating(*new: Manifest) -> Plan:
    return build_plan(OWNER, new, Inventory(), lambda key: None, PlanOptions())


@pytest.mark.parametrize(
    ("api_version", "kind", "what"),
    [
        ("v1", "PersistentVolumeClaim", "the data of the claim"),
        ("v1", "PersistentVolume", "reclaim policy"),
        ("v1", "Namespace", "everything in the namespace"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "every object of its kind"),
    ],
)
def test_a_prune_that_takes_more_with_it_than_git_holds_is_named(api_version: str, kind: str, what: str) -> None:
    [found] = irreversible(pruning(made(api_version, kind, "x")), {})
    assert (found.code, what in found.title) == (codes.NOT_UNDOABLE, True)


@pytest.mark.parametrize(("api_version", "kind"), [("v1", "ConfigMap"), ("apps/v1", "StatefulSet")])
def test_a_prune_of_what_git_can_bring_back_is_not(api_version: str, kind: str) -> None:
    assert list(irreversible(pruning(made(api_version, kind, "x")), {})) == []


def test_a_job_is_told_of_and_never_asked_about() -> None:
    plan = creating(made("batch/v1", "Job", "migrate", {}))
    assert [p.code for p in runs(plan)] == [codes.NOT_UNDOABLE]
    assert list(irreversible(plan, {})) == []


@pytest.mark.parametrize("body", ["nonsense", {"versions": 1}, {"versions": [1, {"storage": True}]}, None])
def test_a_malformed_crd_is_left_for_the_server_to_refuse(body: Any) -> None:
    definition = made("apiextensions.k8s.io/v1", "CustomResourceDefinition", "x", body)
    live = Live("u1", "1", "g1", OWNER)
    plan = build_plan(OWNER, (definition,), Inventory(), lambda key: live, PlanOptions())
    assert list(irreversible(plan, {definition.id: {"status": {"storedVersions": [None]}}})) == []


def test_asking_names_the_revision_and_how_to_agree() -> None:
    [found] = ask(irreversible(pruning(made("v1", "Namespace", "x")), {}), "main@sha1:1", "do this")
    assert found.code is codes.NEEDS_WORD
    assert "for main@sha1:1" in found.cause
    assert "do this" in found.fix


@pytest.mark.parametrize(
    ("kind", "force", "refused"),
    [("PersistentVolumeClaim", False, True), ("PersistentVolumeClaim", True, False), ("Service", False, False)],
)
def test_a_wholesale_force_is_no_word_for_what_takes_data_with_it(kind: str, force: bool, refused: bool) -> None:
    [batch] = creating(made("v1", kind, "x", force=force)).applies
    immutable = Problem(codes.IMMUTABLE_FIELD, "spec.x is immutable")
    found = refuse_recreation(batch.changes[0], (immutable,))
    assert [p.code for p in found] == ([codes.NEEDS_WORD] if refused else [])
    assert all("spec.x is immutable" in p.title for p in found)
