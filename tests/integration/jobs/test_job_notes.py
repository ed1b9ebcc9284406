"""A job that is no longer kept is found by the note that its commit has in git; forged notes are passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sluice.api.git_repository import GitRef, GitRepository, GitRepositorySpec
from sluice.api.kinds import ObjectMeta
from sluice.core.image import parse
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.workload import WorkloadId
from sluice.core.update_spec import ImageSpec, JobStatus, UpdateSpec
from sluice.core.update_wire import note_fields
from sluice.reconcilers.git_targets import GitTarget
from sluice.reconcilers.job_notes import noted_status
from tests.git_servers import Hosted, git_http, hosted, mirrors

__all__ = ["git_http", "hosted", "mirrors"]

JOB = "0123abcd-1111-2222-3333-444455556666"
WEB = WorkloadId("shop", "deployment", "web")
SPEC = UpdateSpec(ImageSpec(parse("web:1.1"), (WEB,)))
RESULT = {
    str(WEB): WorkloadResult(WEB, "success", "", (ContainerUpdate(WEB, "main", parse("web:1.1"), parse("web:1")),))
}
NOTE = note_fields(JOB, SPEC, RESULT)


async def found(
    hosted: Hosted, *notes: Any, job: str = JOB, ref: str = "refs/notes/flux"
) -> tuple[str, JobStatus | None]:
    """Commit once for each note (a text, or JSON), push the notes, and ask for the job; returns the last commit."""
    commit = ""
    for number, note in enumerate(notes):
        commit = hosted.commit({"a": str(number)})
        text = note if isinstance(note, str) else json.dumps(note)
        hosted.work.git("notes", "--ref=flux", "add", "-m", text, commit)
    hosted.work.push("refs/notes/flux")
    spec = GitRepositorySpec(url=hosted.url, interval="1m", ref=GitRef(branch="main"))
    target = GitTarget(GitRepository(metadata=ObjectMeta(name="a"), spec=spec), ())
    return commit, await noted_status(hosted.mirror, target, ref, job)


async def test_a_note_tells_how_a_job_ended(hosted: Hosted) -> None:
    commit, status = await found(hosted, {**NOTE, "jobID": "another-job-of-before"}, NOTE)
    assert status == JobStatus("succeeded", None, commit, SPEC, RESULT)


@pytest.mark.parametrize(
    "note",
    [
        f'{{"jobID": "{JOB}"',
        f'["{JOB}"]',
        {**NOTE, "spec": {"type": "unknown"}},
        {**NOTE, "jobID": "another", "said": JOB},
        f'{{"jobID": "{JOB}", "spec": {"[" * 2000}',
    ],
)
async def test_a_note_that_is_none_of_a_job_is_passed_over(hosted: Hosted, note: Any) -> None:
    assert (await found(hosted, note))[1] is None


@pytest.mark.parametrize("job", ["", "*", "-e", "a\nb", "x" * 100, "not-in-any-note"])
async def test_a_job_that_nobody_knows_is_none(hosted: Hosted, job: str) -> None:
    assert (await found(hosted, NOTE, job=job))[1] is None


async def test_where_there_are_no_notes_there_is_no_answer(hosted: Hosted) -> None:
    assert (await found(hosted, NOTE, ref="refs/notes/other"))[1] is None
    assert (await found(hosted, NOTE, ref=""))[1] is None
