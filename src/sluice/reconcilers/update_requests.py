"""Updates that people ask for by annotation on a sync → jobs; what becomes of each is told in that sync's status.

Who may annotate the sync may ask: the API server has seen to that. A request is about that sync's own workloads, and
is carried out once, whatever happens to this process.
"""

from __future__ import annotations

import asyncio

from sluice.api.kinds import UPDATE_REQUEST
from sluice.api.kustomization import Kustomization
from sluice.core.errors import UserError
from sluice.core.ids import NamespacedName
from sluice.core.image_update.workload import DEFAULT_NAMESPACE
from sluice.core.job import Job
from sluice.core.update_request import UpdateRequest, read_request, too_old
from sluice.core.update_spec import JobStatus
from sluice.kube.watch import EventType
from sluice.kube.watch_cache import WatchCache
from sluice.reconcilers.git_targets import GitTargets
from sluice.reconcilers.image_update_automation import Writing
from sluice.reconcilers.jobs import CommitStyle, Jobs
from sluice.reconcilers.operator import Objects, Operator
from sluice.reconcilers.update_answer import answer_fields, answer_of, open_nonce
from sluice.reconcilers.update_run import ImageTags
from sluice.runtime.controller import Controller
from sluice.runtime.queue import Turn


class UpdateRequests:
    """Watches the syncs for requests. `jobs` must be started."""

    def __init__(self, operator: Operator, jobs: Jobs, syncs: WatchCache[Kustomization]) -> None:
        self._op = operator
        self._jobs = jobs
        self._syncs = syncs
        self._controller = Controller("UpdateRequest", self._turn)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Take the requests that are there, and from now on each that is made."""
        self._syncs.subscribe(self._changed)
        self._jobs.subscribe(self._ended)
        for sync in self._syncs.items():
            self._changed(EventType.ADDED, sync, None)
        group.create_task(self._controller.run())

    def _changed(self, event: EventType, sync: Kustomization, old: Kustomization | None) -> None:
        if event is not EventType.DELETED and open_nonce(sync):
            self._controller.queue.add(sync.metadata.key)

    def _ended(self, job: Job) -> None:
        if job.sync is not None:
            self._controller.queue.add(job.sync)

    async def _turn(self, turn: Turn[NamespacedName]) -> float | None:
        sync = self._syncs.get(turn.key.namespace, turn.key.name)
        nonce = open_nonce(sync) if sync is not None else ""
        if sync is None or not nonce or sync.metadata.deletionTimestamp:
            return None
        job_id, dry_run = "", False
        try:
            request = read_request(sync.metadata.annotations[UPDATE_REQUEST])
            dry_run = request.dry_run or request.spec.is_plan
            job_id, status = await self._asked(sync, request, dry_run=dry_run)
        except UserError as error:
            status = JobStatus("failed", error.problems[0])
        namespace = sync.spec.targetNamespace or DEFAULT_NAMESPACE
        answer = answer_of(nonce, job_id, status, namespace, dry_run=dry_run)
        if answer != sync.status.updateRequest:
            await self._op.sync_status.write(turn.key, {"updateRequest": answer_fields(answer)}, sync.status)
        return None

    async def _asked(self, sync: Kustomization, request: UpdateRequest, *, dry_run: bool) -> tuple[str, JobStatus]:
        key, job_id = sync.metadata.key, request.job_id(sync.metadata.uid)
        if request.is_old(self._op.now()):
            known = None if dry_run else await self._jobs.status(job_id)
            if known is None:
                raise too_old(request)
            return job_id, known
        if dry_run:
            return "", await self._jobs.preview(request.spec, sync=key)
        await self._jobs.submit(request.spec, sync=key, job_id=job_id)
        return job_id, await self._jobs.status(job_id) or JobStatus("queued", spec=request.spec)


async def start_jobs(
    group: asyncio.TaskGroup,
    operator: Operator,
    tags: ImageTags,
    writing: Writing,
    style: CommitStyle,
    syncs: Objects[Kustomization],
) -> Jobs:
    """Start to carry out what people ask: first what was asked of an earlier process.

    Raises StateError when that can't be read, ClusterError.
    """
    jobs = Jobs(operator, GitTargets(operator), tags, writing, style)
    await jobs.start(group)
    if isinstance(syncs, WatchCache):  # what flags define has no object to write a request on
        await UpdateRequests(operator, jobs, syncs).start(group)
    return jobs
