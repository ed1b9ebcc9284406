"""The steps of `sluice uninstall`; why in this order, its module says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from sluice import __version__
from sluice.api.install import InstallOptions, manifests
from sluice.api.kinds import FINALIZER
from sluice.cli.any_object import ref_of_id
from sluice.cli.cluster import Cluster, open_cluster
from sluice.cli.error_output import API_VERSION
from sluice.cli.exit_codes import ExitCode
from sluice.cli.flags import usage
from sluice.cli.installation import DEPLOYMENTS, MANAGED_BY, OUR_LEASE, OURS, holder
from sluice.cli.kinds import KINDS, Kind
from sluice.cli.progress import Progress
from sluice.cli.structured import write_structured
from sluice.cli.terminal import Terminal, counted
from sluice.core import codes
from sluice.core.errors import ClusterError, NotReady, StateError
from sluice.core.ids import ResourceId
from sluice.core.live import LiveMeta
from sluice.core.problem import Problem
from sluice.kube.resource import Resource
from sluice.kube.well_known import CRDS, SECRETS
from sluice.runtime.gone import await_gone
from sluice.runtime.record_secret import LABEL

if TYPE_CHECKING:
    from sluice.cli.answers import UninstallPlan

MANAGER = "sluice"
_NAMESPACE = "Namespace"
_WORKLOADS = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"))


@dataclass(frozen=True, slots=True)
class _Target:
    id: ResourceId
    resource: Resource
    uid: str


class Uninstall:
    """One removal."""

    def __init__(self, terminal: Terminal, namespace: str, *, keep_crds: bool, keep_namespace: bool) -> None:
        self._terminal = terminal
        self._namespace = namespace
        self._keep_crds = keep_crds
        self._keep_namespace = keep_namespace

    async def run(self, *, dry_run: bool) -> ExitCode:
        """Do it. Raises StateError when an operator still runs, NotReady when one does not stop in time."""
        async with open_cluster(self._terminal) as cluster:
            targets = await self._targets(cluster)
            held = await self._held(cluster)
            if not cluster.flags.structured:
                self._show(targets, held)
            if dry_run or not targets:
                self._terminal.say("nothing was deleted" if dry_run else f"nothing is installed in {self._namespace}")
                self._tell_program(targets, held, written=False)
                return ExitCode.DONE
            if not self._terminal.confirm(f"Remove these from {cluster.client.access.server}?"):
                raise usage("the removal was not confirmed", cause="nothing was deleted", fix="confirm it with --yes")
            async with Progress(self._terminal) as progress:
                await self._stop(cluster, targets, progress)
                await self._let_go(cluster, progress)
                for target in targets:
                    progress.now("uninstall", f"deleting {target.id}")
                    await _delete(cluster, target)
                progress.end("uninstall", "Ready", "done; what was applied keeps running")
        self._tell_program(targets, held, written=True)
        return ExitCode.DONE

    async def _targets(self, cluster: Cluster) -> list[_Target]:
        """What install makes and is there, ours by label, in the order of deletion."""
        found = []
        for body in reversed(manifests(InstallOptions(version=__version__, namespace=self._namespace))):
            kind, name = body["kind"], body["metadata"]["name"]
            if (self._keep_crds and kind == CRDS.kind) or (self._keep_namespace and kind == _NAMESPACE):
                continue
            resource = await cluster.discovery.find(body["apiVersion"], kind)
            if resource is None:
                continue
            key = resource.id_of(body["metadata"].get("namespace", ""), name)
            live = await cluster.client.get_metadata(resource, key.namespace, key.name)
            if live is not None and _is_ours(live) and not (kind == _NAMESPACE and await self._is_shared(cluster)):
                found.append(_Target(key, resource, live.uid))
        records = await cluster.client.list_metadata(SECRETS, self._namespace, labels=LABEL)
        secrets = [_Target(SECRETS.id_of(m.namespace, m.name), SECRETS, m.uid) for m in records.items]
        # The operator first, its records while their namespace is still there.
        return [*found[:1], *secrets, *found[1:]]

    async def _is_shared(self, cluster: Cluster) -> bool:
        """True when others' workloads live in the operator's namespace: deleting it would delete them."""
        for api_version, kind in _WORKLOADS:
            resource = await cluster.discovery.find(api_version, kind)
            if resource is None:
                continue
            listed = await cluster.client.list_metadata(resource, self._namespace)
            others = [m.name for m in listed.items if not _is_ours(m)]
            if others:
                self._terminal.say(f"namespace {self._namespace} is kept: {kind} {others[0]} lives there")
                return True
        return False

    async def _held(self, cluster: Cluster) -> list[tuple[Kind, LiveMeta]]:
        """Our objects that carry our finalizer."""
        held = []
        for kind in KINDS:
            if await cluster.discovery.find(kind.resource.api_version, kind.resource.kind) is None:
                continue
            listed = await cluster.client.list_metadata(kind.resource)
            held += [(kind, meta) for meta in listed.items if FINALIZER in meta.finalizers]
        return held

    def _tell_program(
        self, targets: Sequence[_Target], held: Sequence[tuple[Kind, LiveMeta]], *, written: bool
    ) -> None:
        """One answer, once it is known how it ended: where it fails that is the answer."""
        if self._terminal.flags.structured:
            plan: UninstallPlan = {
                "apiVersion": API_VERSION,
                "kind": "UninstallPlan",
                "written": written,
                "items": [{"ref": ref_of_id(target.id)} for target in targets],
                "released": len(held),
            }
            write_structured(self._terminal, plan)

    def _show(self, targets: Sequence[_Target], held: Sequence[tuple[Kind, LiveMeta]]) -> None:
        for target in targets:
            self._terminal.answer(f"- {target.id}")
        if targets:
            one, objects = len(held) == 1, counted(len(held), "object")
            goes = "goes with its CRD" if one else "go with their CRDs"
            fate = f"{'stays' if one else 'stay'}, without an operator" if self._keep_crds else goes
            self._terminal.answer(f"{objects} of our kinds {fate}; what they applied keeps running")

    async def _stop(self, cluster: Cluster, targets: Sequence[_Target], progress: Progress) -> None:
        """Delete the Deployment and wait until its pods and its lease are gone."""
        progress.now("uninstall", "waiting until the operator has stopped")
        try:
            async with asyncio.timeout(cluster.flags.timeout):
                for target in targets:
                    if target.resource.kind == DEPLOYMENTS.kind and target.id.name == OURS:
                        key = target.id
                        await cluster.client.delete(
                            target.resource, key.namespace, key.name, uid=target.uid, propagation="Foreground"
                        )
                        await await_gone(cluster.client, target.resource, key, target.uid)
        except TimeoutError:
            raise NotReady(
                Problem(
                    codes.WAIT_TIMEOUT,
                    "the operator has not stopped",
                    cause="its Deployment is being deleted, and its pods are still there; nothing else was deleted",
                    fix="look at its pods, then run the same command again",
                )
            ) from None
        if running := await holder(cluster, self._namespace, OUR_LEASE):
            await self._await_lease(cluster, running)

    async def _await_lease(self, cluster: Cluster, running: str) -> None:
        """A process that was killed leaves its lease to run out; one that renews it is another operator."""
        deadline = asyncio.get_running_loop().time() + min(cluster.flags.timeout, 40.0)
        while asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(1.0)
            if not await holder(cluster, self._namespace, OUR_LEASE):
                return
        raise StateError(
            Problem(
                codes.LEASE_HELD,
                f"an operator still runs: {running}",
                cause="it would prune what Kustomizations applied when those are deleted; nothing else was deleted",
                fix="stop that process, then run the same command again",
            )
        )

    async def _let_go(self, cluster: Cluster, progress: Progress) -> None:
        """Take our finalizer off everything that has it; looked up again, now that nobody puts it on any more."""
        for kind, meta in await self._held(cluster):
            progress.now("uninstall", f"letting go of {kind.reference(meta.name)}")
            left = [finalizer for finalizer in meta.finalizers if finalizer != FINALIZER]
            body = msgspec.json.encode({"metadata": {"finalizers": left, "resourceVersion": meta.resource_version}})
            await cluster.client.merge_patch(kind.resource, meta.namespace, meta.name, body, manager=MANAGER)


def _is_ours(meta: LiveMeta) -> bool:
    return meta.labels.get(MANAGED_BY) == OURS


async def _delete(cluster: Cluster, target: _Target) -> None:
    key = target.id
    try:
        await cluster.client.delete(target.resource, key.namespace, key.name, uid=target.uid)
    except ClusterError as error:
        if error.reason != "Conflict":
            raise
        # Another object has that name now: not the one that was shown.
        cluster.terminal.say(f"{key} was made again meanwhile and is left alone")
