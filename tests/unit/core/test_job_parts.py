"""An update of several repositories: what is asked of each, and what became of all of it."""

from __future__ import annotations

import pytest

from sluice.core import codes
from sluice.core.ids import NamespacedName
from sluice.core.image import parse
from sluice.core.image_update.policy_annotation import lock
from sluice.core.image_update.release import ContainerUpdate
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.workload import WorkloadId
from sluice.core.job import LAST_RESULTS, Job, kept
from sluice.core.job_parts import Part, as_one, without
from sluice.core.problem import Problem
from sluice.core.update_result import NOT_IN_GIT, NOT_RUNNING
from sluice.core.update_spec import (
    AutoSpec,
    ContainerSpec,
    ImageSpec,
    JobState,
    JobStatus,
    PolicySpec,
    Spec,
    SyncSpec,
    UpdateSpec,
)
from sluice.core.update_wire import job_status_fields

WEB, API = WorkloadId("shop", "deployment", "web"), WorkloadId("shop", "deployment", "api")
IMAGE = parse("acme/web:1.1.0")
ONE, OTHER = NamespacedName("flux", "one"), NamespacedName("flux", "other")
A, B = "a" * 40, "b" * 40
BOOM = Problem(codes.PUSH_RACE, "the branch moved")
IDLE = Problem(codes.NO_CHANGES, "no changes found")
WANTED = (ContainerUpdate(WEB, "main", IMAGE), ContainerUpdate(API, "main", IMAGE))


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        (ImageSpec(IMAGE, (WEB, API), force=True), ImageSpec(IMAGE, (WEB,), force=True)),
        (ContainerSpec(WANTED, skip_mismatches=True), ContainerSpec(WANTED[:1], skip_mismatches=True)),
        (AutoSpec(WANTED), AutoSpec(WANTED[:1])),
        (PolicySpec((lock(WEB), lock(API))), PolicySpec((lock(WEB),))),
        (SyncSpec(), SyncSpec()),
    ],
)
def test_a_repository_is_asked_for_its_own_workloads_only(spec: Spec, left: Spec) -> None:
    assert without(UpdateSpec(spec), {API}).spec == left


def part(source: NamespacedName, state: JobState, revision: str = "", problem: Problem | None = None) -> Part:
    return Part(source, JobStatus(state, problem, revision))


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (("queued", "queued"), "queued"),
        (("queued", "running"), "running"),
        (("succeeded", "queued"), "running"),
        (("failed", "running"), "running"),
        (("failed", "succeeded"), "failed"),
        (("succeeded", "succeeded"), "succeeded"),
    ],
)
def test_it_has_ended_when_each_part_has_and_failed_when_one_has(
    states: tuple[JobState, JobState], state: JobState
) -> None:
    parts = [
        part(source, each, problem=BOOM if each == "failed" else None)
        for source, each in zip((ONE, OTHER), states, strict=True)
    ]
    assert as_one(parts).state == state


def test_a_failure_names_its_repository_and_what_stays_in_the_others() -> None:
    whole = as_one([part(ONE, "succeeded", A), part(OTHER, "failed", problem=BOOM)])
    first, *lines = job_status_fields(whole)["Err"].splitlines()
    assert first.startswith("the update failed in 1 of 2 repositories: flux/other [E651]")
    assert lines == [f"  flux/one: commit {A} stays", f"  flux/other: {BOOM}"]


def test_one_reason_for_all_is_told_as_it_is() -> None:
    assert as_one([part(ONE, "failed", problem=BOOM), part(OTHER, "failed", problem=BOOM)]).problem == BOOM


def test_that_nothing_is_to_be_done_in_one_is_no_failure_of_the_others() -> None:
    idle = part(ONE, "failed", problem=IDLE)
    assert (as_one([idle, part(OTHER, "succeeded", B)]).state, as_one([idle, idle]).problem) == ("succeeded", IDLE)
    broken = as_one([idle, part(OTHER, "failed", problem=BOOM), part(OTHER, "succeeded", B)])
    assert "in 1 of 3" in str(broken.problem)


@pytest.mark.parametrize("reason", [NOT_RUNNING, NOT_IN_GIT])
@pytest.mark.parametrize(
    "told", [WorkloadResult(WEB, "success", "", WANTED[:1]), WorkloadResult(WEB, "skipped", "image(s) up to date")]
)
def test_of_a_workload_the_repository_that_applies_it_tells(told: WorkloadResult, reason: str) -> None:
    elsewhere = JobStatus("succeeded", result={str(WEB): WorkloadResult(WEB, "skipped", reason)})
    here = JobStatus("succeeded", revision=A, result={str(WEB): told})
    for parts in ([Part(ONE, elsewhere), Part(OTHER, here)], [Part(ONE, here), Part(OTHER, elsewhere)]):
        assert as_one(parts).result == {str(WEB): told}


def test_of_several_commits_each_workload_names_its_own_and_the_first_is_the_revision() -> None:
    one = JobStatus("succeeded", None, A, None, {str(WEB): WorkloadResult(WEB, "success", "side: locked")})
    other = JobStatus("succeeded", None, B, None, {str(API): WorkloadResult(API, "success")})
    whole = as_one([Part(ONE, one), Part(OTHER, other)])
    assert whole.revision == A
    assert {name: each.reason for name, each in whole.result.items()} == {
        str(WEB): "side: locked; commit aaaaaaa in flux/one",
        str(API): "commit bbbbbbb in flux/other",
    }


def test_the_parts_of_a_job_are_kept_and_given_up_together() -> None:
    def job(number: int, state: JobState, part_of: str = "") -> Job:
        return Job(str(number), ONE, JobStatus(state, spec=UpdateSpec(SyncSpec())), part_of=part_of)

    parts = [
        job(0, "succeeded", "old"),
        job(1, "succeeded", "old"),
        job(2, "succeeded", "open"),
        job(3, "queued", "open"),
    ]
    later = [job(10 + number, "succeeded") for number in range(LAST_RESULTS)]
    left, _ = kept([*parts, *later])
    assert [each.id for each in left if each.part_of] == ["2", "3"]
    left, _ = kept([*parts, *later[1:]])
    assert [each.id for each in left if each.part_of] == ["0", "1", "2", "3"]
