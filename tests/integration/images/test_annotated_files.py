"""Which files automation by annotations looks at, and under which namespace; with a real git server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef, ImageTag, parse
from sluice.core.image_update.annotated import ContainerId, Rejection
from sluice.core.image_update.workload import WorkloadId
from sluice.core.running_workload import RunningWorkload
from sluice.git.head import Head
from sluice.reconcilers.annotated_files import Place, annotated_files
from sluice.reconcilers.annotation_past import Known
from sluice.reconcilers.annotation_run import AnnotationRun
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.workload_images import ScanKey, WorkloadImages
from sluice.reconcilers.written_branch import WrittenBranch
from sluice.registry.scanner import ScanResult
from sluice.render import Renderer
from sluice.render.taken_files import TakenFiles
from tests.git_servers import Hosted, git_http, hosted, mirrors

__all__ = ["git_http", "hosted", "mirrors"]

WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, annotations: {fluxcd.io/automated: "true"}}
spec: {template: {spec: {containers: [{name: main, image: 'web:1.0'}]}}}
"""
FILES: dict[str, str | bytes | None] = {
    "apps/one/kustomization.yaml": "namespace: one\nresources: [web.yaml]\n",
    "apps/one/web.yaml": WEB,
    "apps/two/kustomization.yaml": "namespace: two\nresources: [web.yaml, ../../base]\n",
    "apps/two/web.yaml": WEB,
    "base/kustomization.yaml": "resources: [db.yaml]\n",
    "base/db.yaml": WEB.replace("web", "db"),
    "test/kustomization.yaml": "namespace: test\nresources: [../base, ../mail]\n",
    "mail/kustomization.yaml": "resources: [mail.yaml]\n",
    "mail/mail.yaml": WEB.replace("web", "mail"),
    "apps/three/kustomization.yaml": "namespace: three\nresources: [../../alone]\n",
    "alone/kustomization.yaml": "resources: [web.yaml]\n",
    "alone/web.yaml": WEB,
    "apps/left-out.yaml": "kind: ConfigMap\n",
}
PLACE = Place(("apps",), "default")


class Runs:
    """A cluster in which everything runs, and a registry with two tags."""

    def __init__(self) -> None:
        self.running = self

    def get(self, each: WorkloadId) -> RunningWorkload:
        return RunningWorkload(each, ())

    def workloads(self) -> tuple[RunningWorkload, ...]:
        return ()

    def key(self, image: ImageRef, namespace: str) -> ScanKey:
        return ScanKey(namespace, image.canonical_name)

    def tags(self, image: ImageRef, namespace: str) -> ScanResult:
        times = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2))
        tags = [ImageTag(tag, None, time) for tag, time in zip(("1.0", "1.1"), times, strict=True)]
        return ScanResult(tuple(tags), complete=True)


@dataclass
class NothingRuns:
    """What is known of a cluster without workloads."""

    running: dict[WorkloadId, None] = field(default_factory=dict)


async def head_of(hosted: Hosted) -> Head:
    hosted.commit(FILES)
    return hosted.mirror.head((await hosted.follow()).commit)


async def test_each_file_is_looked_at_under_its_namespace_and_a_shared_one_is_told(hosted: Hosted) -> None:
    head = await head_of(hosted)
    found = await annotated_files(PLACE, head, (), TakenFiles(head))
    assert [(part.namespace, set(files)) for part, files in found.parts] == [
        ("one", {"apps/one/web.yaml"}),
        ("three", {"alone/web.yaml"}),
        ("two", {"apps/two/web.yaml"}),
    ]
    [reason] = found.reasons
    assert (str(reason.workload), reason.image) == ("two:deployment/db", "db:1.0")
    assert reason.problem is not None
    assert reason.problem.cause.endswith(
        "base/db.yaml:1, which is taken in by apps/two/kustomization.yaml, test/kustomization.yaml"
    )
    assert "images: [{name: db, newTag: TAG}]" in reason.problem.fix


async def test_what_a_person_has_written_again_is_no_longer_rejected_whatever_other_folders_there_are(
    hosted: Hosted,
) -> None:
    head = await head_of(hosted)
    one, two = ((WorkloadId(name, "deployment", "web"), "main") for name in ("one", "two"))
    rejected: dict[ContainerId, Rejection] = {one: Rejection(parse("web:1.0").canonical), two: Rejection("x:2")}
    run = AnnotationRun(cast("WorkloadImages", NothingRuns()), FlipMemory(), Known(rejected))
    await run.look((PLACE,), head, WrittenBranch(hosted.mirror, "main", str(NamespacedName("a", "b"))))
    assert set(run.rejected) == {two}


IMAGES = "images: [{name: web, newTag: '1.0'}]   # by hand\n"
OLD = WEB.replace("web:1.0", "web:0.1")
OVERLAY = f"namespace: shop\nresources: [../base]\n{IMAGES}"


async def run_on(hosted: Hosted, files: dict[str, str | bytes | None], work: Path, known: Known) -> AnnotationRun:
    hosted.commit(files)
    head = hosted.mirror.head((await hosted.follow()).commit)
    run = AnnotationRun(cast("WorkloadImages", Runs()), FlipMemory(), known, renderer=Renderer(work))
    await run.look((PLACE,), head, WrittenBranch(hosted.mirror, "main", "WorkloadAutomation/a/b"))
    return run


@pytest.mark.parametrize(
    "files",
    [
        {"apps/kustomization.yaml": f"namespace: shop\nresources: [web.yaml]\n{IMAGES}", "apps/web.yaml": OLD},
        {
            "apps/kustomization.yaml": OVERLAY,
            "base/kustomization.yaml": "resources: [web.yaml]\n",
            "base/web.yaml": OLD,
        },
    ],
    ids=["of its own file", "of a shared base"],
)
async def test_the_image_of_an_automated_workload_is_changed_in_the_entry_that_replaces_it(
    hosted: Hosted, tmp_path: Path, files: dict[str, str | bytes | None]
) -> None:
    run = await run_on(hosted, files, tmp_path / "work", Known({}))
    expected = str(files["apps/kustomization.yaml"]).replace("'1.0'", "'1.1'")
    assert {path: data.decode() for path, data in run.update.files.items()} == {"apps/kustomization.yaml": expected}
    [update] = run.updates
    assert (str(update.workload), str(update.current), str(update.image)) == (
        "shop:deployment/web",
        "web:1.0",
        "web:1.1",
    )


async def test_a_base_of_one_overlay_is_updated_unless_the_overlay_says_another_image(
    hosted: Hosted, tmp_path: Path
) -> None:
    image = '{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "db:1.0"}'
    patch = f"patches: [{{target: {{kind: Deployment, name: db}}, patch: '[{image}]'}}]\n"
    files: dict[str, str | bytes | None] = {
        "apps/kustomization.yaml": f"namespace: shop\nresources: [../base]\n{patch}",
        "base/kustomization.yaml": "resources: [web.yaml, db.yaml]\n",
        "base/web.yaml": WEB,
        "base/db.yaml": WEB.replace("web", "db"),
    }
    run = await run_on(hosted, files, tmp_path / "work", Known({}))
    assert {path: data.decode() for path, data in run.update.files.items()} == {
        "base/web.yaml": WEB.replace("web:1.0", "web:1.1")
    }
    [problem] = {each.problem for each in run.reasons if each.problem is not None}
    assert (problem.code, str(problem.origin).partition("@")[0]) == (codes.IMAGE_OVERRIDDEN, "base/db.yaml:4")
    assert problem.cause == "shop:deployment/db main would become db:1.0, not db:1.1"


async def test_an_entry_that_a_person_set_back_is_not_written_again(hosted: Hosted, tmp_path: Path) -> None:
    files = {"apps/kustomization.yaml": f"namespace: shop\nresources: [web.yaml]\n{IMAGES}", "apps/web.yaml": OLD}
    ours = {**files, "apps/kustomization.yaml": files["apps/kustomization.yaml"].replace("'1.0'", "'1.1'")}
    hosted.commit({**ours})
    last = hosted.mirror.head((await hosted.follow()).commit)
    run = await run_on(hosted, {**files}, tmp_path / "work", Known({}, last=last))
    assert not run.update.files
    assert [str(workload) for workload, _ in run.rejected] == ["shop:deployment/web"]


async def test_an_entry_that_serves_a_workload_without_automation_stays_and_says_why(
    hosted: Hosted, tmp_path: Path
) -> None:
    other = OLD.replace("name: web,", "name: worker,").replace('"true"', '"false"')
    text = f"namespace: shop\nresources: [web.yaml]\n{IMAGES}"
    run = await run_on(
        hosted,
        {"apps/kustomization.yaml": text, "apps/web.yaml": f"{OLD}---\n{other}"},
        tmp_path / "work",
        Known({}),
    )
    assert (run.update.files, run.updates) == ({}, [])
    problem = next(each.problem for each in run.reasons if each.problem is not None)
    assert (problem.code, problem.origin and problem.origin.path) == (codes.IMAGE_ENTRY, "apps/kustomization.yaml")
    assert "shop:deployment/worker main would become web:1.1, too" in problem.cause


async def test_entries_for_workloads_of_two_namespaces_are_changed_in_one_kustomization(
    hosted: Hosted, tmp_path: Path
) -> None:
    two = OLD.replace("web", "db")
    files: dict[str, str | bytes | None] = {
        "apps/kustomization.yaml": "resources: [one, two]\nimages:\n"
        "- {name: web, newTag: '1.0'}\n- {name: db, newTag: '1.0'}\n",
        "apps/one/kustomization.yaml": "namespace: one\nresources: [web.yaml]\n",
        "apps/one/web.yaml": OLD,
        "apps/two/kustomization.yaml": "namespace: two\nresources: [db.yaml]\n",
        "apps/two/db.yaml": two,
    }
    run = await run_on(hosted, files, tmp_path / "work", Known({}))
    expected = str(files["apps/kustomization.yaml"]).replace("'1.0'", "'1.1'")
    assert {path: data.decode() for path, data in run.update.files.items()} == {"apps/kustomization.yaml": expected}
    assert [str(each.workload) for each in run.updates] == ["one:deployment/web", "two:deployment/db"]
