"""A job's status as the status of the sync that it was asked of shows it: as much as an object has room for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sluice.api.kinds import UPDATE_REQUEST
from sluice.api.kustomization import Kustomization, UpdateAnswer, UpdateChange, UpdateResult
from sluice.core.image_update.request import WorkloadResult
from sluice.core.image_update.result import ImageChange
from sluice.core.problem import clip, printable
from sluice.core.update_request import nonce_of
from sluice.core.update_result import changes_by_workload
from sluice.core.update_spec import JobStatus

ENDED = frozenset({"succeeded", "failed"})
MOST_RESULTS = 50
MOST_CHANGES = 10
MAX_WORDS = 300
MAX_PROBLEM = 600
# Whoever asks wants to see first what changes, and last what was not meant.
_ORDER = ("failed", "success", "skipped", "unknown", "ignored")


def answer_of(nonce: str, job_id: str, status: JobStatus, namespace: str, *, dry_run: bool = False) -> UpdateAnswer:
    """The answer to a request; `namespace` is that of objects which name none in their file."""
    changes = changes_by_workload(status.changes, namespace)
    ordered = sorted(status.result.values(), key=lambda each: (_ORDER.index(each.status), each.workload))
    results = tuple(_result(each, changes.get(each.workload, ())) for each in ordered[:MOST_RESULTS])
    return UpdateAnswer(
        nonce=nonce,
        state=status.state,
        dryRun=dry_run,
        jobID=job_id,
        revision=status.revision,
        message="" if status.problem is None else str(status.problem),
        results=results,
        omitted=len(ordered) - len(results),
    )


def answer_fields(answer: UpdateAnswer) -> dict[str, Any]:
    """The answer with every field, None for an empty one: a merge patch would leave what an earlier answer said."""
    return {name: getattr(answer, name) or None for name in answer.__struct_fields__}


def open_nonce(sync: Kustomization) -> str:
    """The nonce of a request on a sync that has no final answer yet; empty when there is none."""
    text = sync.metadata.annotations.get(UPDATE_REQUEST)
    if not text:
        return ""
    nonce, answer = nonce_of(text), sync.status.updateRequest
    is_answered = answer is not None and answer.nonce == nonce and answer.state in ENDED
    return "" if is_answered else nonce


def _result(result: WorkloadResult, changes: Iterable[ImageChange]) -> UpdateResult:
    told = tuple(_change(change) for change in changes) or tuple(
        UpdateChange(field=_words(each.container), from_=_words(str(each.current or "")), to=_words(str(each.image)))
        for each in result.updates
    )
    return UpdateResult(
        workload=str(result.workload),
        status=result.status,
        reason=_words(result.reason),
        problem="" if result.problem is None else clip(str(result.problem), MAX_PROBLEM),
        changes=told[:MOST_CHANGES],
    )


def _change(change: ImageChange) -> UpdateChange:
    return UpdateChange(
        field=_words(change.field),
        from_=_words(change.old),
        to=_words(change.new),
        path=_words(change.path),
        line=change.line,
    )


def _words(text: str) -> str:
    return clip(printable(text), MAX_WORDS)
