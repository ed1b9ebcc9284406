"""The note that a job's commit has in git → how the job ended, for those that are no longer kept."""

from __future__ import annotations

from typing import Any

import msgspec

from sluice.core.errors import UserError
from sluice.core.update_read import result_of, update_spec_of
from sluice.core.update_spec import JobStatus
from sluice.git.mirror import Mirror
from sluice.reconcilers.git_targets import GitTarget

MAX_NOTE = 1 << 20


class _Note(msgspec.Struct, frozen=True):
    jobID: str  # noqa: N815  fluxd's name
    spec: dict[str, Any]
    result: dict[str, Any] | None = None


async def noted_status(mirror: Mirror, target: GitTarget, ref: str, job_id: str) -> JobStatus | None:
    """What the notes at `ref` (empty: there are none) say of a job; None when they say nothing that can be read.

    Whoever may push may write notes: what they say is shown, and nothing follows from it. Raises as a fetch does.
    """
    if not ref or not job_id.isascii() or not job_id.isprintable() or not 8 <= len(job_id) <= 64:
        return None
    tip = (await mirror.remote.list_refs((), seconds=target.seconds)).get(ref, "")
    if not tip:
        return None
    # A mirror is begun by the branch that it follows.
    await mirror.fetch(await mirror.resolve(target.source.spec.ref, seconds=target.seconds), seconds=target.seconds)
    await mirror.fetch_tip(ref, tip, seconds=target.seconds)
    notes = mirror.head(tip)
    paths = await notes.files_with(f'"{job_id}"')
    sizes = {entry.path: entry.size for entry in await notes.entries(paths)}
    for path, data in (await notes.read([path for path in paths if sizes.get(path, 0) <= MAX_NOTE])).items():
        found = _status(data, job_id, path.replace("/", ""))
        if found is not None:
            return found
    return None


def _status(data: bytes, job_id: str, commit: str) -> JobStatus | None:
    try:
        note = msgspec.json.decode(data, type=_Note)
        if note.jobID != job_id:
            return None
        return JobStatus("succeeded", None, commit, update_spec_of(note.spec), result_of(note.result))
    except (msgspec.MsgspecError, RecursionError, UserError):
        return None
