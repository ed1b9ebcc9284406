"""Which entries of kustomizations are held to be the images of objects that failed."""

from __future__ import annotations

import pytest

from sluice.core.ids import NamespacedName, ResourceId
from sluice.core.image_update.unhealthy import FailedRollout
from sluice.reconcilers.failed_entries import failed_entries
from sluice.render.tree_version import TreeVersion
from tests.trees import tree_of

WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: main, image: 'web:0'}, {name: side, image: 'side:0'}]}}}
"""
ENTRIES = "images: [{name: other, newTag: '1'}, {name: web, newTag: '1'}]\n"
FILES = {
    "apps/kustomization.yaml": "resources: [shop, test]\n" + ENTRIES,
    "apps/shop/kustomization.yaml": "namespace: shop\nresources: [../../base]\nimages: [{name: side, newTag: '1'}]\n",
    "apps/test/kustomization.yaml": "namespace: test\nresources: [../../base]\nimages: [{name: web, newName: wob}]\n",
    "base/kustomization.yaml": "resources: [web.yaml, other.yaml]\n",
    "base/web.yaml": WEB,
    "base/other.yaml": WEB.replace("name: web}", "name: other}").replace("web:0", "other:0"),
}


@pytest.mark.parametrize(
    ("name", "namespace", "found"),
    [
        ("web", "shop", {("apps/kustomization.yaml", "images[1]"), ("apps/shop/kustomization.yaml", "images[0]")}),
        ("web", "test", {("apps/test/kustomization.yaml", "images[0]")}),
        ("other", "shop", {("apps/kustomization.yaml", "images[0]"), ("apps/shop/kustomization.yaml", "images[0]")}),
        ("web", "elsewhere", set()),
        ("absent", "shop", set()),
    ],
)
async def test_entries_on_the_way_of_a_failed_object_are_its_own(
    name: str, namespace: str, found: set[tuple[str, str]]
) -> None:
    live = ResourceId("apps", "Deployment", namespace, name)
    rollout = FailedRollout(NamespacedName("a", "b"), "c", "", ("apps",), {live: "it crashed"})
    assert await failed_entries(rollout, TreeVersion(*tree_of(FILES))) == dict.fromkeys(found, live)
