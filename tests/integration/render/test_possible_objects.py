"""What a sync that can't be rendered may define: everything that it defines when it can be, and little more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.api.kustomization import PostBuild
from sluice.core.errors import UserError
from sluice.core.ids import ResourceId
from sluice.render import Renderer, possible_objects
from tests.trees import config_map, render_input

TYPO = "apiVersion: v1\nkind: [\n"
PLAIN = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"
ITEM = '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "shop"}}'
LIST = f"apiVersion: v1\nkind: List\nitems: [{ITEM}]\n"
GENERATOR = "namespace: shop\nconfigMapGenerator: [{name: env, literals: [a=b]}]\nsecretGenerator: [{name: key}]\n"


def key(name: str, namespace: str = "shop", kind: str = "ConfigMap") -> ResourceId:
    return ResourceId("", kind, namespace, name)


@pytest.mark.parametrize(
    ("files", "spec"),
    [
        ({"apps/a.yaml": config_map("one")}, {}),
        ({"apps/a.yaml": config_map("one") + "---\n" + config_map("two", namespace="other")}, {}),
        ({"apps/a.yaml": LIST}, {}),
        ({"apps/a.yaml": PLAIN.format("one")}, {"targetNamespace": "shop"}),
        ({"apps/a.yaml": config_map("one", namespace="other")}, {"targetNamespace": "shop"}),
        ({"apps/a.yaml": config_map("one")}, {"namePrefix": "pre-", "nameSuffix": "-post"}),
        (
            {"apps/a.yaml": config_map("${app}-a-${env}")},
            {"postBuild": PostBuild(substitute={"app": "web", "env": "prod"})},
        ),
        ({"apps/a.yaml": config_map("one", namespace="${ns}")}, {"postBuild": PostBuild(substitute={"ns": "shop"})}),
        ({"apps/kustomization.yaml": GENERATOR}, {}),
        (
            {
                "apps/kustomization.yaml": "resources: [../base]\nnamespace: shop\nnamePrefix: pre-\n",
                "base/kustomization.yaml": "resources: [a.txt]\nnameSuffix: -post\n",
                "base/a.txt": PLAIN.format("one"),
            },
            {},
        ),
        (
            {
                "apps/kustomization.yaml": "resources: [a.yaml]\n",
                "apps/a.yaml": config_map("one"),
                "extra/kustomization.yaml": "kind: Component\nresources: [b.yaml]\n",
                "extra/b.yaml": config_map("two"),
            },
            {"components": ["../extra"]},
        ),
    ],
)
async def test_all_that_a_render_gives_is_possible(tmp_path: Path, files: dict[str, str], spec: dict[str, Any]) -> None:
    given = render_input(files, path="./apps", **spec)
    defined = {manifest.id for manifest in (await Renderer(tmp_path).render(given)).manifests}
    assert defined
    assert await possible_objects(given, defined, generated=False) == defined


@pytest.mark.parametrize(
    ("broken", "elsewhere"),
    [
        ({"apps/typo.yaml": TYPO}, "other/a.yaml"),
        ({"apps/kustomization.yaml": "resources: [typo.yaml, a.yaml]\n", "apps/typo.yaml": TYPO}, "other/a.yaml"),
    ],
)
async def test_a_typo_hides_nothing_beside_it_and_what_is_elsewhere_is_not_taken_for_its_own(
    tmp_path: Path, broken: dict[str, str], elsewhere: str
) -> None:
    given = render_input({"apps/a.yaml": config_map("one"), elsewhere: config_map("two"), **broken}, path="./apps")
    with pytest.raises(UserError):
        await Renderer(tmp_path).render(given)
    assert await possible_objects(given, {key("one"), key("two")}, generated=False) == {key("one")}


@pytest.mark.parametrize(
    "broken",
    [
        {"apps/kustomization.yaml": "resources: [\n"},
        {"apps/kustomization.yaml": "resources: [../bas]\n"},
        {"apps/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": "resources: {\n"},
    ],
)
async def test_what_a_broken_kustomization_takes_in_may_be_anywhere(tmp_path: Path, broken: dict[str, str]) -> None:
    given = render_input({"base/a.yaml": config_map("one"), **broken}, path="./apps")
    with pytest.raises(UserError):
        await Renderer(tmp_path).render(given)
    assert await possible_objects(given, {key("one"), key("two")}, generated=False) == {key("one")}


async def test_what_commands_print_may_come_from_anywhere() -> None:
    given = render_input({"apps/.flux.yaml": "version: 1\n", "base/a.yaml": config_map("one")}, path="./apps")
    assert await possible_objects(given, {key("one")}, generated=True) == {key("one")}
    assert await possible_objects(given, {key("one")}, generated=False) == frozenset()


@pytest.mark.parametrize(
    ("wanted", "spec"),
    [
        (key("one", kind="Secret"), {}),
        (key("oneone"), {}),
        (key("one", "other"), {}),
        (key("one"), {"targetNamespace": "other"}),
        (key("pre-one"), {"namePrefix": "pre-", "path": "./nowhere"}),
        (key("web"), {"postBuild": PostBuild(substitute={"app": "web"})}),
    ],
)
async def test_another_kind_name_or_namespace_is_another_object(wanted: ResourceId, spec: dict[str, Any]) -> None:
    given = render_input({"apps/a.yaml": config_map("one"), "apps/typo.yaml": TYPO}, **{"path": "./apps", **spec})
    assert await possible_objects(given, {wanted}, generated=False) == frozenset()


async def test_a_name_that_is_all_holes_costs_no_more_than_its_length() -> None:
    holes = config_map("${a}x" * 5_000)
    given = render_input({"apps/a.yaml": holes}, path="./apps", postBuild=PostBuild(substitute={"a": "b"}))
    assert await possible_objects(given, {key("x" * 250)}, generated=False) == frozenset()
