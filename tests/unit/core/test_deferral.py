"""Which dry-runs have to wait, and for what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sluice.api.crds import KINDS
from sluice.core import codes
from sluice.core.deferral import NOT_ACTED_ON, defined_kinds, find_deferred, unknown_kinds
from sluice.core.ids import GroupKind, ResourceId, split_api_version
from sluice.core.inventory import Inventory
from sluice.core.manifest import Directives, Manifest
from sluice.core.plan import PlanOptions, build_plan
from sluice.core.problem import Origin
from sluice.core.steps import Deferral
from tests.plans import OWNER, entry, live, manifest


def crd(name: str = "gadgets", *, scope: str = "Namespaced", served: bool = True, spec: Any = None) -> Manifest:
    body = {
        "group": "example.com",
        "names": {"kind": "Gadget"},
        "scope": scope,
        "versions": [{"name": "v1", "served": served}, {"name": "v0", "served": False}],
    }
    return manifest("CustomResourceDefinition", name, spec={"spec": body if spec is None else spec})


def deferred(*manifests: Manifest, unchanged: tuple[Manifest, ...] = ()) -> Deferral:
    plan = build_plan(
        OWNER,
        (*manifests, *unchanged),
        Inventory(map(entry, unchanged)),
        {m.id: live() for m in unchanged}.get,
        PlanOptions(),
    )
    return find_deferred(plan, defined_kinds((*manifests, *unchanged)))


def test_a_crd_defines_a_kind_with_its_scope_and_served_versions() -> None:
    kinds = defined_kinds([crd(), manifest("ConfigMap", "a")])
    found = kinds[GroupKind("example.com", "Gadget")]
    assert (found.namespaced, sorted(found.versions)) == (True, ["v1"])
    assert not defined_kinds([crd(scope="Cluster")])[GroupKind("example.com", "Gadget")].namespaced


def test_a_malformed_crd_defines_nothing_and_is_left_for_the_server_to_refuse() -> None:
    malformed: tuple[object, ...] = ([], {"group": 1}, {"names": "x"}, {"versions": {}})
    for spec in malformed:
        assert GroupKind("example.com", "Gadget") not in defined_kinds([crd(spec=spec)])


def test_an_object_waits_for_the_crd_of_its_kind() -> None:
    gadget = manifest("Gadget", "g")
    assert deferred(crd(), gadget).served == {gadget.id}


def test_an_object_does_not_wait_for_a_crd_that_does_not_change() -> None:
    assert deferred(manifest("Gadget", "g"), unchanged=(crd(),)) == Deferral()


def test_an_object_waits_for_the_namespace_it_lives_in() -> None:
    inside, outside = manifest("ConfigMap", "a"), manifest("ConfigMap", "a", namespace="elsewhere")
    assert deferred(manifest("Namespace", "shop"), inside, outside).served == {inside.id}


def test_an_object_does_not_wait_for_a_namespace_that_is_only_changed() -> None:
    inside, home = manifest("ConfigMap", "a"), manifest("Namespace", "shop")
    plan = build_plan(OWNER, (inside, home), Inventory(), {home.id: live()}.get, PlanOptions())
    assert find_deferred(plan, {}) == Deferral()


def binding(kind: str, role: str) -> Manifest:
    return manifest("RoleBinding", "b", spec={"roleRef": {"kind": kind, "name": role}})


def test_a_role_binding_waits_for_the_role_it_names() -> None:
    role = manifest("Role", "reader")
    assert deferred(role, binding("Role", "reader")).applied == {binding("Role", "reader").id}
    assert deferred(role, binding("Role", "other")) == Deferral()
    assert deferred(role, binding("ClusterRole", "reader")) == Deferral()
    assert deferred(manifest("ClusterRole", "reader"), binding("ClusterRole", "reader")).applied


def test_a_pod_waits_for_what_it_names() -> None:
    account = Manifest(
        manifest("Pod", "worker").id.__class__("", "ServiceAccount", "shop", "worker"),
        "v1",
        b'{"metadata":{}}',
        crd().origin,
        b"x" * 16,
    )
    pod = manifest("Pod", "p", spec={"spec": {"serviceAccountName": "worker"}})
    assert deferred(account, pod).applied == {pod.id}
    assert deferred(pod) == Deferral()


def test_malformed_references_wait_for_nothing() -> None:
    role = manifest("Role", "reader")
    assert deferred(role, manifest("RoleBinding", "b", spec={"roleRef": "reader"})) == Deferral()
    assert deferred(role, manifest("Pod", "p", spec={"spec": []})) == Deferral()


def test_a_deferral_holds_both_kinds_of_waiting() -> None:
    both = Deferral(frozenset({crd().id}), frozenset({manifest("Pod", "p").id}))
    assert crd().id in both
    assert manifest("Pod", "p").id in both
    assert manifest("Pod", "q").id not in both


def test_a_kind_that_nobody_serves_or_defines_is_named_with_its_place() -> None:
    gadget, config = manifest("Gadget", "g"), manifest("ConfigMap", "a")
    off = manifest("Gadget", "off", wants=Directives(reconcile=False))
    (problem,) = unknown_kinds([gadget, config, off], {}, lambda i: i.kind == "ConfigMap")
    assert (problem.code, problem.subject, problem.origin) == (codes.UNKNOWN_KIND, gadget.id, gadget.origin)
    assert unknown_kinds([gadget], defined_kinds([crd()]), lambda _: False) == ()


def test_a_kind_of_flux_that_nothing_here_acts_on_is_named_as_that_unless_somebody_else_serves_it() -> None:
    release = replace(
        manifest("ConfigMap", "redis"),
        id=ResourceId("helm.toolkit.fluxcd.io", "HelmRelease", "shop", "redis"),
        api_version="helm.toolkit.fluxcd.io/v2",
    )
    (problem,) = unknown_kinds([release], {}, lambda _: False)
    assert problem.code is codes.UNKNOWN_KIND
    assert problem.title == "this version of Sluice does not act on kind HelmRelease (helm.toolkit.fluxcd.io/v2)"
    assert "helm template" in problem.fix
    assert unknown_kinds([release], {}, lambda _: True) == ()


def test_no_kind_that_is_served_counts_as_one_that_nothing_acts_on() -> None:
    assert not NOT_ACTED_ON & {GroupKind(definition.group, definition.kind) for definition, _ in KINDS}


SERVED = [
    ("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "ServiceAccount"), ("v1", "Secret"),
    ("networking.k8s.io/v1", "Ingress"), ("policy/v1", "PodDisruptionBudget"), ("cert-manager.io/v1", "Certificate"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("api_version", "kind", "question"),
    [
        ("v1", "Servce", "kind: Service"),
        ("v1", "ServiceAcount", "kind: ServiceAccount"),
        ("apps/v1", "deployment", "kind: Deployment"),
        ("v1", "Deployment", "apiVersion: apps/v1"),
        ("app/v1", "Deployment", "apiVersion: apps/v1"),
        ("apps/v1", "Service", "apiVersion: v1"),
        ("extensions/v1beta1", "Ingress", "apiVersion: networking.k8s.io/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", "apiVersion: policy/v1"),
        ("cert-manager.io/v1alpha2", "Certificate", "apiVersion: cert-manager.io/v1"),
        ("certmanager.io/v1", "Certificate", "apiVersion: cert-manager.io/v1"),
    ],
)
def test_the_served_kind_that_was_meant_is_named(api_version: str, kind: str, question: str) -> None:
    (problem,) = unknown_kinds([of_kind(api_version, kind)], {}, lambda _: False, lambda: SERVED)
    assert problem.fix == f"did you mean {question}?"


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("serving.knative.dev/v1", "Service"), ("v1", "Widget"), ("traefik.io/v1alpha1", "IngressRoute")],
)
def test_another_project_s_kind_of_the_same_name_is_not_what_was_meant(api_version: str, kind: str) -> None:
    (problem,) = unknown_kinds([of_kind(api_version, kind)], {}, lambda _: False, lambda: SERVED)
    assert "did you mean" not in problem.fix
    assert "its CRD" in problem.fix


def of_kind(api_version: str, kind: str) -> Manifest:
    group = split_api_version(api_version)[0]
    return Manifest(ResourceId(group, kind, "shop", "a"), api_version, b"{}", Origin("a.yaml", 1), b"")
