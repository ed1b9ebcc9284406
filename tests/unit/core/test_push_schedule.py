"""A storm of new tags becomes few commits, the newest is written soon, and a single update never waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.core.push_schedule import BURST, PAUSE, PushSchedule


def commits_for(triggers: list[float]) -> list[float]:
    """When commits are made, by an automation that after a trigger waits as it is told and then writes what is newest.

    A trigger that comes during a wait is part of the commit at its end.
    """
    schedule, commits = PushSchedule(), list[float]()
    for trigger in sorted(triggers):
        if commits and trigger <= commits[-1]:
            continue  # written together
        at = trigger + schedule.delay(trigger)
        commits.append(at)
        schedule = schedule.committed(at)
    return commits


def test_a_hundred_tags_in_a_minute_are_at_most_ten_commits_and_the_newest_wins() -> None:
    triggers = [n * 0.6 for n in range(100)]
    commits = commits_for(triggers)
    assert len(commits) <= 10
    assert triggers[-1] <= commits[-1] <= triggers[-1] + PAUSE


def test_the_first_updates_are_written_at_once() -> None:
    assert commits_for([5.0 + n for n in range(BURST)]) == [5.0 + n for n in range(BURST)]


@given(st.lists(st.floats(0, 600), min_size=1, max_size=200))
def test_no_minute_holds_more_than_ten_commits_and_no_trigger_waits_longer_than_a_pause(triggers: list[float]) -> None:
    commits = commits_for(triggers)
    for start in commits:
        assert sum(start <= at < start + 60 for at in commits) <= 10
    for trigger in triggers:
        assert any(trigger <= at <= trigger + PAUSE + 1e-6 for at in commits)


@given(st.lists(st.floats(PAUSE + 0.001, 1000), min_size=1, max_size=50))
def test_updates_that_come_slower_than_the_pause_never_wait(gaps: list[float]) -> None:
    now, triggers = 0.0, list[float]()
    for gap in gaps:
        now += gap
        triggers.append(now)
    assert commits_for(triggers) == triggers
