"""Updates asked of the operator, carried out one after another: what is taken is durable before its id is given.

A job that was interrupted is carried out once: its commit has its id, and is looked for before another is made.
An update of several repositories is a job for each, under one id.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec
import structlog

from sluice.core import codes
from sluice.core.automation_flags import GitWriting
from sluice.core.commit_text import REQUEST_OWNER, UpdateMark, identity
from sluice.core.errors import NotReady, SluiceError, UserError
from sluice.core.fluxd_job_event import PushedUpdate
from sluice.core.ids import NamespacedName
from sluice.core.job import Job, kept
from sluice.core.job_parts import Part, as_one
from sluice.core.problem import Problem
from sluice.core.update_message import author_of
from sluice.core.update_read import decode_update_spec
from sluice.core.update_result import refuse_patterns, unverified
from sluice.core.update_spec import JobStatus, PolicySpec, SyncSpec, UpdateSpec
from sluice.core.update_wire import encode_update_spec, note_fields
from sluice.git.head import Head
from sluice.git.mirror import Mirror
from sluice.git.notes import NOTES, Note
from sluice.git.signing import SigningKey
from sluice.git.write_back import LOST_COMMITS, Draft, Gates, WriteBack
from sluice.reconcilers.git_targets import GitTarget, GitTargets, Share
from sluice.reconcilers.image_update_automation import Writing
from sluice.reconcilers.job_notes import noted_status
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.pushed_commit import tell_pushed
from sluice.reconcilers.update_preview import by_name, failed_status, fetched, preview_of
from sluice.reconcilers.update_run import ImageTags, UpdateRun
from sluice.runtime.controller import Controller
from sluice.runtime.job_store import JobStore
from sluice.runtime.queue import Turn
from sluice.runtime.together import together

LEASE_PAUSE = 1.0
AUTOMATION_OWNER = "Automation/"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CommitStyle:
    """How jobs commit: fluxd's flags, and the key that signs."""

    writing: GitWriting = field(default_factory=GitWriting)
    key: SigningKey | None = None

    @staticmethod
    def of(writing: GitWriting) -> CommitStyle:
        """What the flags say: signed where they name a key."""
        if not writing.key:
            return CommitStyle(writing)
        return CommitStyle(writing, SigningKey("gpg", writing.key, key_id=writing.key_id, place="--git-gpg-key-import"))

    def message(self, text: str) -> str:
        """The message with what is to keep a CI system from acting on it."""
        return text.rstrip() + self.writing.skip_message


class Jobs:
    """The operator's jobs. Safe to share between tasks; `start` it before anything is asked of it."""

    def __init__(
        self, operator: Operator, targets: GitTargets, tags: ImageTags, writing: Writing, style: CommitStyle
    ) -> None:
        self.targets = targets
        self._op = operator
        self._tags = tags
        self._writing = writing
        self._style = style
        self._store = JobStore(operator.client, operator.own.home)
        self._jobs: dict[str, Job] = {}
        self._saving = asyncio.Lock()
        self._resumed: set[str] = set()
        self._ended: list[Callable[[Job], None]] = []
        self._controller = Controller("Job", self._turn)

    def subscribe(self, ended: Callable[[Job], None]) -> None:
        """Call `ended` with each job that has ended; it must return quickly."""
        self._ended.append(ended)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Go on with what was taken before. Raises StateError when that can't be read, ClusterError."""
        for job in await self._store.load():
            self._jobs[job.id] = job
            if not job.is_done:
                self._resumed.add(job.id)
                self._controller.queue.add(job.source)
        group.create_task(self._controller.run())

    async def submit(self, spec: UpdateSpec, *, sync: NamespacedName | None = None, job_id: str = "") -> str:
        """Take an update, asked of one sync or of the operator, and return its id once it is durable.

        One with a `job_id` that is known already is not taken again. Raises UserError (UpdateTarget, JobQueueFull,
        UpdateRequest for a pattern that can't be read), StateError and ClusterError; then nothing is taken.
        """
        job_id = job_id or _new_id()
        if job_id in self._jobs:
            return job_id
        shares = await self._checked(spec, sync)
        if len(shares) == 1:
            jobs = [Job(job_id, shares[0].target.key, JobStatus("queued", spec=spec), sync)]
        else:
            jobs = [Job(_new_id(), e.target.key, JobStatus("queued", spec=e.spec), part_of=job_id) for e in shares]
        await self._save(*jobs)
        log.info("job queued", job=job_id, kind=spec.kind, user=spec.cause.user, repositories=len(jobs))
        for job in jobs:
            self._controller.queue.add(job.source)
        return job_id

    async def status(self, job_id: str) -> JobStatus | None:
        """How a job is; None for one that nobody knows. Those that are no longer kept are looked for in git's notes."""
        job = self._jobs.get(job_id)
        if job is not None:
            return job.status
        parts = [Part(each.source, each.status) for each in self._jobs.values() if each.part_of == job_id]
        if job_id and parts:
            return as_one(parts)
        for target in self.targets.all():
            with contextlib.suppress(SluiceError):  # what can't be reached now has no answer now
                mirror = await self._writing.sources.mirror_of(target.source)
                found = await noted_status(mirror, target, self._notes_ref, job_id)
                if found is not None:
                    return found
        return None

    def beside(self, commit: str) -> tuple[str, ...]:
        """The commits in other repositories that were asked for as one with this one."""
        ids = {job.part_of for job in self._jobs.values() if job.part_of and job.status.revision == commit}
        found = [job.status.revision for job in self._jobs.values() if job.part_of in ids]
        return tuple(each for each in found if each not in {"", commit})

    async def preview(self, spec: UpdateSpec, *, sync: NamespacedName | None = None) -> JobStatus:
        """What an update would do at git's head, decided at once. Nothing is written; a failure is in the status."""
        try:
            shares = await self._checked(spec, sync)
        except SluiceError as error:
            return failed_status(spec, error)
        statuses = await together(self._preview_of(share) for share in shares)
        if len(shares) == 1:
            return statuses[0]
        return as_one([Part(share.target.key, status) for share, status in zip(shares, statuses, strict=True)])

    async def _preview_of(self, share: Share) -> JobStatus:
        return await preview_of(share, self.targets, self._tags, self._writing.sources)

    # --- carry out ----------------------------------------------------------------------------------------------

    async def _turn(self, turn: Turn[NamespacedName]) -> float | None:
        """The next job of a repository. Returns when the one after it is due."""
        waiting = [job for job in self._jobs.values() if job.source == turn.key and not job.is_done]
        if not waiting:
            return None
        job = waiting[0]
        try:
            status = await self._carried_out(job)
        except SluiceError as error:
            if isinstance(error, NotReady) and all(p.code is codes.LEASE_TOO_SHORT for p in error.problems):
                return LEASE_PAUSE
            status = failed_status(job.spec, error)
        except Exception:
            # Tried again, it would stand in everybody's way.
            fix = "report it with the stack in the operator's log"
            problem = Problem(codes.UPDATE_BUG, "a bug ended the update", fix=fix)
            await self._end(replace(job, status=JobStatus("failed", problem, "", job.spec)))
            raise
        await self._end(replace(job, status=status))
        return 0.0 if len(waiting) > 1 else None

    async def _carried_out(self, job: Job) -> JobStatus:
        if job.status.state == "queued":
            job = replace(job, status=replace(job.status, state="running"))
            self._jobs[job.id] = job
        target = self.targets.of_source(job.source, job.sync)
        if target is None:
            title = f"GitRepository {job.source} is gone, or no sync applies it any more"
            raise UserError(Problem(codes.UPDATE_TARGET, title, fix="ask again, for what is there now"))
        mirror = await self._writing.sources.mirror_of(target.source)
        if isinstance(job.spec.spec, SyncSpec):
            return await self._looked(job, target, mirror)
        return await self._without_branch(job, target) or await self._written(job, target, mirror)

    async def _looked(self, job: Job, target: GitTarget, mirror: Mirror) -> JobStatus:
        """A sync: fetch, and wake who applies it. One that is not signed as it must be fails with what is applied."""
        followed = await fetched(mirror, target)
        self.targets.wake(target, self._writing.wake)
        refused = await self._writing.sources.refusal_of(target.source, mirror, followed, target.seconds)
        if refused is None:
            return JobStatus("succeeded", None, followed.commit, job.spec)
        problem, verified = refused
        return JobStatus("failed", unverified(problem, verified, followed.commit), verified, job.spec)

    async def _without_branch(self, job: Job, target: GitTarget) -> JobStatus | None:
        """How a job ended whose source follows no branch, as one of a tag: no fault where nothing is to be changed."""
        try:
            target.push_target()
        except UserError:
            status = await self._preview_of(Share(target, job.spec))
            return None if status.changes else status
        return None

    async def _written(self, job: Job, target: GitTarget, mirror: Mirror) -> JobStatus:
        run = UpdateRun(self.targets, self._tags, target, job.spec)

        async def plan(head: Head) -> Draft | None:
            await self._writing.sources.require_history(target.source, mirror, head.commit, target.seconds)
            draft = await run.plan(head)
            if not draft.files:
                return None
            # Before the push: after a crash the commit is found, and what came of it is known.
            await self._save(replace(job, status=JobStatus("running", None, "", job.spec, by_name(run.results))))
            return Draft(draft.files, self._style.message(draft.message))

        mine = REQUEST_OWNER if job.spec.kind != "auto" else AUTOMATION_OWNER
        owner = mine + self._op.own.home
        wanted = self._write_back(job, target, UpdateMark(owner, job.id), run)
        self._resumed.add(job.id)  # another try of it looks further back
        verify = self._writing.sources.gate_of(target.source, mirror)
        gates = Gates(self._writing.read_only, verify, self._writing.lease_left)
        written = await self._writing.queue.write(mirror, wanted, plan, owner=owner, gates=gates)
        if written.outcome == "unchanged":
            return JobStatus("succeeded", None, "", job.spec, by_name(run.results))
        log.info("pushed", job=job.id, commit=written.commit, message=written.message.partition("\n")[0])
        results = by_name(run.results) or self._jobs[job.id].status.result
        tell_pushed(self._op, target.source, written, PushedUpdate(written.commit, job.spec, results))
        self.targets.wake(target, self._writing.wake)
        return JobStatus("succeeded", None, written.commit, job.spec, results, run.changes)

    def _write_back(self, job: Job, target: GitTarget, mark: UpdateMark, run: UpdateRun) -> WriteBack:
        style = self._style.writing
        committer = identity(style.user, style.email, field="--git-email")

        def note(commit: str) -> bytes:
            return msgspec.json.encode(note_fields(job.id, job.spec, by_name(run.results)))

        return WriteBack(
            checkout=target.source.spec.ref,
            target=target.push_target(),
            author=author_of(job.spec.cause, committer) if style.set_author else committer,
            committer=committer,
            at=self._op.now(),
            mark=mark,
            key=self._style.key,
            within=target.places[0].path if len(target.places) == 1 else "",
            look_back=LOST_COMMITS if job.id in self._resumed else 1,
            note=Note(self._notes_ref, note) if self._notes_ref else None,
            seconds=target.seconds,
        )

    @property
    def _notes_ref(self) -> str:
        name = self._style.writing.notes_ref
        return NOTES + name if name else ""

    # --- keep ---------------------------------------------------------------------------------------------------

    async def _checked(self, spec: UpdateSpec, sync: NamespacedName | None) -> tuple[Share, ...]:
        decode_update_spec(encode_update_spec(spec))  # what is kept must be read again
        if isinstance(spec.spec, PolicySpec):
            refuse_patterns(spec.spec.updates)
        return await self.targets.of(spec, sync)

    async def _save(self, *jobs: Job) -> None:
        """Make jobs durable, in place of what is known of them. Raises UserError (JobQueueFull), and as the store."""
        saved = {job.id: job for job in jobs}
        async with self._saving:
            left, data = kept(tuple({**self._jobs, **saved}.values()))
            await self._store.save(data)
            # Others may have been taken off or changed in memory meanwhile, but only `_save` adds any.
            self._jobs = {each.id: self._jobs.get(each.id, each) for each in left} | saved

    async def _end(self, job: Job) -> None:
        await self._save(job)
        self._resumed.discard(job.id)
        problem = job.status.problem
        log.info(f"job {job.status.state}", job=job.id, error="" if problem is None else str(problem))
        for ended in self._ended:
            ended(job)


def _new_id() -> str:
    """A random id in the form of a UUID, as fluxd's were."""
    digits = secrets.token_hex(16)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
