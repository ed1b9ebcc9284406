"""The steps of an installation: look whether another is in the way, show the plan, apply it in order, wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sluice.api.install import InstallOptions, Object, manifests
from sluice.cli.any_object import ref_of_id
from sluice.cli.cluster import Cluster, open_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.installation import in_the_way
from sluice.cli.progress import Progress
from sluice.cli.structured import write_structured
from sluice.cli.terminal import Terminal
from sluice.core.errors import NotReady, UserError
from sluice.core.ids import ResourceId
from sluice.core.object_diff import diff_objects
from sluice.kube.client import Applied
from sluice.kube.resource import Resource
from sluice.kube.well_known import CRDS
from sluice.runtime.health_gate import HealthGate, Target

if TYPE_CHECKING:
    from sluice.cli.answers import InstallPlan, InstallStep

MANAGER = "sluice"
CREATED, CONFIGURED, UNCHANGED = "create", "change", "unchanged"
_SIGNS = {CREATED: "+", CONFIGURED: "~", UNCHANGED: "="}


@dataclass(frozen=True, slots=True)
class _Step:
    id: ResourceId
    resource: Resource
    body: Object
    action: str


class Install:
    """One installation."""

    def __init__(self, terminal: Terminal, options: InstallOptions, *, dry_run: bool, wait: bool) -> None:
        self._terminal = terminal
        self._options = options
        self._dry_run = dry_run
        self._wait = wait

    async def run(self) -> ExitCode:
        """Do it. Raises UserError (AlreadyInstalled), ClusterError, NotReady when it did not come up in time."""
        async with open_cluster(self._terminal) as cluster:
            if problems := await in_the_way(cluster, self._options.namespace):
                raise UserError(*problems)
            steps = await self._plan(cluster)
            if not cluster.flags.structured:
                self._show(steps)
            if self._dry_run or all(step.action == UNCHANGED for step in steps):
                self._terminal.say("nothing was written" if self._dry_run else "it is installed already")
                self._tell_program(steps, written=False)
                return ExitCode.DONE
            if not self._terminal.confirm(f"Install into {cluster.client.access.server}?"):
                raise usage("the plan was not confirmed", cause="nothing was written", fix="confirm it with --yes")
            await self._apply(cluster, steps)
        self._tell_program(steps, written=True)
        self._terminal.say(f"undo: sluice uninstall -n {self._options.namespace}")
        return ExitCode.DONE

    async def _plan(self, cluster: Cluster) -> list[_Step]:
        steps = []
        for body in manifests(self._options):
            resource = await cluster.discovery.find(body["apiVersion"], body["kind"])
            if resource is None:
                raise AssertionError(f"the API server does not serve {body['kind']}")
            meta = body["metadata"]
            key = resource.id_of(meta.get("namespace", ""), meta["name"])
            steps.append(_Step(key, resource, body, await self._action(cluster, resource, key, body)))
        return steps

    async def _action(self, cluster: Cluster, resource: Resource, key: ResourceId, body: Object) -> str:
        live = await cluster.client.get(resource, key.namespace, key.name)
        if live is None:
            return CREATED
        answer = await _apply(cluster, resource, key, body, dry_run=True)
        changes = diff_objects(msgspec.json.decode(live), msgspec.json.decode(answer.raw))
        return CONFIGURED if changes else UNCHANGED

    def _tell_program(self, steps: Sequence[_Step], *, written: bool) -> None:
        """One answer, once it is known how it ended: where it fails that is the answer."""
        if self._terminal.flags.structured:
            items: list[InstallStep] = [{"action": step.action, "ref": ref_of_id(step.id)} for step in steps]
            plan: InstallPlan = {
                "apiVersion": API_VERSION,
                "kind": "InstallPlan",
                "written": written,
                "items": items,
            }
            write_structured(self._terminal, plan)

    def _show(self, steps: Sequence[_Step]) -> None:
        for step in steps:
            self._terminal.answer(f"{_SIGNS[step.action]} {step.id}  {step.action}")

    async def _apply(self, cluster: Cluster, steps: Sequence[_Step]) -> None:
        """In order; the CRDs must be established, and with --wait the Deployment must run, before it counts as done."""
        crds = [step for step in steps if step.resource.kind == CRDS.kind]
        async with Progress(self._terminal) as progress:
            for step in steps:
                progress.now("install", f"applying {step.id}")
                await _apply(cluster, step.resource, step.id, step.body, dry_run=False)
                if crds and step is crds[-1]:
                    progress.now("install", "waiting until the CRDs are established")
                    await _await(cluster, crds)
            if self._wait:
                progress.now("install", f"waiting for {steps[-1].id}")
                await _await(cluster, steps[-1:])
            progress.end("install", "Ready", "done")


async def _apply(cluster: Cluster, resource: Resource, key: ResourceId, body: Object, *, dry_run: bool) -> Applied:
    text = msgspec.json.encode(body)
    return await cluster.client.apply(resource, key.namespace, key.name, text, manager=MANAGER, dry_run=dry_run)


async def _await(cluster: Cluster, steps: Sequence[_Step]) -> None:
    """Wait until these are healthy. Raises NotReady with what is not."""
    targets = [Target(step.id, step.resource, owned=False) for step in steps]
    problems = await HealthGate(cluster.client, targets).wait(cluster.flags.timeout)
    if problems:
        raise NotReady(*problems)
