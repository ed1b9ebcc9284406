"""Whose fields become ours on adoption, and whose never do."""

from __future__ import annotations

import msgspec
import pytest

from sluice.core.live import FieldManager
from sluice.core.managed_fields import created_by, take_over, take_over_patch


def manager(name: str, operation: str, fields: dict[str, object], subresource: str = "") -> FieldManager:
    return FieldManager(name, operation, "v1", None, subresource, msgspec.Raw(msgspec.json.encode(fields)))


def test_kubectls_fields_become_ours() -> None:
    kubectl = manager("kubectl-client-side-apply", "Update", {"f:data": {"f:a": {}}})
    assert take_over((kubectl,), "kustomize-controller") == [
        {
            "manager": "kustomize-controller",
            "operation": "Apply",
            "apiVersion": "v1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}},
        }
    ]


def test_what_was_ours_already_stays_and_the_union_is_one_entry() -> None:
    ours = manager("kustomize-controller", "Apply", {"f:data": {"f:a": {}}})
    kubectl = manager("kubectl", "Apply", {"f:data": {"f:b": {}}})
    result = take_over((ours, kubectl), "kustomize-controller")
    assert result is not None
    assert [m["manager"] for m in result] == ["kustomize-controller"]
    assert result[0]["fieldsV1"] == {"f:data": {"f:a": {}, "f:b": {}}}


def test_an_autoscalers_fields_and_status_updates_stay_theirs() -> None:
    hpa = manager("kube-controller-manager", "Update", {"f:spec": {"f:replicas": {}}}, "scale")
    status = manager("kubectl", "Update", {"f:status": {}}, "status")
    kubectl = manager("kubectl", "Update", {"f:data": {}})
    result = take_over((hpa, status, kubectl), "kustomize-controller")
    assert result is not None
    assert [(m["manager"], m.get("subresource")) for m in result[1:]] == [
        ("kube-controller-manager", "scale"),
        ("kubectl", "status"),
    ]


def test_nothing_is_patched_when_nobody_else_wrote() -> None:
    assert take_over((manager("kustomize-controller", "Apply", {"f:data": {}}),), "kustomize-controller") is None


def test_the_patch_drops_what_older_tools_left_and_holds_only_for_this_version() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "stays"}
    patch = msgspec.json.decode(take_over_patch([], {"fluxcd.io/sync-gc-mark": "x"}, annotations, "41"))
    assert patch[0] == {"op": "test", "path": "/metadata/resourceVersion", "value": "41"}
    assert [operation["path"] for operation in patch if operation["op"] == "remove"] == [
        "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
        "/metadata/labels/fluxcd.io~1sync-gc-mark",
    ]


BORN = "2026-01-02T03:04:05Z"
LATER = "2026-01-02T03:05:00Z"
OURS = ("kustomize-controller", "Apply", "")
CREATORS: list[tuple[str, list[tuple[str, str, str, str | None]], bool]] = [
    ("we wrote it at its birth", [(*OURS, BORN)], True),
    ("the second turned between the two clocks", [(*OURS, "2026-01-02T03:04:06Z")], True),
    ("somebody else wrote later", [(*OURS, BORN), ("hpa", "Update", "", LATER)], True),
    ("a controller reported status at once", [(*OURS, BORN), ("controller", "Update", "status", BORN)], True),
    ("somebody else wrote in the same second", [(*OURS, BORN), ("kubectl", "Update", "", BORN)], False),
    ("we came later", [(*OURS, LATER), ("kubectl", "Update", "", BORN)], False),
    ("we came later and took everything", [(*OURS, LATER)], False),
    ("we only updated it", [("kustomize-controller", "Update", "", BORN)], False),
    ("nobody knows when the other wrote", [(*OURS, BORN), ("kubectl", "Update", "", None)], False),
    ("nobody knows who wrote", [], False),
]


@pytest.mark.parametrize(("why", "writers", "ours"), CREATORS, ids=[c[0] for c in CREATORS])
def test_an_object_was_created_by_us_or_not_when(
    why: str, writers: list[tuple[str, str, str, str | None]], ours: bool
) -> None:
    managers = tuple(FieldManager(name, op, "v1", time, sub) for name, op, sub, time in writers)
    assert created_by(managers, BORN, "kustomize-controller") is ours, why
    assert not created_by(managers, None, "kustomize-controller")
