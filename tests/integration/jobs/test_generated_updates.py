"""Releases and policies that people ask for, of workloads that a `.flux.yaml` generates; with a real git server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

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
from sluice.render.generators import Generators
from tests.git_servers import Hosted, git_http, hosted, mirrors
from tests.git_writing import wanted

__all__ = ["git_http", "hosted", "mirrors"]

WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE}
spec: {template: {spec: {containers: [{name: main, image: 'web:1.0'}]}}}
"""
# One command changes the file that both paths are made of.
FLUX = """version: 1
commandUpdated:
  generators:
  - command: sed "s/NAMESPACE/${PWD##*/}/" ../web.in
  updaters:
  - containerImage: {command: 'sed -i "s/$FLUX_IMG:[^'']*/$FLUX_IMG:$FLUX_TAG/" ../web.in'}
    policy: {command: sh ../policy}
"""
POLICY = (
    """sed -i "s#NAMESPACE}#NAMESPACE, annotations: {fluxcd.io/$FLUX_POLICY: '$FLUX_POLICY_VALUE'}}#" ../web.in\n"""
)
SCAN = "version: 1\nscanForFiles:\n"
STAGING, PROD = (WorkloadId(name, "deployment", "web") for name in ("staging", "prod"))


class Everything(GitTargets):
    """The targets of an operator in whose cluster all of them run."""

    def __init__(self, work_dir: Path) -> None:
        self._commands = Generators(work_dir)
        self._renderer = Renderer(work_dir, generators=self._commands)

    @property
    def generators(self) -> Generators:
        return self._commands

    @property
    def renderer(self) -> Renderer:
        return self._renderer

    async def running(self, target: GitTarget, names: Iterable[WorkloadId]) -> frozenset[WorkloadId]:
        return frozenset(names)


class NoTags:
    """Nothing is asked of a registry where containers and their images are named."""

    async def look(self, image: ImageRef, namespace: str = "") -> ScanResult:
        raise AssertionError("a registry was asked")


async def updated(hosted: Hosted, tmp_path: Path, spec: ContainerSpec | PolicySpec) -> tuple[Written, UpdateRun]:
    source = source_of(FlagSource(url=hosted.url, branch="main"), "sluice")
    sync = NamespacedName("sluice", "flag")
    target = GitTarget(source, tuple(Place(sync, path, "default") for path in ("staging", "prod")))
    run = UpdateRun(Everything(tmp_path / "commands"), NoTags(), target, UpdateSpec(spec))
    return await write_back(hosted.mirror, wanted(), run.plan), run


async def test_an_updater_that_serves_two_paths_is_committed_once_for_both(hosted: Hosted, tmp_path: Path) -> None:
    hosted.commit({".flux.yaml": FLUX, "web.in": WEB, "staging/x": "", "prod/x": ""})
    updates = tuple(ContainerUpdate(each, "main", parse("web:1.1"), parse("web:1.0")) for each in (STAGING, PROD))
    written, run = await updated(hosted, tmp_path, ContainerSpec(updates))
    assert (written.outcome, written.files) == ("pushed", ("web.in",))
    assert {identity: result.status for identity, result in run.results.items()} == {
        STAGING: "success",
        PROD: "success",
    }
    head = hosted.mirror.head(written.commit)
    assert (await head.read(["web.in"]))["web.in"].decode() == WEB.replace("web:1.0", "web:1.1")


async def test_policies_of_generated_workloads_are_set_by_the_updater(hosted: Hosted, tmp_path: Path) -> None:
    hosted.commit({".flux.yaml": FLUX, "web.in": WEB, "policy": POLICY, "staging/x": "", "prod/.flux.yaml": SCAN})
    written, _ = await updated(hosted, tmp_path, PolicySpec((PolicyUpdate(STAGING, {"automated": "true"}),)))
    assert (written.outcome, written.files) == ("pushed", ("web.in",))
    content = (await hosted.mirror.head(written.commit).read(["web.in"]))["web.in"].decode()
    assert "annotations: {fluxcd.io/automated: 'true'}" in content
