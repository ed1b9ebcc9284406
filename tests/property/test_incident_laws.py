"""Laws of incidents: whatever is reported, people are told each failure once, and each end of one they were told of."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.event import Event, InvolvedObject
from sluice.core.incident import Incident, Report, Sign, Step, as_told, sign_of, step

ABOUT = "flux-system/apps alert flux-system/all"


@st.composite
def reports(draw: st.DrawFn) -> list[Report]:
    """Any events of one object, each with a name of its own."""
    drawn = draw(
        st.lists(st.tuples(st.sampled_from(Sign), st.sampled_from(["E202", "E301", "E303"]), st.integers(0, 3)))
    )
    return [
        Report(ABOUT, f"event-{number}", sign, cause, f"main@sha1:{revision}", "2026-01-02T03:04:05Z")
        for number, (sign, cause, revision) in enumerate(drawn)
    ]


def run(given_reports: list[Report]) -> list[tuple[Report, Step]]:
    """Each report with what came of it."""
    known: Incident | None = None
    taken = []
    for report in given_reports:
        result = step(known, report)
        taken.append((report, result))
        known = result.incident
    return taken


@given(reports())
def test_what_is_told_of_an_object_is_opened_then_changed_then_resolved_and_never_another_order(
    given_reports: list[Report],
) -> None:
    lives = [result.life for _, result in run(given_reports) if result.life]
    assert lives[:1] in ([], ["opened"])
    for before, after in pairwise(lives):
        assert after in ({"opened"} if before == "resolved" else {"changed", "resolved"})


@given(reports())
def test_every_failure_is_told_unless_its_cause_was_the_last_one_told(given_reports: list[Report]) -> None:
    last: str | None = None
    for report, result in run(given_reports):
        if report.sign is Sign.FAILED:
            assert result.told == (report.cause != last)
            last = report.cause
        elif report.sign is Sign.WELL:
            assert result.life == ("resolved" if last is not None else "")
            last = None


@given(reports())
def test_what_is_neither_a_failure_nor_its_end_is_told_and_changes_nothing(given_reports: list[Report]) -> None:
    before: Incident | None = None
    for report, result in run(given_reports):
        if report.sign is Sign.NEITHER:
            assert (result.told, result.life, result.incident) == (True, "", before)
        before = result.incident


@given(reports())
def test_the_same_event_read_again_after_a_crash_has_the_same_effect(given_reports: list[Report]) -> None:
    for report, result in run(given_reports):
        if result.life:
            assert step(result.incident, report) == result


@given(reports())
def test_an_incident_keeps_its_name_to_its_end_and_the_next_has_another(given_reports: list[Report]) -> None:
    names: list[str] = []
    for _, result in run(given_reports):
        if result.life:
            assert result.incident is not None
            if result.life == "opened":
                assert result.incident.id not in names
                names.append(result.incident.id)
            assert result.incident.id == names[-1]


@given(reports())
def test_an_incident_says_the_first_bad_revision_although_others_followed(given_reports: list[Report]) -> None:
    first = ""
    for report, result in run(given_reports):
        if result.life == "opened":
            first = report.revision
        if result.life and result.incident is not None:
            assert result.incident.revision == first


FAILED = Event(InvolvedObject("Kustomization"), "error", "2026-01-02T03:04:05Z", "not ready", "HealthCheckFailed")
WELL = msgspec.structs.replace(
    FAILED, severity="info", reason="ReconciliationSucceeded", message="Applied", timestamp="2026-01-02T04:15:35Z"
)
KNOWN = Incident("i", "E303", "main@sha1:1", "2026-01-02T03:04:05Z", "event-0")


def test_a_warning_that_is_no_failure_neither_opens_nor_ends_an_incident() -> None:
    waiting = msgspec.structs.replace(WELL, reason="DependencyNotReady")
    assert [sign_of(event) for event in (FAILED, WELL, waiting)] == [Sign.FAILED, Sign.WELL, Sign.NEITHER]


def test_people_read_where_in_its_life_an_incident_stands() -> None:
    assert as_told(FAILED, KNOWN, "opened").message == "not ready"
    assert as_told(FAILED, KNOWN, "changed").message == "Fails for another cause than before: not ready"
    assert as_told(WELL, KNOWN, "resolved").message == "Resolved after 1 h 11 min: Applied"
    assert as_told(WELL, None, "").message == "Applied"


def test_a_clock_that_went_back_makes_no_negative_time() -> None:
    early = msgspec.structs.replace(WELL, timestamp="2026-01-02T03:00:00Z")
    assert as_told(early, KNOWN, "resolved").message == "Resolved after 0 s: Applied"
