"""Who hears of a commit that a job or the automation by annotations pushed: its source's events, fluxd's upstream."""

from __future__ import annotations

from sluice.api.git_repository import GitRepository
from sluice.core.fluxd_job_event import PushedUpdate
from sluice.git.write_back import Written
from sluice.reconcilers.image_update_automation import pushed_message
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.source_facts import subject_of

COMMIT_PUSHED = "CommitPushed"


def tell_pushed(operator: Operator, source: GitRepository, written: Written, update: PushedUpdate) -> None:
    """Tell of it before its sync is woken, for that tells the upstream of the release."""
    operator.git_events.record(subject_of(source), "Normal", COMMIT_PUSHED, pushed_message(written))
    if operator.upstream is not None:
        operator.upstream.pushed(update)
