"""Condition sets are those that Flux writes."""

from collections.abc import Callable

import msgspec
import pytest

from sluice.core import condition as c

EARLY = c.Stamp(generation=3, now="2026-01-01T00:00:00Z")
LATE = c.Stamp(generation=4, now="2026-01-01T00:05:00Z")


def summary(conditions: c.Conditions) -> dict[str, tuple[str, str]]:
    return {found.type: (found.status, found.reason) for found in conditions}


def test_the_time_of_a_condition_changes_only_with_its_status() -> None:
    first = c.failed((), "BuildFailed", "bad yaml", EARLY)
    again = c.failed(first, "BuildFailed", "other yaml", LATE)
    ready = c.find_condition(again, "Ready")
    assert ready is not None
    assert (ready.lastTransitionTime, ready.message, ready.observedGeneration) == (EARLY.now, "other yaml", 4)
    healed = c.find_condition(c.succeeded(again, "Applied revision: x", LATE), "Ready")
    assert healed is not None
    assert healed.lastTransitionTime == LATE.now


def test_a_run_under_way_is_ready_unknown_and_reconciling() -> None:
    assert summary(c.progressing((), "Building manifests", EARLY)) == {
        "Reconciling": ("True", "Progressing"),
        "Ready": ("Unknown", "Progressing"),
    }


def test_a_success_leaves_only_ready() -> None:
    before = c.stalled(c.progressing((), "x", EARLY), "SpecInvalid", "x", EARLY)
    assert summary(c.succeeded(before, "Applied revision: main@sha1:a", LATE)) == {
        "Ready": ("True", "ReconciliationSucceeded")
    }


def test_a_failure_that_is_retried_stays_reconciling_with_its_last_phase() -> None:
    done = c.failed(c.progressing((), "Building manifests", EARLY), "BuildFailed", "no", LATE)
    assert summary(done) == {"Reconciling": ("True", "ProgressingWithRetry"), "Ready": ("False", "BuildFailed")}
    phase = c.find_condition(done, "Reconciling")
    assert phase is not None
    assert phase.message == "Building manifests"


def test_a_stalled_failure_is_not_reconciling() -> None:
    done = c.stalled(c.progressing((), "x", EARLY), "InvalidPath", "no", LATE)
    assert summary(done) == {"Stalled": ("True", "InvalidPath"), "Ready": ("False", "InvalidPath")}


def test_a_new_run_takes_stalled_away() -> None:
    stalled = c.stalled((), "InvalidPath", "no", EARLY)
    assert "Stalled" not in summary(c.progressing(stalled, "again", LATE))
    assert "Stalled" not in summary(c.failed(stalled, "BuildFailed", "no", LATE))


def test_waiting_for_a_dependency_is_retried() -> None:
    done = c.dependency_not_ready((), "dependency 'flux-system/infra' is not ready", EARLY)
    assert summary(done)["Ready"] == ("False", "DependencyNotReady")
    assert summary(done)["Reconciling"] == ("True", "ProgressingWithRetry")


def test_suspending_keeps_the_last_verdict_and_claims_nothing_under_way() -> None:
    good = c.succeeded((), "Applied", EARLY)
    assert c.suspended(good, LATE) == good
    cut_short = c.suspended(c.progressing(good, "Building", EARLY), LATE)
    assert summary(cut_short) == {"Ready": ("Unknown", "Suspended")}


def test_another_writers_condition_is_left_alone() -> None:
    foreign = c.Condition(type="example.com/Checked", status="True", reason="Ok", message="", lastTransitionTime="t")
    for state in (c.succeeded((foreign,), "x", EARLY), c.source_failed((foreign,), "GitOperationFailed", "x", EARLY)):
        assert foreign in state


def test_a_stored_artifact_clears_every_failure_of_its_source() -> None:
    state: c.Conditions = ()
    for failure in ("FetchFailed", "StorageOperationFailed", "IncludeUnavailable"):
        state = c.source_failed(state, "GitOperationFailed", "no", EARLY, failure)
        assert summary(state)[failure] == ("True", "GitOperationFailed")
    state = c.source_outdated(state, "new upstream revision 'main@sha1:a'", EARLY)
    assert summary(state)["ArtifactOutdated"] == ("True", "NewRevision")
    assert summary(c.source_succeeded(state, "stored artifact for revision 'main@sha1:a'", LATE)) == {
        "Ready": ("True", "Succeeded"),
        "ArtifactInStorage": ("True", "Succeeded"),
    }


def test_a_failed_fetch_keeps_the_artifact_that_is_stored() -> None:
    stored = c.source_succeeded((), "stored", EARLY)
    state = summary(c.source_failed(stored, "AuthenticationFailed", "401", LATE))
    assert state["ArtifactInStorage"] == ("True", "Succeeded")
    assert state["Ready"] == ("False", "AuthenticationFailed")
    assert "Stalled" in summary(c.source_stalled(stored, "URLInvalid", "no", LATE))


@pytest.mark.parametrize("change", [c.failed, c.stalled])
def test_a_message_is_cut_to_what_the_schema_allows(
    change: Callable[[c.Conditions, str, str, c.Stamp], c.Conditions],
) -> None:
    assert max(len(found.message) for found in change((), "BuildFailed", "x" * 100_000, EARLY)) == 32768


def test_a_condition_is_sent_in_the_apis_own_names() -> None:
    [ready] = c.succeeded((), "Applied", EARLY)
    assert msgspec.to_builtins(ready) == {
        "type": "Ready",
        "status": "True",
        "reason": "ReconciliationSucceeded",
        "message": "Applied",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": 3,
    }
