"""Which files automation by annotations looks at, and under which namespace; with a real git server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from sluice.core.ids import NamespacedName
from sluice.core.image import parse
from sluice.core.image_update.annotated import ContainerId, Rejection
from sluice.core.image_update.workload import WorkloadId
from sluice.git.head import Head
from sluice.reconcilers.annotated_files import Place, annotated_files
from sluice.reconcilers.annotation_run import AnnotationRun, Known
from sluice.reconcilers.flip_memory import FlipMemory
from sluice.reconcilers.workload_images import WorkloadImages
from sluice.reconcilers.written_branch import WrittenBranch
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
    "apps/left-out.yaml": "kind: ConfigMap\n",
}
PLACE = Place(("apps",), "default")


@dataclass
class NothingRuns:
    """What is known of a cluster without workloads."""

    running: dict[WorkloadId, None] = field(default_factory=dict)


async def head_of(hosted: Hosted) -> Head:
    hosted.commit(FILES)
    return hosted.mirror.head((await hosted.follow()).commit)


async def test_each_file_is_looked_at_under_its_namespace_and_a_shared_one_is_told(hosted: Hosted) -> None:
    found = await annotated_files(PLACE, await head_of(hosted), ())
    assert [(part.namespace, set(files)) for part, files in found.parts] == [
        ("one", {"apps/one/web.yaml"}),
        ("two", {"apps/two/web.yaml"}),
    ]
    [reason] = found.reasons
    assert (str(reason.workload), reason.image) == ("two:deployment/db", "db:1.0")
    assert "base/db.yaml" in str(reason.problem)


async def test_what_a_person_has_written_again_is_no_longer_rejected_whatever_other_folders_there_are(
    hosted: Hosted,
) -> None:
    head = await head_of(hosted)
    one, two = ((WorkloadId(name, "deployment", "web"), "main") for name in ("one", "two"))
    rejected: dict[ContainerId, Rejection] = {one: Rejection(parse("web:1.0").canonical), two: Rejection("x:2")}
    run = AnnotationRun(cast("WorkloadImages", NothingRuns()), FlipMemory(), Known(rejected))
    await run.look((PLACE,), head, WrittenBranch(hosted.mirror, "main", str(NamespacedName("a", "b"))))
    assert set(run.rejected) == {two}
