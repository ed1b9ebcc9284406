"""Names of objects."""

from __future__ import annotations

import pytest

from sluice.core.ids import GroupKind, NamespacedName, ResourceId, split_api_version

FORMS = [
    (ResourceId("apps", "Deployment", "shop", "web"), "shop_web_apps_Deployment"),
    (ResourceId("", "ConfigMap", "shop", "a"), "shop_a__ConfigMap"),
    (ResourceId("", "Namespace", "", "shop"), "_shop__Namespace"),
    (
        ResourceId("rbac.authorization.k8s.io", "ClusterRole", "", "system:node"),
        "_system__node_rbac.authorization.k8s.io_ClusterRole",
    ),
    (ResourceId("", "ConfigMap", "shop", "a.b-c"), "shop_a.b-c__ConfigMap"),
]


@pytest.mark.parametrize(("resource", "text"), FORMS)
def test_an_inventory_id_has_flux_form_and_is_read_back(resource: ResourceId, text: str) -> None:
    assert resource.inventory_id() == text
    assert ResourceId.from_inventory_id(text) == resource


@pytest.mark.parametrize("text", ["", "a", "a_b", "a_b_c", "_", "___", "shop_a__", "__x_y", "shop_web_apps_"])
def test_text_that_is_no_inventory_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an inventory id"):
        ResourceId.from_inventory_id(text)


@pytest.mark.parametrize(
    ("text", "parts"), [("v1", ("", "v1")), ("apps/v1", ("apps", "v1")), ("a.b/v1beta1", ("a.b", "v1beta1"))]
)
def test_an_api_version_is_split_into_group_and_version(text: str, parts: tuple[str, str]) -> None:
    assert split_api_version(text) == parts


def test_people_read_kind_and_place() -> None:
    assert str(ResourceId("apps", "Deployment", "shop", "web")) == "Deployment shop/web"
    assert str(ResourceId("", "Namespace", "", "shop")) == "Namespace shop"
    assert str(GroupKind("apps", "Deployment")) == "Deployment.apps"
    assert str(GroupKind("", "ConfigMap")) == "ConfigMap"
    assert str(NamespacedName("shop", "web")) == "shop/web"


def test_ids_are_ordered_by_group_kind_namespace_and_name() -> None:
    ids = [
        ResourceId("b", "A", "", ""),
        ResourceId("a", "B", "", ""),
        ResourceId("a", "A", "z", ""),
        ResourceId("a", "A", "a", "b"),
    ]
    assert sorted(ids) == [ids[3], ids[2], ids[1], ids[0]]
