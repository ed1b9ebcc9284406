"""Asking the operator for a turn by annotation, as `flux reconcile` does, and waiting for the answer in status."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import msgspec

from sluice.api.kinds import REQUESTED_AT
from sluice.cli.cluster import Cluster
from sluice.cli.lookup import Item
from sluice.cli.progress import Progress
from sluice.cli.view import View, view_of
from sluice.core import codes
from sluice.core.errors import NotReady, UserError
from sluice.core.problem import Problem
from sluice.kube.watch import EventType

MANAGER = "sluice-cli"


def new_token() -> str:
    """A request's token: the time, as Flux writes it, so that people can read it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


async def annotate(cluster: Cluster, view: View, annotations: dict[str, str | None], **more: object) -> View:
    """Set (None: remove) annotations, and whatever else `more` holds, in one write. Returns the object after it."""
    body = msgspec.json.encode({"metadata": {"annotations": annotations}, **more})
    written = await cluster.client.merge_patch(view.kind.resource, view.namespace, view.name, body, manager=MANAGER)
    return view_of(view.kind, msgspec.json.decode(written, type=Item))


async def request(cluster: Cluster, view: View, progress: Progress, token: str) -> View:
    """Ask for a turn of one object and return it once the outcome is known, whatever it is.

    A source and its sync get the same token when they are asked for one purpose: a revision that fails as soon as it
    is fetched has then answered the request, and is not tried a second time.

    Raises UserError (Suspended) before anything is written, NotReady (WaitTimeout) after --timeout.
    """
    refuse_suspended(view)
    progress.now(view.reference, "asked for a sync" if not view.url else "asked to fetch")
    await annotate(cluster, view, {REQUESTED_AT: token})
    settled = await wait_until(cluster, view, token, progress)
    if settled.ready == "True":
        progress.end(view.reference, "Ready", said(settled))
    else:
        progress.end(view.reference, "Failing", settled.reason)
    return settled


def said(view: View) -> str:
    """One phrase about an object that is ready."""
    return f"ready at {view.stands_at}" if view.revision else "ready"


async def wait_until(cluster: Cluster, view: View, token: str, progress: Progress) -> View:
    """Watch one object until the request `token` is answered (an empty one: until its spec is, either way).

    Raises NotReady (WaitTimeout), UserError (TargetMissing) when it is deleted meanwhile.
    """
    latest = view
    try:
        async with asyncio.timeout(cluster.flags.timeout):
            events = cluster.client.watch(
                view.kind.resource, view.namespace, fields=f"metadata.name={view.name}", item_type=Item
            )
            async with contextlib.aclosing(events):
                async for event in events:
                    if event.type is EventType.DELETED:
                        raise _deleted(view)
                    if event.item is None:
                        continue
                    latest = view_of(view.kind, event.item)
                    if _is_answered(latest, token):
                        return latest
                    if latest.reason or latest.handled:
                        progress.now(latest.reference, _doing(latest, view, token))
    except TimeoutError:
        raise _timed_out(latest, token, cluster.flags.timeout) from None
    raise AssertionError("a watch does not end")


def _is_answered(view: View, token: str) -> bool:
    if token:
        return view.handled_request(token)
    known = view.observed >= view.generation or (view.ready == "False" and not view.reconciling)
    return known and view.ready in {"True", "False"} and view.reason != "DependencyNotReady"


def _doing(latest: View, before: View, token: str) -> str:
    """What the operator says that it does. What it said of a failure before it was asked is no news."""
    heard = latest.handled == token if token else latest.observed >= latest.generation
    stale = latest.ready == "False" and latest.message == before.message and latest.state != "Waiting"
    if not heard and (stale or not (latest.reconciling or latest.state == "Waiting")):
        return "waiting for the operator"
    return latest.message


def refuse_suspended(view: View) -> None:
    """Raise UserError (Suspended) for an object that nobody would act on."""
    if view.suspended:
        raise UserError(
            Problem(
                codes.SUSPENDED,
                f"{view.reference} is suspended",
                view.kind.resource.id_of(view.namespace, view.name),
                cause=_why_suspended(view),
                fix=f"sluice resume {view.kind.short} {view.name} -n {view.namespace}",
            )
        )


def _why_suspended(view: View) -> str:
    from sluice.cli.view import SUSPEND_REASON, SUSPENDED_BY

    by, reason = view.annotations.get(SUSPENDED_BY, ""), view.annotations.get(SUSPEND_REASON, "")
    return f"{f'by {by}' if by else 'nobody said by whom'}{f': {reason}' if reason else ''}"


def _deleted(view: View) -> UserError:
    subject = view.kind.resource.id_of(view.namespace, view.name)
    return UserError(Problem(codes.TARGET_MISSING, f"{view.reference} was deleted while it was waited for", subject))


def _timed_out(view: View, token: str, seconds: float) -> NotReady:
    if token and view.handled != token and not view.reconciling:
        cause = "the operator has not answered: it may not run, or not watch this namespace"
        fix = "look with `sluice version --server` and `kubectl logs deployment/sluice -n flux-system`"
    else:
        cause = view.message
        look = f"sluice get {view.kind.short} {view.name} -n {view.namespace}"
        look = f"sluice get {view.kind.short} {view.name} -n {view.namespace}"
        fix = f"look again with `{look}`, or give a longer --timeout"
    subject = view.kind.resource.id_of(view.namespace, view.name)
    title = f"{view.reference}: the outcome is not known after {seconds:g}s"
    return NotReady(Problem(codes.WAIT_TIMEOUT, title, subject, cause=cause, fix=fix))
