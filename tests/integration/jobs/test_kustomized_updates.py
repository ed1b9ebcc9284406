"""Releases and policies of workloads that a kustomization takes in; with a real git server."""

from __future__ import annotations

from collections.abc import Iterable

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

    def __init__(self) -> None:
        pass

    @property
    def generators(self) -> None:
        return None

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
    run = UpdateRun(InTheCluster(), NoTags(), GitTarget(source, (place,)), UpdateSpec(spec))
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
        ({"base/kustomization.yaml": BASE, "base/web.yaml": WEB, "apps/kustomization.yaml": OVERLAY}, "apps"),
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
    assert "not this sync's alone" in result.problem.title


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
