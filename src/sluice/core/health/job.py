"""Job: current only when it is complete (Flux's rule; kstatus itself is content with a Job that has started)."""

from __future__ import annotations

from sluice.core.health.verdict import Health, Object, condition, current, failed, in_progress, number, text, value_at


def assess_job(obj: Object) -> Health:
    """Judge a Job; a suspended one has nothing to wait for."""
    succeeded = number(obj, "status", "succeeded")
    failures = number(obj, "status", "failed")
    completions = number(obj, "spec", "completions", default=number(obj, "spec", "parallelism", default=1))
    if condition(obj, "Complete").status == "True":
        return current(f"Job Completed. succeeded: {succeeded}/{completions}")
    verdict = condition(obj, "Failed")
    if verdict.status == "True":
        why = f" ({verdict.reason})" if verdict.reason else ""
        return failed(f"Job Failed. failed: {failures}/{completions}{why}")
    if condition(obj, "Suspended").status == "True":
        return current("Job is suspended")
    if not text(obj, "status", "startTime"):
        return in_progress("Job not started")
    active = number(obj, "status", "active")
    return in_progress(f"Job in progress. success:{succeeded}, active: {active}, failed: {failures}")


def vanishes_when_done(obj: Object) -> bool:
    """True for a Job with `ttlSecondsAfterFinished`: when it is gone, it was done."""
    return text(obj, "kind") == "Job" and value_at(obj, "spec", "ttlSecondsAfterFinished") is not None
