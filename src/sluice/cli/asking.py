"""Updates that are asked of the operator: which sync is asked for a workload, the request on it, and its answer.

The request is an annotation that is written under the caller's own rights, and only while no other is unanswered.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from sluice.api.kinds import UPDATE_REQUEST
from sluice.api.kustomization import Kustomization, UpdateAnswer
from sluice.cli.cluster import Cluster
from sluice.cli.kinds import SYNCS
from sluice.cli.lookup import list_views
from sluice.cli.progress import Progress
from sluice.cli.request import MANAGER
from sluice.cli.running_images import ImageKinds, running_containers
from sluice.cli.workload_names import workload_id
from sluice.core import codes
from sluice.core.errors import ClusterError, NotReady, UserError
from sluice.core.ids import NamespacedName
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem
from sluice.core.update_request import UpdateRequest, request_text
from sluice.core.update_spec import UpdateSpec
from sluice.kube.watch import EventType
from sluice.reconcilers.flag_mode import FLAG_NAMESPACE
from sluice.reconcilers.live_workloads import owners_of
from sluice.reconcilers.update_answer import ENDED, open_nonce


@dataclass(frozen=True, slots=True)
class Addressee:
    """A sync that is asked, and the workloads of it that are named; none where all are meant."""

    sync: NamespacedName
    workloads: tuple[WorkloadId, ...] = ()

    def __str__(self) -> str:
        return f"ks/{self.sync.name}"


async def addressees_of(cluster: Cluster, words: Sequence[str]) -> list[Addressee]:
    """The syncs that apply the named workloads. Raises UserError (TargetMissing, Unmanaged, UpdateTarget)."""
    names = tuple(dict.fromkeys(workload_id(word, cluster.namespace) for word in words))
    owners = await owners_of(cluster.client, cluster.discovery, names)
    if len(owners) < len(names):
        await running_containers(cluster, words, ImageKinds((), (), ()))  # names those that are near
    by_sync: dict[NamespacedName, list[WorkloadId]] = {}
    problems = []
    for name in names:
        owner = owners.get(name)
        if owner is None:
            title = f"no sync applies {name}"
            fix = "edit it where it is made; `sluice trace` shows what is known of it"
            problems.append(Problem(codes.UNMANAGED, title, fix=fix))
        elif owner.namespace == FLAG_NAMESPACE:
            problems.append(_by_flags(name))
        else:
            by_sync.setdefault(owner, []).append(name)
    if problems:
        raise UserError(*problems)
    return [Addressee(sync, tuple(by_sync[sync])) for sync in sorted(by_sync)]


async def all_addressees(cluster: Cluster) -> list[Addressee]:
    """Every sync of the namespace (with -A of all) whose source is a git repository."""
    views = await list_views(cluster, SYNCS, cluster.scope)
    return [
        Addressee(NamespacedName(each.namespace, each.name))
        for each in views
        if each.source.startswith("GitRepository/")
    ]


async def ask(
    cluster: Cluster, asked: Addressee, spec: UpdateSpec, progress: Progress, *, dry_run: bool = False
) -> UpdateAnswer:
    """Write a request on a sync and wait for its answer, whatever that is.

    Raises NotReady (WaitTimeout) after --timeout, UserError (TargetMissing) when the sync is not there, and
    ClusterError, also when the caller may not write to it.
    """
    request = UpdateRequest(secrets.token_hex(8), spec, datetime.now(UTC), dry_run)
    try:
        async with asyncio.timeout(cluster.flags.timeout):
            await _write(cluster, asked, request, progress)
            progress.now(str(asked), "asked what would change" if dry_run else "asked to commit it")
            found = await _until(cluster, asked, lambda sync: _answer(sync, request.nonce) is not None)
    except TimeoutError:
        raise _timed_out(cluster, asked) from None
    answer = _answer(found, request.nonce)
    assert answer is not None  # noqa: S101  it was waited for
    return answer


def _answer(sync: Kustomization, nonce: str) -> UpdateAnswer | None:
    answer = sync.status.updateRequest
    return answer if answer is not None and answer.nonce == nonce and answer.state in ENDED else None


async def _write(cluster: Cluster, asked: Addressee, request: UpdateRequest, progress: Progress) -> None:
    """Annotate the sync once nobody else waits for an answer there."""
    sync, resource = asked.sync, SYNCS.resource
    while True:
        raw = await cluster.client.get(resource, sync.namespace, sync.name)
        if raw is None:
            raise _gone(asked)
        held = msgspec.json.decode(raw, type=Kustomization)
        if open_nonce(held):
            progress.now(str(asked), "waiting until another request there is answered")
            held = await _until(cluster, asked, lambda found: not open_nonce(found))
        metadata = {
            "annotations": {UPDATE_REQUEST: request_text(request)},
            "resourceVersion": held.metadata.resourceVersion,
        }
        body = msgspec.json.encode({"metadata": metadata})
        try:
            await cluster.client.merge_patch(resource, sync.namespace, sync.name, body, manager=MANAGER)
        except ClusterError as error:
            if error.status != 409:
                raise
            continue
        return


async def _until(cluster: Cluster, asked: Addressee, check: Callable[[Kustomization], bool]) -> Kustomization:
    """Watch the sync until `check` holds."""
    sync = asked.sync
    events = cluster.client.watch(
        SYNCS.resource, sync.namespace, fields=f"metadata.name={sync.name}", item_type=Kustomization
    )
    async with contextlib.aclosing(events):
        async for event in events:
            if event.type is EventType.DELETED:
                raise _gone(asked)
            if event.item is not None and check(event.item):
                return event.item
    raise AssertionError("a watch does not end")


def _by_flags(name: WorkloadId) -> Problem:
    return Problem(
        codes.UPDATE_TARGET,
        f"{name} is applied by an operator that runs without CRDs",
        cause="there is no Kustomization to write the request on",
        fix="edit a checkout with --local, or ask that operator through fluxctl",
    )


def _gone(asked: Addressee) -> UserError:
    subject = SYNCS.resource.id_of(asked.sync.namespace, asked.sync.name)
    return UserError(Problem(codes.TARGET_MISSING, f"{subject} does not exist", subject))


def _timed_out(cluster: Cluster, asked: Addressee) -> NotReady:
    subject = SYNCS.resource.id_of(asked.sync.namespace, asked.sync.name)
    title = f"{asked} has not answered after {cluster.flags.timeout:g}s; whether it will is not known"
    cause = "no operator runs that takes such requests, or its CRD is one that lacks status.updateRequest"
    fix = f"look with `sluice check`; a later answer is in `kubectl get ks {asked.sync.name} -o yaml`"
    return NotReady(Problem(codes.WAIT_TIMEOUT, title, subject, cause=cause, fix=fix))
