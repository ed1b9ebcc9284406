"""One event to one target: the requests of its type, and what the answers mean."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sluice.core.codes import NOT_HONOURED, NOTIFY_REFUSED, NOTIFY_UNREACHABLE
from sluice.core.errors import RemoteError, UserError
from sluice.core.event import Event
from sluice.core.problem import Problem, clip, printable
from sluice.notify.change_request_comment import CommentApi, change_request, comment, mark, ours
from sluice.notify.commit_status import StatusApi, commit_status
from sluice.notify.message import Request, Target, named
from sluice.notify.providers import BUILDERS, COMMENT_APIS, STATUS_APIS
from sluice.notify.transport import Reply, Route, Transport, host_of

# What a later try can mend, beside every 5xx.
_LATER = {408, 425, 429}
# What holds for every notification to this receiver, until somebody corrects the Secret.
_LOGIN = {401, 403, 407}
MAX_RETRY_AFTER = 3600.0
MAX_THREAD = 256
IDEMPOTENCY_HEADER = "Idempotency-Key"
_GENERIC = {"generic", "generic-hmac"}


class TryLater(RemoteError):
    """The receiver can't take it now. `after` is seconds, when it said so."""

    def __init__(self, *problems: Problem, after: float | None = None) -> None:
        super().__init__(*problems)
        self.after = after


async def deliver(event: Event, target: Target, transport: Transport, route: Route, *, key: str) -> str:
    """Send the event. `key` is the same at every try; webhooks get it, to tell a repeat from a second event.

    Returns the service's name for the thread that was begun with it; empty where there is none.
    Raises TryLater or another RemoteError when it may succeed later, UserError when somebody must change something.
    """
    target = replace(target, at=time.time())
    sent_as = _Sending(target, transport, route)
    if target.type in STATUS_APIS:
        await sent_as.status(event, STATUS_APIS[target.type])
        return ""
    if target.type in COMMENT_APIS:
        await sent_as.comment(event, COMMENT_APIS[target.type])
        return ""
    if target.type == "nats":
        from sluice.notify.nats import publish

        await publish(event, target, transport, route)
        return ""
    build = BUILDERS.get(target.type)
    if build is None:
        raise UserError(Problem(NOT_HONOURED, f"providers of type {target.type} are not supported by this version"))
    thread = ""
    for request in build(event, target):
        sent = _with_key(request, key) if target.type in _GENERIC else request
        reply = await sent_as.request(sent)
        thread = thread or (sent.thread(reply.body) if sent.thread is not None else "")
    return clip(thread, MAX_THREAD) if thread.isprintable() else ""


@dataclass(frozen=True, slots=True)
class _Sending:
    """The ways to one target."""

    target: Target
    transport: Transport
    route: Route

    async def request(self, request: Request) -> Reply:
        """One request that must be taken."""
        reply = await self.transport.send(request, self.route)
        judge(reply, request, self.target)
        return reply

    async def status(self, event: Event, api: StatusApi) -> None:
        """The status of a commit, unless it is set already."""
        status, target = commit_status(event, self.target), self.target
        asked = api.ask(status, target)
        known = await self.transport.send(asked, self.route)
        if known.status < 300 and api.is_set(known.body, status):
            return
        if known.status != 404:  # so does one host say that there is none yet
            judge(known, asked, target)
        await self.request(api.put(status, target))

    async def comment(self, event: Event, api: CommentApi) -> None:
        """The comment on a change request: the one that is there is edited."""
        target, number = self.target, change_request(event)
        user = named((await self.request(api.me(target))).body, api.user)
        listed = (await self.request(api.comments(target, number))).body
        known = ours(listed, user, mark(event, target, api), api)
        text = comment(event, target, api)
        await self.request(api.edit(target, number, known, text) if known else api.create(target, number, text))


def _with_key(request: Request, key: str) -> Request:
    return replace(request, headers={**request.headers, IDEMPOTENCY_HEADER: key})


def judge(reply: Reply, request: Request, target: Target) -> None:
    """Return for what was taken. Raises TryLater when a later try may help, UserError otherwise."""
    host = host_of(request.url)
    if 200 <= reply.status < 300:
        fault = request.check(reply.body) if request.check is not None else ""
        if not fault:
            return
        title = f"{host} did not take the notification"
        raise UserError(Problem(NOTIFY_REFUSED, title, cause=_excerpt(fault.encode(), target)))
    cause = f"status {reply.status}"
    said = _excerpt(reply.body, target)
    if said:
        cause += f": {said}"
    if reply.status >= 500 or reply.status in _LATER:
        after = retry_after(reply.headers.get("retry-after", ""), datetime.now(UTC))
        raise TryLater(Problem(NOTIFY_UNREACHABLE, f"{host} can't take the notification now", cause=cause), after=after)
    title = f"{host} refused the notification"
    if reply.status in _LOGIN:
        raise TryLater(Problem(NOTIFY_REFUSED, title, cause=cause, fix="check the Secret of spec.secretRef"))
    raise UserError(Problem(NOTIFY_REFUSED, title, cause=cause))


def _excerpt(body: bytes, target: Target) -> str:
    """What the receiver said, in one line, without our secrets should it repeat them."""
    text = body[:2000].decode("utf-8", "replace")
    for secret in target.secrets():
        text = text.replace(secret, "*****")
    return clip(printable(" ".join(text.split())), 200)


def retry_after(value: str, now: datetime) -> float | None:
    """The seconds of a Retry-After header, bounded; None when it has none that can be read.

    >>> retry_after("120", datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    """
    text = value.strip()
    if text.isdecimal() and text.isascii() and len(text) < 10:
        return min(float(text), MAX_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), MAX_RETRY_AFTER)
