"""What a cluster says of its images: workloads with their containers and annotations, and the policies for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.api.image_policy import ImagePolicy
from sluice.api.image_repository import ImageRepository
from sluice.api.image_update_automation import ImageUpdateAutomation
from sluice.cli.cluster import Cluster
from sluice.cli.error_output import problem_text
from sluice.cli.kinds import IMAGE_AUTOMATIONS, IMAGE_POLICIES, IMAGE_REPOSITORIES, Kind
from sluice.cli.workload_names import missing_workloads, workload_id
from sluice.core.errors import ClusterError, UserError
from sluice.core.ids import NamespacedName
from sluice.core.image import ImageRef, ImageRefError, parse
from sluice.core.image_policy import InvalidPolicy, Policy, TagPolicy
from sluice.core.image_policy.dialect_fluxd import fluxd_policy
from sluice.core.image_policy.workload_policies import WorkloadPolicies, read_policies
from sluice.core.image_update.container import Container
from sluice.core.image_update.workload import Workload, live_workload
from sluice.core.problem import Problem
from sluice.kube.resource import Resource
from sluice.kube.well_known import WORKLOADS
from sluice.reconcilers.image_rules import tag_policy

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ImageKinds:
    """The objects of the image kinds that can be seen."""

    policies: tuple[ImagePolicy, ...] = ()
    repositories: tuple[ImageRepository, ...] = ()
    automations: tuple[ImageUpdateAutomation, ...] = ()

    def policies_for(self, image: ImageRef) -> tuple[ImagePolicy, ...]:
        """The policies that choose among the tags of this image's repository."""
        return tuple(policy for policy in self.policies if self._image_of(policy) == image.canonical_name)

    def _image_of(self, policy: ImagePolicy) -> str:
        found = [
            r for r in self.repositories if policy.repository == NamespacedName(r.metadata.namespace, r.metadata.name)
        ]
        latest = policy.status.latestRef
        text = found[0].spec.image if found else latest.name if latest is not None else ""
        try:
            return parse(text).canonical_name
        except ImageRefError:
            return ""


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A container of a workload in the cluster: what its annotations say, and the ImagePolicies for its image."""

    workload: Workload
    container: Container
    policies: WorkloadPolicies
    chosen_by: tuple[ImagePolicy, ...] = ()

    @property
    def tag(self) -> str:
        """The running tag; `latest` where none is written, which is what runtimes pull."""
        image = self.container.image
        return "" if image is None else image.tag or "latest"

    @property
    def has_pattern(self) -> bool:
        """True when an annotation says how the container's tag is chosen."""
        return bool(self.policies.pattern(self.container.name).annotation)

    def policy(self) -> Policy:
        """What orders the tags: the container's annotation, its one ImagePolicy, else versions, else build times."""
        own = self.policies.policy(self.container.name)
        if self.has_pattern or self.policies.automated:
            return own
        if len(self.chosen_by) == 1:
            try:
                return tag_policy(self.chosen_by[0])
            except UserError as error:
                return InvalidPolicy(error.problems[0])
        versions = fluxd_policy("semver:*")
        return versions if versions.accepts(self.tag) else own

    def order(self) -> TagPolicy:
        """The same for a list, which needs an order even where the policy can't be read."""
        policy = self.policy()
        return fluxd_policy("semver:*") if isinstance(policy, InvalidPolicy) else policy


@dataclass(frozen=True, slots=True)
class Running:
    """Containers, in the order of their workloads, and what the caller may not look at: then others may be there."""

    containers: tuple[RunningContainer, ...]
    refused: tuple[Problem, ...] = ()


async def running_containers(cluster: Cluster, names: Sequence[str], kinds: ImageKinds) -> Running:
    """The containers of the named workloads, or of all in scope.

    Raises UserError (TargetMissing) for a name, and ClusterError when nothing at all may be looked at.
    """
    wanted = [workload_id(text, cluster.namespace) for text in names]
    spaces = sorted({identity.namespace for identity in wanted}) or [cluster.scope]
    refused: dict[Problem, None] = {}
    found = [workload for space in spaces for workload in await _workloads(cluster, space, refused)]
    if wanted:
        known = {workload.id for workload in found}
        missing = [identity for identity in wanted if identity not in known]
        if missing:
            for problem in refused:
                cluster.terminal.warn(problem_text(cluster.terminal, problem))
            raise missing_workloads(missing, known, "in the cluster")
        found = [workload for workload in found if workload.id in wanted]
    found.sort(key=lambda workload: workload.id)
    return Running(tuple(each for workload in found for each in _containers(workload, kinds)), tuple(refused))


def _containers(workload: Workload, kinds: ImageKinds) -> Iterable[RunningContainer]:
    policies = read_policies(workload.annotations, workload.subject.id)
    for container in workload.containers:
        chosen_by = () if container.image is None else kinds.policies_for(container.image)
        yield RunningContainer(workload, container, policies, chosen_by)


async def _workloads(cluster: Cluster, namespace: str, refused: dict[Problem, None]) -> list[Workload]:
    found: list[Workload] = []
    refusals: list[ClusterError] = []
    kinds = [resource for resource in WORKLOADS if await is_served(cluster, resource)]
    for resource in kinds:
        try:
            listed = await cluster.client.list(resource, namespace, item_type=Item)
        except ClusterError as error:
            if error.status != 403:
                raise
            refusals.append(error)
            continue
        for item in listed.items:
            workload = live_workload({**item, "apiVersion": resource.api_version, "kind": resource.kind})
            if workload is not None:
                found.append(workload)
    if refusals and len(refusals) == len(kinds):
        raise refusals[0]
    refused |= {error.problems[0]: None for error in refusals}
    return found


async def image_kinds(cluster: Cluster) -> ImageKinds:
    """The image kinds of all namespaces, or of the one at hand where no more may be seen; none where not installed."""
    return ImageKinds(
        await _list(cluster, IMAGE_POLICIES, ImagePolicy),
        await _list(cluster, IMAGE_REPOSITORIES, ImageRepository),
        await _list(cluster, IMAGE_AUTOMATIONS, ImageUpdateAutomation),
    )


async def is_served(cluster: Cluster, resource: Resource) -> bool:
    """Whether the cluster has the kind: to who may not list it the API server says the same either way."""
    if not cluster.discovery.resources():
        await cluster.discovery.invalidate()
    return cluster.discovery.known(resource.api_version, resource.kind) is not None


async def _list(cluster: Cluster, kind: Kind, item_type: type[Any]) -> tuple[Any, ...]:
    if not await is_served(cluster, kind.resource):
        return ()
    for namespace in dict.fromkeys(("", cluster.namespace)):
        try:
            listed = await cluster.client.list(kind.resource, namespace, item_type=item_type)
        except ClusterError as error:
            if error.status != 403:
                raise
            continue
        return tuple(listed.items)
    cluster.terminal.say(f"you may not list {kind.resource.plural}: what they choose is not shown")
    return ()
