"""status.history, and the history that the record keeps."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.core.history import (
    MAX_PAST,
    MIN_SUCCEEDED,
    RECORDED,
    Counts,
    Past,
    Snapshot,
    last_applied,
    record_attempt,
    remember,
)


def attempt(digest: str, status: str, time: str, total: int = 1) -> Snapshot:
    return Snapshot(
        digest=digest,
        firstReconciled=time,
        lastReconciled=time,
        lastReconciledDuration="1s",
        lastReconciledStatus=status,
        totalReconciliations=total,
    )


def test_the_same_outcome_of_the_same_digest_is_merged_and_moved_to_the_front() -> None:
    history = record_attempt((), attempt("a", "ReconciliationSucceeded", "1"))
    history = record_attempt(history, attempt("b", "ReconciliationSucceeded", "2"))
    history = record_attempt(history, attempt("a", "ReconciliationSucceeded", "3"))
    assert [snapshot.digest for snapshot in history] == ["a", "b"]
    front = history[0]
    assert (front.firstReconciled, front.lastReconciled, front.totalReconciliations) == ("1", "3", 2)


def test_another_outcome_of_the_same_digest_is_a_line_of_its_own() -> None:
    history = record_attempt((), attempt("a", "HealthCheckFailed", "1"))
    history = record_attempt(history, attempt("a", "ReconciliationSucceeded", "2"))
    assert len(history) == 2


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["ok", "bad"])), max_size=40))
def test_at_most_five_lines_are_kept_and_none_twice(runs: list[tuple[str, str]]) -> None:
    history: tuple[Snapshot, ...] = ()
    for index, (digest, status) in enumerate(runs):
        history = record_attempt(history, attempt(digest, status, str(index)))
        assert (history[0].digest, history[0].lastReconciledStatus) == (digest, status)
    keys = [(s.digest, s.lastReconciledStatus) for s in history]
    assert len(keys) == len(set(keys)) <= 5


def ended(number: int, outcome: str = "ReconciliationSucceeded", digest: str = "") -> Past:
    return Past(f"main@sha1:{number}", digest or f"d{number}", outcome)


def test_failures_push_no_way_back_out() -> None:
    past: tuple[Past, ...] = ()
    for number in range(5):
        past = remember(past, ended(number))
    for number in range(100, 200):
        past = remember(past, ended(number, "Undone"))
    assert len(past) == MAX_PAST + MIN_SUCCEEDED
    assert [p.revision for p in past if p.succeeded] == [f"main@sha1:{n}" for n in (4, 3, 2)]


def test_the_transactions_kept_are_bounded_and_the_newest() -> None:
    past: tuple[Past, ...] = ()
    for number in range(100):
        past = remember(past, ended(number))
    assert [p.revision for p in past] == [f"main@sha1:{n}" for n in range(99, 99 - MAX_PAST, -1)]


def test_a_correction_of_drift_is_no_history_and_a_return_is() -> None:
    first, second = ended(1), ended(2)
    past = remember((), first)
    assert remember(past, replace(first, ended="later", counts=Counts(changed=1))) == past
    assert remember(remember(past, second), first) == (first, second, first)


def test_what_an_older_version_knew_of_the_present_revision_is_completed() -> None:
    assert remember((Past("main@sha1:1"),), ended(1)) == (ended(1),)


def test_what_changed_is_read_back_from_a_snapshot() -> None:
    assert Counts.of_metadata(Counts(1, 0, 3).metadata()) == Counts(1, 0, 3)
    assert Counts.of_metadata({"created": "-1", "changed": "many", "deleted": "9" * 5000}) == Counts()


OLD, NEW = Past("one", "d1", ended="10:00"), Past("two", "d2", ended="11:00")
SOON = Past("three", "d3", ended="11:00")
UNDONE = Past("three", "d3", "Undone", ended="12:00")


def told(recorded: Past | None) -> tuple[Snapshot, ...]:
    """The snapshots of a status that was written when `recorded` was the record's last success."""
    metadata = {} if recorded is None else {RECORDED: recorded.mark}
    return (msgspec.structs.replace(attempt("d", "ReconciliationSucceeded", "9"), metadata=metadata),)


@pytest.mark.parametrize(
    ("why", "status", "snapshots", "past", "applied"),
    [
        ("status and record agree", "two", told(NEW), (NEW, OLD), "two"),
        ("the process died between record and status", "one", told(OLD), (NEW, OLD), "two"),
        ("the same, when both had ended in one second", "two", told(NEW), (SOON, NEW), "three"),
        ("and the next revision was undone", "one", told(OLD), (UNDONE, NEW, OLD), "two"),
        ("a commit changed nothing, so the record does not know it", "same", told(NEW), (NEW, OLD), "same"),
        ("an older version, or Flux, wrote the status", "same", told(None), (NEW, OLD), "same"),
        ("the status is new and the record was kept", "", (), (UNDONE, NEW), "two"),
        ("nothing has succeeded yet", "", (), (UNDONE,), ""),
        ("taken over from Flux: no record yet", "one", (), (), "one"),
    ],
)
def test_the_revision_that_took_effect_last_is_told_when(
    why: str, status: str, snapshots: tuple[Snapshot, ...], past: tuple[Past, ...], applied: str
) -> None:
    assert last_applied(status, snapshots, past) == applied, why
