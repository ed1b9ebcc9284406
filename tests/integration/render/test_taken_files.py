"""Whose a file is that kustomizations take in, as the whole repository has it."""

from __future__ import annotations

import pytest

from sluice.render.taken_files import TakenFiles
from sluice.render.tree_version import TreeVersion
from tests.trees import tree_of

FILES = {
    "one/kustomization.yaml": "resources: [../alone, ../shared, ../stray/more.yaml]\ncomponents: [../part]\n",
    "two/kustomization.yaml": "resources: [../middle]\npatches: [{path: ../patches/size.yaml}]\n",
    "two/inner/kustomization.yaml": "resources: [../../shared]\n",
    "three/kustomization.yaml": "resources: [../two]\n",
    "middle/kustomization.yaml": "resources: [../shared]\n",
    "alone/kustomization.yaml": "resources: [web.yaml]\n",
    "shared/kustomization.yml": "resources: [web.yaml, linked/web.yaml]\n",
    "part/kustomization.yaml": "kind: Component\nresources: [web.yaml]\n",
    "broken/kustomization.yaml": "resources: [../alone\n",
    "unused/kustomization.yaml": "resources: [web.yaml]\n",
    **{f"{folder}/web.yaml": "kind: List\n" for folder in ("alone", "shared", "part", "unused", "real")},
    "stray/more.yaml": "kind: List\n",
    "patches/size.yaml": "kind: Deployment\n",
}
LINKS = {"shared/linked": "../real", "four/kustomization.yaml": "../three/kustomization.yaml"}


def taken() -> TakenFiles:
    return TakenFiles(TreeVersion(*tree_of(FILES, LINKS)))


@pytest.mark.parametrize(
    ("path", "folder", "is_of"),
    [
        ("one/kustomization.yaml", "one", True),
        ("alone/web.yaml", "one", True),
        ("alone/kustomization.yaml", "one", True),
        ("part/web.yaml", "one", True),
        ("stray/more.yaml", "one", True),
        ("shared/web.yaml", "one", False),
        ("shared/web.yaml", "two", False),
        ("real/web.yaml", "one", False),
        ("middle/kustomization.yaml", "two", True),
        ("patches/size.yaml", "two", True),
        ("patches/size.yaml", "three", False),
        ("middle/kustomization.yaml", "one", False),
        ("unused/web.yaml", "one", False),
        ("nowhere.yaml", "one", False),
        ("shared/web.yaml", "", True),
    ],
)
async def test_a_file_is_a_folders_when_every_way_up_leads_there(path: str, folder: str, is_of: bool) -> None:
    assert await taken().is_of(path, folder) is is_of


@pytest.mark.parametrize(
    ("path", "sharers"),
    [
        ("shared/web.yaml", ("middle/kustomization.yaml", "one/kustomization.yaml", "two/inner/kustomization.yaml")),
        ("real/web.yaml", ("middle/kustomization.yaml", "one/kustomization.yaml", "two/inner/kustomization.yaml")),
        ("alone/web.yaml", ("one/kustomization.yaml",)),
        ("nowhere.yaml", ()),
    ],
)
async def test_those_that_share_a_file_are_the_first_that_are_several(path: str, sharers: tuple[str, ...]) -> None:
    assert await taken().sharers(path) == sharers


@pytest.mark.parametrize(
    ("folder", "roots"),
    [("", ("four", "one", "three", "two/inner", "unused")), ("two", ("two",)), ("alone", ("alone",)), ("stray", ())],
)
async def test_the_roots_of_a_folder_are_its_own_kustomization_or_those_that_none_takes_in(
    folder: str, roots: tuple[str, ...]
) -> None:
    assert await taken().roots(folder) == roots


async def test_kustomizations_that_refer_in_a_circle_end() -> None:
    files = {"a/kustomization.yaml": "resources: [../b, web.yaml]\n", "b/kustomization.yaml": "resources: [../a]\n"}
    circle = TakenFiles(TreeVersion(*tree_of({**files, "a/web.yaml": ""})))
    assert not await circle.is_of("a/web.yaml", "c")
    assert await circle.sharers("a/web.yaml")


async def test_where_kustomizations_are_too_large_to_read_no_file_beside_a_folder_is_its_own() -> None:
    files = {**FILES, "huge/kustomization.yaml": "#" * 2_500_000}
    huge = {f"huge/{number}/kustomization.yaml": files["huge/kustomization.yaml"] for number in range(21)}
    assert not await TakenFiles(TreeVersion(*tree_of({**FILES, **huge}))).is_of("alone/web.yaml", "one")
