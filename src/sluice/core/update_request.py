"""An update that is asked for by annotation on the sync that applies the workload: its text, read and written. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from sluice.core import codes
from sluice.core.errors import UserError
from sluice.core.problem import Problem
from sluice.core.timestamp import parse_rfc3339, rfc3339
from sluice.core.update_read import MAX_BYTES, update_spec_of
from sluice.core.update_spec import UpdateSpec
from sluice.core.update_wire import update_spec_fields

MAX_AGE = timedelta(hours=1)
_FIELD = "metadata.annotations[sluice.dev/update-request]"
_NONCE = re.compile(r"[A-Za-z0-9._:+-]{8,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """`nonce` tells one request from another, 8 to 64 characters; with `dry_run` only the answer is wanted.

    `at` is when it was written, by its sender's clock: an object that is restored from a backup brings old ones along.
    """

    nonce: str
    spec: UpdateSpec
    at: datetime
    dry_run: bool = False

    def is_old(self, now: datetime) -> bool:
        """True when nobody waits for it any more, so that it is not begun."""
        return now - self.at > MAX_AGE

    def job_id(self, uid: str) -> str:
        """The id of the job that carries it out, the same however often the request on object `uid` is read.

        >>> from sluice.core.update_spec import SyncSpec
        >>> UpdateRequest("12345678", UpdateSpec(SyncSpec()), datetime.min).job_id("u")
        '680e3df1-5ce1-95be-d881-a955e3052557'
        """
        digits = hashlib.sha256(f"{uid}/{self.nonce}".encode()).hexdigest()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def nonce_of(text: str) -> str:
    """The nonce of a request, also of one that can't be read: then its digest, by which an answer names it."""
    try:
        value = msgspec.json.decode(text[:MAX_BYTES])
    except (msgspec.MsgspecError, RecursionError):
        value = None
    nonce = value.get("nonce") if isinstance(value, dict) else None
    if isinstance(nonce, str) and _NONCE.fullmatch(nonce):
        return nonce
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_request(text: str) -> UpdateRequest:
    """Read the annotation. Raises UserError (UpdateRequest); whoever wrote it can fix it."""
    if len(text) > MAX_BYTES:
        raise _refused(f"it has {len(text)} characters, limit {MAX_BYTES}")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _refused(f"it is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise _refused("it is no object")
    nonce, dry_run = value.get("nonce"), value.get("dryRun", False)
    if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
        raise _refused("its nonce is no word of 8 to 64 characters")
    if not isinstance(dry_run, bool):
        raise _refused("dryRun is neither true nor false")
    said = value.get("at")
    at = parse_rfc3339(said) if isinstance(said, str) else None
    if at is None:
        raise _refused("at is no moment: write it as 2026-01-02T03:04:05Z")
    return UpdateRequest(nonce, update_spec_of(value.get("update")), at, dry_run)


def request_text(request: UpdateRequest) -> str:
    """The annotation that `read_request` reads back as an equal value."""
    head = {"nonce": request.nonce, "at": rfc3339(request.at), "dryRun": request.dry_run}
    return msgspec.json.encode({**head, "update": update_spec_fields(request.spec)}).decode()


def too_old(request: UpdateRequest) -> UserError:
    """The answer to a request that was written long ago and never begun; whoever wrote it may ask again."""
    minutes = MAX_AGE.total_seconds() / 60
    cause = f"it is of {rfc3339(request.at)}, and none is begun that is older than {minutes:.0f} minutes"
    return UserError(
        Problem(codes.UPDATE_REQUEST, "the request is too old", field=_FIELD, cause=cause, fix="ask again")
    )


def _refused(cause: str) -> UserError:
    fix = "ask with `sluice release`, `automate`, `lock` or `policy`, which write it"
    return UserError(Problem(codes.UPDATE_REQUEST, "the request can't be read", field=_FIELD, cause=cause, fix=fix))
