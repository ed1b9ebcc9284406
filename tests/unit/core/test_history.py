"""status.history."""

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.history import Snapshot, record_attempt


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
