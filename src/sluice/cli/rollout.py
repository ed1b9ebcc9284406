"""Following a release: until the sync has applied the commit, and every workload that it changed runs the new image."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluice.api.kustomization import UpdateAnswer
from sluice.cli.asked_output import Answers
from sluice.cli.asking import Addressee
from sluice.cli.cluster import Cluster
from sluice.cli.error_output import told_text
from sluice.cli.exit_codes import ExitCode
from sluice.cli.kinds import SYNCS
from sluice.cli.lookup import Item
from sluice.cli.progress import Progress
from sluice.cli.running_images import is_served
from sluice.cli.table import write_table
from sluice.cli.view import View, view_of
from sluice.core import codes
from sluice.core.errors import NotReady, UserError
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import Problem, printable
from sluice.core.running_workload import RunningWorkload, running_workload
from sluice.kube.watch import EventType
from sluice.kube.well_known import WORKLOADS

if TYPE_CHECKING:
    from sluice.cli.answers import RolloutItem

HEADERS = ("WORKLOAD", "CONTAINER", "IMAGE", "RELEASE", "REPLICAS")


@dataclass(frozen=True, slots=True)
class Followed:
    """How the rollouts ended; none of a sync that did not apply the commit."""

    code: ExitCode
    states: tuple[RunningWorkload, ...] = ()

    def fields(self) -> list[RolloutItem]:
        """The same for programs."""
        return [
            {
                "workload": str(state.id),
                "status": state.status,
                "updated": state.rollout.updated,
                "desired": state.rollout.desired,
                "messages": list(state.rollout.messages),
            }
            for state in self.states
        ]


async def follow(cluster: Cluster, answers: Answers) -> Followed:
    """Wait until every commit is applied and rolled out, and show people what runs. Raises NotReady (WaitTimeout)."""
    states: list[RunningWorkload] = []
    try:
        async with asyncio.timeout(cluster.flags.timeout), Progress(cluster.terminal) as progress:
            for asked, answer in answers:
                if answer.revision:
                    view = await _applied(cluster, asked, answer, progress)
                    if view.ready != "True":
                        return _failed(cluster, view)
                    changed = [WorkloadId.parse(each.workload) for each in answer.results if each.changes]
                    states += [await _rolled_out(cluster, each, progress) for each in changed]
    except TimeoutError:
        commits = ", ".join(answer.revision[:7] for _, answer in answers if answer.revision)
        title = f"the rollout has not ended after {cluster.flags.timeout:g}s; commit {commits} stays"
        fix = "look on with `sluice status`, or give a longer --timeout"
        raise NotReady(Problem(codes.WAIT_TIMEOUT, title, fix=fix)) from None
    rows = [row for state in states for row in _rows(state)]
    if rows and not cluster.flags.structured:
        write_table(cluster.terminal, HEADERS, rows)
    failed = any(state.status == "error" for state in states)
    return Followed(ExitCode.FAILED if failed else ExitCode.DONE, tuple(states))


async def _applied(cluster: Cluster, asked: Addressee, answer: UpdateAnswer, progress: Progress) -> View:
    """The sync once it has applied the commit, or a newer one, or has failed with it."""
    sync, commit = asked.sync, answer.revision
    events = cluster.client.watch(SYNCS.resource, sync.namespace, fields=f"metadata.name={sync.name}", item_type=Item)
    async with contextlib.aclosing(events):
        async for event in events:
            if event.type is EventType.DELETED:
                title = f"{asked} was deleted while it was waited for"
                raise UserError(Problem(codes.TARGET_MISSING, title))
            if event.item is None:
                continue
            view = view_of(SYNCS, event.item)
            progress.now(str(asked), f"waiting for {commit[:7]} to be applied")
            if view.attempted.endswith(commit) and view.ready in {"True", "False"} and not view.reconciling:
                progress.end(str(asked), "Ready" if view.ready == "True" else "Failing", view.message)
                return view
    raise AssertionError("a watch does not end")


async def _rolled_out(cluster: Cluster, workload: WorkloadId, progress: Progress) -> RunningWorkload:
    """The workload once its rollout has ended, either way; one of a kind without a rollout as it is."""
    kinds = [each for each in WORKLOADS if each.kind.lower() == workload.kind and await is_served(cluster, each)]
    async with asyncio.TaskGroup() as group:
        watches = [group.create_task(_watched(cluster, each, workload, progress)) for each in kinds]
        done, others = await asyncio.wait(watches, return_when=asyncio.FIRST_COMPLETED)
        for each in others:
            each.cancel()
    return next(iter(done)).result()


async def _watched(cluster: Cluster, resource: Any, workload: WorkloadId, progress: Progress) -> RunningWorkload:
    key = printable(str(workload))
    events = cluster.client.watch(resource, workload.namespace, fields=f"metadata.name={workload.name}", item_type=Item)
    async with contextlib.aclosing(events):
        async for event in events:
            if event.type is EventType.DELETED:
                raise UserError(Problem(codes.TARGET_MISSING, f"{key} was deleted while it was waited for"))
            state = running_workload({**event.item, "kind": resource.kind}) if event.item is not None else None
            if state is None:
                continue
            progress.now(key, f"{printable(state.status)} {state.rollout.updated}/{state.rollout.desired}")
            if state.status not in {"started", "updating"}:
                progress.end(key, "Failing" if state.status == "error" else "Ready", _said(state))
                return state
    raise AssertionError("a watch does not end")


def _said(state: RunningWorkload) -> str:
    return "; ".join(state.rollout.messages) or state.status


def _rows(state: RunningWorkload) -> list[list[str]]:
    rows, name = [], printable(str(state.id))
    for container in state.containers:
        counts = f"{state.rollout.updated}/{state.rollout.desired}" if name else ""
        image = container.fault if container.image is None else str(container.image)
        rows.append([name, printable(container.name), printable(image), state.status if name else "", counts])
        name = ""
    return rows


def _failed(cluster: Cluster, view: View) -> Followed:
    for problem in view.problems:
        cluster.terminal.warn(told_text(cluster.terminal, problem, f"Kustomization {view.namespace}/{view.name}"))
    cluster.terminal.say("the commit stays in git; what runs is as it was, unless the problem says otherwise")
    return Followed(ExitCode.FAILED)
