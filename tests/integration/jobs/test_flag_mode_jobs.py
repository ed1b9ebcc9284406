"""Jobs of an operator that runs without CRDs: committed to its one repository as fluxd's flags say, in their order."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from devcluster.git_http import GitHttpServer
from devcluster.git_repository import WorkingRepo
from devcluster.images import make_image
from devcluster.registry import Registry
from sluice.core.automation_flags import GitWriting
from sluice.core.errors import UserError
from sluice.core.flag_source import FlagSource
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef, parse
from sluice.core.image_update.policy_annotation import PolicyUpdate, automate, lock
from sluice.core.image_update.workload import WorkloadId
from sluice.core.update_spec import Cause, ImageSpec, JobStatus, PolicySpec, SyncSpec, UpdateSpec
from sluice.git.push_queue import PushQueue
from sluice.kube.client import KubeClient
from sluice.kube.config import load_kubeconfig
from sluice.reconcilers.flag_mode import FlagObjects, source_of, syncs_of
from sluice.reconcilers.git_repository import GitRepositoryReconciler
from sluice.reconcilers.git_targets import GitTargets
from sluice.reconcilers.image_update_automation import Writing
from sluice.reconcilers.jobs import CommitStyle, Jobs
from sluice.reconcilers.operator import Operator
from sluice.registry.scanner import Scanner, ScanResult, TagFilter
from sluice.wiring import reading_operator
from tests.git_servers import git_http
from tests.operator_fixture import deployment, settings_for
from tests.registries import clock, registries, scanner, tag_cache

__all__ = ["clock", "git_http", "registries", "scanner", "tag_cache"]
pytestmark = pytest.mark.cluster
SKIP = "\n\n[ci skip]"
ANN = Cause("", "Ann <ann@example.com>")


@dataclass
class Tags:
    """The real registry, asked each time."""

    scanner: Scanner

    async def look(self, image: ImageRef, namespace: str = "") -> ScanResult:
        return await self.scanner.scan(image, wanted=TagFilter(described=lambda _: True))


@dataclass
class Flagged:
    """The parts of an operator in flag mode, and a repository with two workloads that run; `left` is the lease."""

    operator: Operator
    work: WorkingRepo
    namespace: str
    image: str
    tags: Tags
    left: list[float] = field(default_factory=list)
    woken: list[NamespacedName] = field(default_factory=list)

    def workload(self, name: str) -> WorkloadId:
        return WorkloadId(self.namespace, "deployment", name)

    @asynccontextmanager
    async def jobs(self, writing: GitWriting | None = None, *, read_only: bool = False) -> AsyncIterator[Jobs]:
        """One life of the operator's jobs."""
        write = Writing(
            GitRepositoryReconciler(self.operator),
            PushQueue(time.monotonic),
            self.woken.append,
            lambda: self.left.pop(0) if self.left else 60.0,
            read_only=read_only,
        )
        style = CommitStyle(writing or GitWriting())
        jobs = Jobs(self.operator, GitTargets(self.operator), self.tags, write, style)
        async with asyncio.TaskGroup() as group:
            started = asyncio.Event()
            running = group.create_task(_serve(jobs, started))
            await started.wait()
            try:
                yield jobs
            finally:
                running.cancel()

    def log(self, form: str = "%B", count: int = 1) -> str:
        self.work.git("fetch", "-q", "origin", "main")
        return self.work.git("log", f"-{count}", f"--format={form}", "FETCH_HEAD")

    def file(self, path: str) -> str:
        self.work.git("fetch", "-q", "origin", "main")
        return self.work.git("show", f"FETCH_HEAD:{path}")


async def _serve(jobs: Jobs, started: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        await jobs.start(group)
        started.set()


async def ended(jobs: Jobs, job_id: str) -> JobStatus:
    """Wait until a job has ended."""
    async with asyncio.timeout(60):
        while True:
            status = await jobs.status(job_id)
            if status is not None and status.state in {"succeeded", "failed"}:
                return status
            await asyncio.sleep(0.02)


@pytest.fixture
async def flagged(
    cluster: Cluster, namespace: str, git_http: GitHttpServer, registry: Registry, scanner: Scanner, tmp_path: Path
) -> AsyncIterator[Flagged]:
    name = f"flag-{secrets.token_hex(3)}"
    for tag in ("1.0.0", "1.1.0"):
        registry.push(name, tag, make_image(content=tag))
    image = registry.image(name)
    git_http.create(name)
    work = WorkingRepo(tmp_path / "work", git_http.url(name))
    web = deployment("web", f"{image}:1.0.0").replace(", namespace: $NS", "")
    api = deployment("api", f"{image}:1.0.0").replace("$NS", namespace)
    work.commit({"apps/web.yaml": web, "apps/api.yaml": api, "README.md": "x"}, "begin")
    for text in (web, api):
        cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)
    flags = FlagSource(git_http.url(name), "main", ("apps",), default_namespace=namespace)
    async with (
        KubeClient(load_kubeconfig(cluster.kubeconfig)) as client,
        reading_operator(settings_for(namespace, tmp_path), client) as operator,
    ):
        operator.git_repositories = FlagObjects([source_of(flags, namespace)])
        operator.kustomizations = FlagObjects(syncs_of(flags, namespace))
        operator.default_namespace = namespace
        yield Flagged(operator, work, namespace, image, Tags(scanner))


async def test_a_commit_is_made_as_the_flags_say_and_the_source_wakes(flagged: Flagged) -> None:
    style = GitWriting("Bot", "bot@example.com", set_author=True, notes_ref="mine", skip_message=SKIP)
    async with flagged.jobs(style) as jobs:
        spec = UpdateSpec(ImageSpec(parse(f"{flagged.image}:1.1.0"), (flagged.workload("web"),)), ANN)
        status = await ended(jobs, await jobs.submit(spec))
    assert status.state == "succeeded", status.problem
    assert flagged.log("%an <%ae> %cn <%ce>") == "Ann <ann@example.com> Bot <bot@example.com>"
    assert SKIP in flagged.log()
    assert status.revision == flagged.log("%H")
    assert flagged.woken == [NamespacedName(flagged.namespace, "flag")]
    flagged.work.git("fetch", "-q", "origin", "refs/notes/mine:refs/notes/mine")
    assert json.loads(flagged.work.git("notes", "--ref=mine", "show", status.revision))["result"]


async def test_all_is_every_workload_that_runs_but_the_excluded(flagged: Flagged) -> None:
    async with flagged.jobs() as jobs:
        spec = UpdateSpec(ImageSpec(parse(f"{flagged.image}:1.1.0"), (), (flagged.workload("api"),)))
        plan = await jobs.preview(spec)
        status = await ended(jobs, await jobs.submit(spec))
    told = {str(flagged.workload("api")): ("ignored", "excluded"), str(flagged.workload("web")): ("success", "")}
    for found in (plan, status):
        assert {name: (each.status, each.reason) for name, each in found.result.items()} == told
    assert ":1.1.0" in flagged.file("apps/web.yaml")
    assert ":1.0.0" in flagged.file("apps/api.yaml")


async def test_jobs_are_carried_out_in_the_order_in_which_they_came(flagged: Flagged) -> None:
    web, api = flagged.workload("web"), flagged.workload("api")
    async with flagged.jobs() as jobs:
        specs = [lock(web), automate(api), PolicyUpdate(web, remove=frozenset({"locked"}))]
        ids = [await jobs.submit(UpdateSpec(PolicySpec((each,)))) for each in specs]
        assert {(await ended(jobs, each)).state for each in ids} == {"succeeded"}
    assert flagged.log("%s", 3).splitlines() == [f"Unlocked: {web}", f"Automated: {api}", f"Locked: {web}"]


async def test_a_job_waits_while_the_lease_may_end_before_its_push_does(flagged: Flagged) -> None:
    flagged.left += [0.0]
    async with flagged.jobs() as jobs:
        job_id = await jobs.submit(UpdateSpec(PolicySpec((lock(flagged.workload("web")),))))
        assert (await ended(jobs, job_id)).state == "succeeded"
    assert flagged.left == []


async def test_another_process_goes_on_with_what_was_taken_and_knows_what_was_done(flagged: Flagged) -> None:
    async with flagged.jobs() as jobs:
        done = await jobs.submit(UpdateSpec(PolicySpec((lock(flagged.workload("web")),))))
        before = await ended(jobs, done)
        flagged.left += [0.0] * 1000
        taken = await jobs.submit(UpdateSpec(PolicySpec((automate(flagged.workload("api")),))))
    flagged.left.clear()
    async with flagged.jobs() as jobs:
        assert (await ended(jobs, taken)).state == "succeeded"
        again = await jobs.status(done)
    assert again is not None
    assert (again.state, again.revision) == ("succeeded", before.revision)


async def test_a_job_that_is_no_longer_kept_is_found_in_the_notes(flagged: Flagged, cluster: Cluster) -> None:
    async with flagged.jobs() as jobs:
        done = await jobs.submit(UpdateSpec(PolicySpec((lock(flagged.workload("web")),)), ANN))
        before = await ended(jobs, done)
    cluster.kubectl("delete", "secret", "-n", flagged.namespace, "sluice-record-jobs")
    async with flagged.jobs() as jobs:
        found = await jobs.status(done)
        assert await jobs.status("nobody-knows-this-one") is None
    assert found is not None
    assert (found.state, found.revision, found.spec) == ("succeeded", before.revision, before.spec)


async def test_a_read_only_operator_commits_nothing_and_syncs_all_the_same(flagged: Flagged) -> None:
    head = flagged.log("%H")
    async with flagged.jobs(read_only=True) as jobs:
        refused = await ended(jobs, await jobs.submit(UpdateSpec(PolicySpec((lock(flagged.workload("web")),)))))
        synced = await ended(jobs, await jobs.submit(UpdateSpec(SyncSpec())))
    assert refused.problem is not None
    assert refused.problem.code.number == "E581"
    assert (synced.state, synced.revision) == ("succeeded", head)
    assert flagged.log("%H") == head


async def test_b111_a_tag_beside_the_digest_of_another_image_is_not_released(flagged: Flagged) -> None:
    head = flagged.log("%H")
    image = parse(f"{flagged.image}:1.1.0@sha256:{'0' * 64}")
    async with flagged.jobs() as jobs:
        refused = await ended(jobs, await jobs.submit(UpdateSpec(ImageSpec(image, (flagged.workload("web"),)))))
    assert refused.problem is not None
    assert refused.problem.code.number == "E652"
    assert flagged.log("%H") == head


async def test_what_is_not_there_is_told_in_fluxds_words(flagged: Flagged) -> None:
    nobody, stray = flagged.workload("nobody"), flagged.workload("stray")
    flagged.work.commit({"apps/stray.yaml": deployment("stray").replace("$NS", flagged.namespace)}, "more")
    async with flagged.jobs() as jobs:
        status = await jobs.preview(UpdateSpec(ImageSpec(None, (nobody, stray))))
        lost = await ended(jobs, await jobs.submit(UpdateSpec(PolicySpec((lock(nobody),)))))
        with pytest.raises(UserError, match="invalid tag pattern"):
            await jobs.submit(UpdateSpec(PolicySpec((PolicyUpdate(stray, {"tag.main": "regexp:("}),))))
    assert {name: (each.status, each.reason) for name, each in status.result.items()} == {
        str(nobody): ("skipped", "not found in repository"),
        str(stray): ("skipped", "not accessible in cluster"),
    }
    assert (lost.state, lost.revision) == ("succeeded", "")
    assert lost.result[str(nobody)].status == "skipped"
