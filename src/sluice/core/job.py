"""Jobs: updates that somebody asked of the operator, in the order in which they came, as they are kept. Pure.

Kept are those that wait, all of them, and the last that are done: LAST_RESULTS at most, fewer when they are large. The
durable form is a zlib-compressed JSON object, `{"format": 1, "jobs": […]}`; a reader refuses another format.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sluice.core import codes
from sluice.core.errors import StateError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.problem import Code, Problem
from sluice.core.update_read import result_of, update_spec_of
from sluice.core.update_spec import JobState, JobStatus, UpdateSpec
from sluice.core.update_wire import result_fields, update_spec_fields

FORMAT = 1
LAST_RESULTS = 100
MOST_QUEUED = 1000
# A Secret's value is base64 in JSON and in etcd's request: this stays well below etcd's 1.5 MiB.
MAX_STORED = 700_000
MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Job:
    """One update. `source` is the GitRepository that it is committed to, `sync` the sync that it was asked of.

    `part_of` is the id under which it was asked with others, each for another repository; empty: by itself. A job
    that runs has, once its commit is made and not pushed yet, the result that it will have.
    """

    id: str
    source: NamespacedName
    status: JobStatus
    sync: NamespacedName | None = None
    part_of: str = ""

    @property
    def spec(self) -> UpdateSpec:
        """What was asked for."""
        assert self.status.spec is not None  # noqa: S101  a job's status always has it
        return self.status.spec

    @property
    def is_done(self) -> bool:
        """True when it has ended, either way."""
        return self.status.state in {"failed", "succeeded"}


def kept(jobs: Sequence[Job]) -> tuple[tuple[Job, ...], bytes]:
    """The jobs that are kept, in order, with their durable form. Those that wait are always among them.

    Those that were asked as one stay, or go, as one. Raises UserError (JobQueueFull) when what is always kept is too
    much.
    """
    waiting = sum(not job.is_done for job in jobs)
    if waiting > MOST_QUEUED:
        raise _full(waiting - 1)
    wholes: dict[str, list[Job]] = {}
    for job in jobs:
        wholes.setdefault(job.part_of or job.id, []).append(job)
    done = [whole for whole in wholes.values() if all(job.is_done for job in whole)]
    given_up = {job.id for whole in done[:-LAST_RESULTS] for job in whole}
    done = done[-LAST_RESULTS:]
    while True:
        left = tuple(job for job in jobs if job.id not in given_up)
        data = encode_jobs(left)
        if len(data) <= MAX_STORED:
            return left, data
        if not done:
            raise _full(waiting - 1)
        half = (len(done) + 1) // 2
        given_up |= {job.id for whole in done[:half] for job in whole}
        done = done[half:]


def encode_jobs(jobs: Iterable[Job]) -> bytes:
    """The durable form."""
    body = {"format": FORMAT, "jobs": [_job_fields(job) for job in jobs]}
    return zlib.compress(msgspec.json.encode(body))


def decode_jobs(data: bytes) -> tuple[Job, ...]:
    """Read the durable form. Raises StateError (JobsUnreadable): guessing would carry something out twice."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(data, MAX_BYTES)
        if unpacker.unconsumed_tail:
            raise _unreadable(f"it is larger than {MAX_BYTES} bytes")
        body = msgspec.json.decode(text, type=_Body)
        if body.format != FORMAT:
            raise _unreadable(f"it has format {body.format}, which another version of Sluice writes")
        return tuple(_job(item) for item in body.jobs)
    except (zlib.error, msgspec.MsgspecError, RecursionError, UserError) as error:
        raise _unreadable(str(error)) from None


class _Problem(msgspec.Struct, frozen=True):
    code: str
    title: str
    field: str = ""
    cause: str = ""
    fix: str = ""


class _Job(msgspec.Struct, frozen=True):
    id: str
    source: tuple[str, str]
    spec: dict[str, Any]
    state: JobState
    sync: tuple[str, str] | None = None
    revision: str = ""
    result: dict[str, Any] = {}
    problem: _Problem | None = None
    part_of: str = ""


class _Body(msgspec.Struct, frozen=True):
    format: int
    jobs: tuple[_Job, ...] = ()


def _job_fields(job: Job) -> _Job:
    status, problem = job.status, job.status.problem
    return _Job(
        job.id,
        (job.source.namespace, job.source.name),
        update_spec_fields(job.spec),
        status.state,
        None if job.sync is None else (job.sync.namespace, job.sync.name),
        status.revision,
        result_fields(status.result),
        None
        if problem is None
        else _Problem(problem.code.number, problem.title, problem.field, problem.cause, problem.fix),
        job.part_of,
    )


def _job(item: _Job) -> Job:
    problem = None
    if item.problem is not None:
        held = item.problem
        problem = Problem(_code(held.code), held.title, field=held.field, cause=held.cause, fix=held.fix)
    status = JobStatus(item.state, problem, item.revision, update_spec_of(item.spec), result_of(item.result))
    sync = None if item.sync is None else NamespacedName(*item.sync)
    return Job(item.id, NamespacedName(*item.source), status, sync, item.part_of)


def _code(number: str) -> Code:
    """A code by its number; that of a version with more codes keeps its number and no more."""
    return next((code for code in codes.CODES if code.number == number), Code(number, number, ""))


def _full(waiting: int) -> UserError:
    title = f"{waiting} updates wait already"
    return UserError(Problem(codes.JOB_QUEUE_FULL, title, fix="wait until some are done, and ask again"))


def _unreadable(cause: str) -> StateError:
    fix = "restore its Secret from a backup, or delete it: updates that wait are lost then"
    return StateError(
        Problem(codes.JOBS_UNREADABLE, "the operator's record of updates can't be read", cause=cause, fix=fix)
    )
