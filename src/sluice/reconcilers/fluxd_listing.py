"""Running workloads as fluxctl lists them: what the watches know, joined with what git and registries say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from sluice.api.kustomization import Kustomization
from sluice.core import condition
from sluice.core.errors import SluiceError
from sluice.core.fluxd_api.fault import malformed
from sluice.core.fluxd_api.image_list import ContainerTags, container_shape
from sluice.core.fluxd_api.workload_list import ReadOnly, workload_shape
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef
from sluice.core.image_policy.workload_policies import read_policies
from sluice.core.image_update.workload import WorkloadId
from sluice.core.problem import summarize
from sluice.core.running_workload import RunningWorkload
from sluice.reconcilers.git_workloads import GitWorkloads
from sluice.reconcilers.operator import Operator
from sluice.reconcilers.sync_facts import source_of
from sluice.registry.scanner import ScanResult
from sluice.runtime.together import together

# fluxctl waits 60 s for all of an answer.
LOOK_SECONDS = 30.0
_SLOW = "the registry has not answered yet; ask again"

Annotations = Mapping[WorkloadId, Mapping[str, str]]


class Images(Protocol):
    """What runs, and the tags of its images."""

    def workloads(self, namespace: str = "") -> Sequence[RunningWorkload]:
        """The workloads of a namespace, or all."""
        ...

    def notified(self, image: ImageRef) -> bool:
        """Somebody says that the repository has another tag."""
        ...

    async def look(self, image: ImageRef, namespace: str = "") -> ScanResult:
        """What the registry has, asked now unless it was asked a moment ago."""
        ...


# Gives the images once it is known what runs: who has no fluxctl has no watch for it. Raises ClusterError.
Watch = Callable[[], Awaitable[Images]]


class FluxdListing:
    """Answers list-workloads and list-images."""

    def __init__(self, operator: Operator, watch: Watch, *, read_only: bool) -> None:
        self._op = operator
        self._watch = watch
        self._git = GitWorkloads(operator)
        self._read_only = read_only

    async def services(self, namespace: str, names: Sequence[str]) -> list[dict[str, Any]] | None:
        """The workloads of a namespace, or those named; None, as fluxd sends it, when there are none."""
        if namespace and names:
            raise malformed("cannot filter by 'namespace' and 'workloads' at the same time")
        found = _chosen(await self._watch(), namespace, names)
        declared = await self._declared(found)
        return [self._service(each, declared) for each in found] or None

    async def images(self, namespace: str, names: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any]] | None:
        """The same with the images of their containers, which registries are asked about when they are not known."""
        if namespace and names:
            raise malformed("cannot filter by 'namespace' and 'workload' at the same time")
        known = await self._watch()
        found = _chosen(known, namespace, names)
        declared = await self._declared(found)
        wanted = {(image.canonical_name, each.id.namespace): image for each in found for image in each.images()}
        until = asyncio.get_running_loop().time() + LOOK_SECONDS
        looked = await together(_look(known, image, space, until) for (_, space), image in wanted.items())
        tags = dict(zip(wanted, looked, strict=True))
        return [
            {"ID": str(each.id), "Containers": _containers(each, declared.get(each.id, {}), tags, fields)}
            for each in found
        ] or None

    async def _declared(self, workloads: Sequence[RunningWorkload]) -> dict[WorkloadId, dict[str, str]]:
        by_sync: dict[NamespacedName, list[WorkloadId]] = {}
        for each in workloads:
            if each.sync is not None:
                by_sync.setdefault(each.sync, []).append(each.id)
        found: dict[WorkloadId, dict[str, str]] = {}
        for key, wanted in by_sync.items():
            sync = self._op.kustomizations.get(key.namespace, key.name)
            if sync is not None:
                found |= await self._git.annotations(sync, wanted)
        return found

    def _service(self, workload: RunningWorkload, declared: Annotations) -> dict[str, Any]:
        key = workload.sync
        sync = None if key is None else self._op.kustomizations.get(key.namespace, key.name)
        return workload_shape(
            workload, self._reason(sync), declared.get(workload.id, {}), _sync_error(sync, workload.id)
        )

    def _reason(self, sync: Kustomization | None) -> ReadOnly:
        if not any(True for _ in self._op.git_repositories.items()):
            return "NoRepo"
        if sync is None:
            return "NotInRepo"
        if self._op.artifacts.get(source_of(sync)) is None:
            return "NotReady"
        return "ReadOnlyMode" if self._read_only else ""


def _chosen(images: Images, namespace: str, names: Sequence[str]) -> list[RunningWorkload]:
    if not names:
        return list(images.workloads(namespace))
    wanted = {_identity(name) for name in names}
    spaces = sorted({identity.namespace for identity in wanted})
    return [each for space in spaces for each in images.workloads(space) if each.id in wanted]


async def _look(images: Images, image: ImageRef, namespace: str, until: float) -> ContainerTags:
    try:
        async with asyncio.timeout_at(until):
            found = await images.look(image, namespace)
    except TimeoutError:
        return ContainerTags("", image, None, _SLOW)
    except SluiceError as error:
        return ContainerTags("", image, None, str(error))
    return ContainerTags("", image, found.tags or None, "" if found.complete else summarize(found.problems))


def _containers(
    workload: RunningWorkload,
    annotations: Mapping[str, str],
    looked: Mapping[tuple[str, str], ContainerTags],
    fields: Sequence[str],
) -> list[dict[str, Any]]:
    policies = read_policies(annotations)
    found = []
    for each in workload.containers:
        if each.image is not None:
            about = looked[each.image.canonical_name, workload.id.namespace]
            found.append(
                container_shape(ContainerTags(each.name, each.image, about.tags, about.error), policies, fields)
            )
    return found


def _identity(text: str) -> WorkloadId:
    try:
        return WorkloadId.parse(text)
    except ValueError as error:
        raise malformed(f"parsing service spec {text[:200]!r}: {error}") from None


def _sync_error(sync: Kustomization | None, workload: WorkloadId) -> str:
    """What keeps git's version of a workload from the cluster: what its sync says, when it names the workload."""
    ready = condition.find_condition(sync.status.conditions, condition.READY) if sync is not None else None
    if ready is None or ready.status != "False":
        return ""
    named = f"{workload.kind} {workload.namespace}/{workload.name}".lower()
    return next((line for line in ready.message.splitlines() if named in line.lower()), "")
