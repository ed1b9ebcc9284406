"""Releases and policies of workloads that a kustomization takes in; with a real git server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.flag_source import FlagSource
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef, parse
from sluice.core.image_update.policy_annotation import PolicyUpdate
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.workload import WorkloadId
from sluice.core.update_spec import ContainerSpec, PolicySpec, UpdateSpec
from sluice.git.write_back import Written, write_back
from sluice.reconcilers.flag_mode import source_of
from sluice.reconcilers.git_targets import GitTarget, GitTargets, Place
from sluice.reconcilers.update_run import UpdateRun
from sluice.registry.scanner import ScanResult
from sluice.render import Renderer
from tests.git_servers import Hosted, git_http, hosted, mirrors
from tests.git_writing import wanted

__all__ = ["git_http", "hosted", "mirrors"]

WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}   # here
spec: {template: {spec: {containers: [{name: main, image: 'web:1.0'}]}}}
"""
PATCH = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 3}
"""
SHOP = "namespace: shop\nresources: [web.yaml]\npatches: [{path: patch.yaml}]\n"
OVERLAY = "namespace: NAMESPACE\nresources: [../base]\n"
BASE = "resources: [web.yaml]\n"
ALL = WorkloadId("shop", "deployment", "web")


class InTheCluster(GitTargets):
    """The targets of an operator in whose cluster everything runs, and that runs no commands."""

    def __init__(self, work: Path) -> None:
        self._renderer = Renderer(work)

    @property
    def generators(self) -> None:
        return None

    @property
    def renderer(self) -> Renderer:
        return self._renderer

    async def running(self, target: GitTarget, names: Iterable[WorkloadId]) -> frozenset[WorkloadId]:
        return frozenset(names)


class NoTags:
    """Nothing is asked of a registry where containers and their images are named."""

    async def look(self, image: ImageRef, namespace: str = "") -> ScanResult:
        raise AssertionError("a registry was asked")


async def updated(
    hosted: Hosted, spec: ContainerSpec | PolicySpec, path: str = "apps", imposed: str = ""
) -> tuple[Written, UpdateRun]:
    source = source_of(FlagSource(url=hosted.url, branch="main"), "sluice")
    place = Place(NamespacedName("sluice", "flag"), path, imposed or "default", imposed)
    run = UpdateRun(InTheCluster(hosted.bare.parent / "build"), NoTags(), GitTarget(source, (place,)), UpdateSpec(spec))
    return await write_back(hosted.mirror, wanted(), run.plan), run


def release(*workloads: WorkloadId) -> ContainerSpec:
    updates = tuple(ContainerUpdate(each, "main", parse("web:1.1"), parse("web:1.0")) for each in workloads)
    return ContainerSpec(updates, skip_mismatches=True)


async def content(hosted: Hosted, written: Written, path: str) -> str:
    return (await hosted.mirror.head(written.commit).read([path]))[path].decode()


async def test_a_workload_is_released_under_the_namespace_that_its_kustomization_sets(hosted: Hosted) -> None:
    hosted.commit({"apps/kustomization.yaml": SHOP, "apps/web.yaml": WEB, "apps/patch.yaml": PATCH})
    written, run = await updated(hosted, release(ALL))
    assert (written.outcome, written.files) == ("pushed", ("apps/web.yaml",))
    assert await content(hosted, written, "apps/web.yaml") == WEB.replace("web:1.0", "web:1.1")
    assert [(change.subject.namespace, change.line) for change in run.changes] == [("shop", 4)]


async def test_the_namespace_of_the_outermost_kustomization_counts_and_that_of_the_sync_above_all(
    hosted: Hosted,
) -> None:
    files = {"apps/kustomization.yaml": "namespace: outer\nresources: [shop]\n", "apps/shop/kustomization.yaml": SHOP}
    hosted.commit({**files, "apps/shop/web.yaml": WEB, "apps/shop/patch.yaml": PATCH})
    outer, given = (WorkloadId(name, "deployment", "web") for name in ("outer", "given"))
    _, run = await updated(hosted, PolicySpec((PolicyUpdate(outer, {"automated": "true"}),)))
    assert run.results[outer].status == "success"
    _, run = await updated(hosted, PolicySpec((PolicyUpdate(given, {"locked": "true"}),)), imposed="given")
    assert run.results[given].status == "success"


async def test_equal_names_in_two_namespaces_are_two_workloads(hosted: Hosted) -> None:
    files: dict[str, str | bytes | None] = {
        f"apps/{name}/{file}": text
        for name in ("one", "two")
        for file, text in {"kustomization.yaml": f"namespace: {name}\n{BASE}", "web.yaml": WEB}.items()
    }
    hosted.commit(files)
    one, two = (WorkloadId(name, "deployment", "web") for name in ("one", "two"))
    written, run = await updated(hosted, release(two))
    assert written.files == ("apps/two/web.yaml",)
    updates = tuple(PolicyUpdate(each, {"automated": "true"}) for each in (one, two))
    await updated(hosted, PolicySpec(updates[:1]))
    _, run = await updated(hosted, PolicySpec(updates))
    assert {str(each): result.status for each, result in run.results.items()} == {
        "one:deployment/web": "skipped",
        "two:deployment/web": "success",
    }


@pytest.mark.parametrize(
    ("files", "path"),
    [
        (
            {
                "base/kustomization.yaml": BASE,
                "base/web.yaml": WEB,
                "apps/kustomization.yaml": OVERLAY,
                "test/kustomization.yaml": OVERLAY.replace("NAMESPACE", "test"),
            },
            "apps",
        ),
        (
            {
                "apps/base/kustomization.yaml": BASE,
                "apps/base/web.yaml": WEB,
                "apps/shop/kustomization.yaml": OVERLAY,
                "apps/prod/kustomization.yaml": OVERLAY.replace("NAMESPACE", "prod"),
                "apps/kustomization.yaml": "resources: [shop, prod]\n",
            },
            "apps",
        ),
    ],
    ids=["beside the path", "built twice"],
)
async def test_a_file_that_others_take_the_workload_from_as_well_is_not_changed_and_named(
    hosted: Hosted, files: dict[str, str], path: str
) -> None:
    hosted.commit({name: text.replace("NAMESPACE", "shop") for name, text in files.items()})
    written, run = await updated(hosted, PolicySpec((PolicyUpdate(ALL, {"automated": "true"}),)), path)
    assert written.outcome == "unchanged"
    result = run.results[ALL]
    assert (result.status, result.reason) == ("skipped", "not found in repository")
    assert result.problem is not None
    assert result.problem.code is codes.WORKLOAD_MISSING
    assert result.problem.origin is not None
    assert result.problem.origin.path.endswith("base/web.yaml")
    assert result.problem.origin.line == 1
    assert "not this sync's alone" in result.problem.title
    overlays = sorted(name for name in files if "../base" in files[name])
    assert result.problem.cause.endswith(f"base/web.yaml:1, which is taken in by {', '.join(overlays)}")
    assert "base/web.yaml for all of them" in result.problem.fix


@pytest.mark.parametrize("above", ["", "extra/kustomization.yaml"], ids=["alone", "with an overlay of the overlay"])
async def test_a_base_that_one_overlay_alone_takes_in_is_changed_as_the_sync_s_own(hosted: Hosted, above: str) -> None:
    hosted.commit(
        {
            "base/kustomization.yaml": BASE,
            "base/web.yaml": WEB,
            "common/kustomization.yaml": "resources: [../base]\n",
            "apps/kustomization.yaml": OVERLAY.replace("NAMESPACE", "shop").replace("../base", "../common"),
            **({above: "resources: [../apps]\n"} if above else {}),
        }
    )
    _, run = await updated(hosted, PolicySpec((PolicyUpdate(ALL, {"automated": "true"}),)))
    assert run.results[ALL].status == "success"
    written, run = await updated(hosted, release(ALL))
    assert written.files == ("base/web.yaml",)
    assert "web:1.1" in await content(hosted, written, "base/web.yaml")
    assert [(each.subject.namespace, each.subject.name) for each in run.changes] == [("shop", "web")]


async def test_an_image_of_a_base_that_the_overlay_replaces_by_a_patch_in_itself_is_refused(hosted: Hosted) -> None:
    patch = '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:1.0"}]'
    inline = f"patches:\n- target: {{kind: Deployment}}\n  patch: '{patch}'\n"
    overlay = OVERLAY.replace("NAMESPACE", "shop") + inline
    hosted.commit({"base/kustomization.yaml": BASE, "base/web.yaml": WEB, "apps/kustomization.yaml": overlay})
    with pytest.raises(UserError) as caught:
        await updated(hosted, release(ALL))
    [problem] = caught.value.problems
    assert (problem.code, problem.origin and problem.origin.line) == (codes.IMAGE_OVERRIDDEN, 4)
    assert "would become web:1.0, not web:1.1" in problem.cause


async def test_an_entry_of_a_base_that_one_overlay_alone_takes_in_is_changed(hosted: Hosted) -> None:
    files = {"apps/kustomization.yaml": "namespace: shop\nresources: [../base]\n", "base/web.yaml": FILE}
    hosted.commit({**files, "base/kustomization.yaml": BASE + IMAGES})
    written, _ = await updated(hosted, release(ALL))
    assert written.files == ("base/kustomization.yaml",)


async def test_a_patch_that_sets_the_image_is_where_it_is_changed(hosted: Hosted) -> None:
    base = {"base/kustomization.yaml": BASE, "base/web.yaml": WEB}
    overlay = OVERLAY.replace("NAMESPACE", "shop") + "patches: [{path: image.yaml}, {path: replicas.yaml}]\n"
    hosted.commit({**base, "apps/kustomization.yaml": overlay, "apps/image.yaml": WEB, "apps/replicas.yaml": PATCH})
    written, _ = await updated(hosted, release(ALL))
    assert (written.outcome, written.files) == ("pushed", ("apps/image.yaml",))


async def test_an_image_that_file_and_patch_both_set_is_ambiguous(hosted: Hosted) -> None:
    hosted.commit({"apps/kustomization.yaml": SHOP, "apps/web.yaml": WEB, "apps/patch.yaml": WEB})
    with pytest.raises(UserError, match="defined twice"):
        await updated(hosted, release(ALL))


async def test_what_a_kustomization_leaves_out_is_in_no_file(hosted: Hosted) -> None:
    hosted.commit({"apps/kustomization.yaml": "namespace: shop\nresources: []\n", "apps/web.yaml": WEB})
    written, run = await updated(hosted, PolicySpec((PolicyUpdate(ALL, {"automated": "true"}),)))
    assert written.outcome == "unchanged"
    assert "is in no file" in str(run.results[ALL].problem)


IMAGES = "images:\n- name: web   # the only one\n  newTag: '1.0'\n"
FILE = WEB.replace("web:1.0", "web:0.1")
BY_ENTRY = {"apps/kustomization.yaml": f"namespace: shop\n{BASE}{IMAGES}", "apps/web.yaml": FILE}
OTHER = FILE.replace("name: web}", "name: worker}")


async def test_an_image_that_an_entry_of_images_replaces_is_changed_there_and_nowhere_else(hosted: Hosted) -> None:
    hosted.commit({**BY_ENTRY})
    written, run = await updated(hosted, release(ALL))
    assert (written.outcome, written.files) == ("pushed", ("apps/kustomization.yaml",))
    text = await content(hosted, written, "apps/kustomization.yaml")
    assert text == BY_ENTRY["apps/kustomization.yaml"].replace("'1.0'", "'1.1'")
    [change] = run.changes
    assert (change.subject.name, change.line, change.old, change.new) == ("web", 5, "web:1.0", "web:1.1")


@pytest.mark.parametrize(
    ("before", "image", "after"),
    [
        (
            "- {name: web, newName: acme/web, newTag: v1}",
            "acme/web:1.1",
            "- {name: web, newName: acme/web, newTag: 1.1}",
        ),
        ("- name: web\n  newTag: v1", "acme/web:v2", "- name: web\n  newTag: v2\n  newName: acme/web"),
        (
            f"- name: web\n  digest: sha256:{'1' * 64}",
            f"web@sha256:{'2' * 64}",
            f"- name: web\n  digest: sha256:{'2' * 64}",
        ),
        ("- name: web\n  newName: acme/web", "acme/web:v2", "- name: web\n  newName: acme/web\n  newTag: v2"),
    ],
)
async def test_every_form_of_an_entry_is_written_so_that_it_yields_the_image(
    hosted: Hosted, before: str, image: str, after: str
) -> None:
    kustomization = f"namespace: shop\nimages:\n{before}\nresources: [web.yaml]   # end\n"
    hosted.commit({"apps/kustomization.yaml": kustomization, "apps/web.yaml": FILE})
    written, _ = await updated(hosted, ContainerSpec((ContainerUpdate(ALL, "main", parse(image)),)))
    expected = kustomization.replace(before, after).replace("newTag: 1.1}", 'newTag: "1.1"}')
    assert await content(hosted, written, "apps/kustomization.yaml") == expected


async def test_a_shared_base_is_released_by_the_entries_of_its_overlay(hosted: Hosted) -> None:
    overlays: dict[str, str | bytes | None] = {
        f"apps/{name}/kustomization.yaml": OVERLAY.replace("NAMESPACE", name).replace("../base", "../../base") + IMAGES
        for name in ("shop", "prod")
    }
    base = {"base/kustomization.yaml": BASE, "base/web.yaml": FILE}
    hosted.commit({**base, **overlays, "apps/kustomization.yaml": "resources: [shop, prod]\n"})
    written, run = await updated(hosted, release(ALL))
    assert written.files == ("apps/shop/kustomization.yaml",)
    _, run = await updated(hosted, PolicySpec((PolicyUpdate(ALL, {"automated": "true"}),)))
    assert "not this sync's alone" in str(run.results[ALL].problem)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"apps/kustomization.yaml": f"namespace: shop\n{BASE}{IMAGES}- {{name: web, newTag: '1.0'}}\n"},
            "several entries",
        ),
        (
            {
                "apps/kustomization.yaml": "namespace: shop\nresources: [../base]\n",
                "base/kustomization.yaml": BASE + IMAGES,
                "base/web.yaml": FILE,
                "test/kustomization.yaml": "resources: [../base]\n",
            },
            "base/kustomization.yaml:3 is taken in by apps/kustomization.yaml, test/kustomization.yaml",
        ),
        ({"apps/web.yaml": f"{FILE}---\n{OTHER}"}, "shop:deployment/worker main would become web:1.1, too"),
        (
            {
                "apps/kustomization.yaml": f"namespace: shop\n{BASE}{IMAGES}transformers: [t.yaml]\n",
                "apps/t.yaml": "apiVersion: builtin\nkind: ImageTagTransformer\nmetadata: {name: t}\n"
                "imageTag: {name: web, newTag: '3'}\n",
            },
            "would become web:3, not web:1.1",
        ),
    ],
    ids=["several entries", "of a base beside the path", "of two workloads", "replaced once more"],
)
async def test_an_entry_that_can_not_be_changed_for_the_workload_alone_is_refused_with_its_line(
    hosted: Hosted, files: dict[str, str], said: str
) -> None:
    hosted.commit({**BY_ENTRY, **files})
    with pytest.raises(UserError) as caught:
        await updated(hosted, release(ALL))
    [problem] = caught.value.problems
    assert problem.code is codes.IMAGE_ENTRY
    assert problem.origin is not None
    assert problem.origin.path.endswith("kustomization.yaml")
    assert problem.origin.line > 1
    assert said in str(problem)


async def test_all_workloads_of_one_entry_are_released_together(hosted: Hosted) -> None:
    hosted.commit({**BY_ENTRY, "apps/web.yaml": f"{FILE}---\n{OTHER}"})
    written, run = await updated(hosted, release(ALL, WorkloadId("shop", "deployment", "worker")))
    assert written.files == ("apps/kustomization.yaml",)
    assert [change.subject.name for change in run.changes] == ["web", "worker"]


async def test_the_image_that_the_file_has_is_not_the_one_that_runs(hosted: Hosted) -> None:
    hosted.commit({**BY_ENTRY})
    stale = ContainerUpdate(ALL, "main", parse("web:1.1"), parse("web:0.1"))
    with pytest.raises(UserError, match="cannot satisfy specs"):
        await updated(hosted, ContainerSpec((stale,)))
