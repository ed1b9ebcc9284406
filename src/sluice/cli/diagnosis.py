"""From a sync, a source or any object to what is wrong: the status of our objects, then the objects and their pods.

Only reads, with the rights of who asks. What may not be read is left out and said, never taken for well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sluice.cli.any_object import Object, id_of, reference_of
from sluice.cli.chain import follow, waiting_for
from sluice.cli.chain_node import Chain, Link, Node, World, node_of
from sluice.cli.chain_problem import told
from sluice.cli.cluster import Cluster
from sluice.cli.installation import OUR_LEASE, OUR_PODS, RIVALS, holder, operator_namespace
from sluice.cli.kinds import GIT, SYNCS, Kind
from sluice.cli.lookup import list_items
from sluice.cli.view import View
from sluice.core import codes
from sluice.core.errors import ClusterError
from sluice.core.health import Health, HealthStatus, assess, needs_watch
from sluice.core.ids import GroupKind, ResourceId
from sluice.core.plan import OWNER_NAME, Owner
from sluice.core.pod_fault import PodFault, container_field
from sluice.core.problem import Problem
from sluice.core.problem_text import ToldProblem
from sluice.kube.resource import Resource
from sluice.runtime.root_cause import fault_of
from sluice.runtime.together import together

MAX_LOOKED = 5
_WORKLOADS = (("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("batch/v1", "Job"))


@dataclass(frozen=True, slots=True)
class Unhealthy:
    """An object that is not as its spec wants it, and what its pods say."""

    obj: Object
    health: Health
    fault: PodFault | None = None

    @property
    def id(self) -> ResourceId:
        """Its identity."""
        return id_of(self.obj)

    @property
    def field(self) -> str:
        """The field of its manifest that the fault is about."""
        return container_field(self.obj, self.fault) if self.fault is not None else ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One report: the chain, what waits for its culprit, and the object whose pods are to blame."""

    target: Node
    chain: Chain
    blocked: tuple[View, ...] = ()
    unhealthy: tuple[Unhealthy, ...] = ()

    @property
    def live(self) -> bool:
        """True when nothing is wrong and nothing is under way."""
        return self.chain.cause is None and not self.chain.passing

    @property
    def incident(self) -> tuple[str, ...]:
        """What tells this report's cause from another's: several syncs may be held up by one."""
        cause = self.chain.cause
        if cause is None:
            return (self.target.view.kind.short, *self.target.key)
        return (self.chain.culprit.view.kind.short, *self.chain.culprit.key, cause.code, cause.title, cause.where)


async def read_world(cluster: Cluster) -> World:
    """Every sync and source that may be read: of all namespaces, else of this one. Raises UserError (NotInstalled)."""
    syncs, sources = await together([_nodes(cluster, SYNCS), _nodes(cluster, GIT)])
    return World(syncs, sources)


async def _nodes(cluster: Cluster, kind: Kind) -> dict[tuple[str, str], Node]:
    try:
        items = await list_items(cluster, kind, "")
    except ClusterError as error:
        if error.status != 403:
            raise
        items = await list_items(cluster, kind, cluster.namespace)
    nodes = (node_of(kind, item) for item in items)
    return {node.key: node for node in nodes}


async def diagnose(
    cluster: Cluster,
    world: World,
    node: Node,
    idle: ToldProblem | None,
    looked: Mapping[Owner, tuple[Unhealthy, ...]] | None = None,
) -> Diagnosis:
    """Follow the chain of one object of ours to its cause. `idle` is what `no_operator` found.

    `looked` is what `unhealthy_workloads` found, for who asks about everything at once.
    """
    chain = follow(world, node)
    unhealthy: tuple[Unhealthy, ...] = ()
    if chain.look is not None and looked is None:
        unhealthy = await unhealthy_objects(cluster, chain.look)
    elif chain.look is not None and looked is not None:
        unhealthy = await _with_faults(cluster, looked.get(Owner(*chain.look.key), ()))
    chain = _with_objects(chain, unhealthy)
    if idle is not None and chain.passing:
        chain = replace(chain, cause=idle, passing=False)
    blocked = waiting_for(world, chain.culprit) if chain.cause is not None else ()
    return Diagnosis(node, chain, blocked, unhealthy)


def _with_objects(chain: Chain, unhealthy: tuple[Unhealthy, ...]) -> Chain:
    """The chain down to the first object that says what is wrong; one that is only under way says that."""
    for each in unhealthy:
        if each.fault is not None or each.health.status is HealthStatus.FAILED:
            cause = told(_problem(each))
            if chain.cause is not None and chain.cause.where and not cause.where:
                cause = replace(cause, where=chain.cause.where)
            return replace(chain, links=(*chain.links, *object_links(each)), cause=cause, passing=False)
    if unhealthy and chain.cause is None:
        return replace(chain, links=(*chain.links, *object_links(unhealthy[0])), passing=True)
    return chain


def _problem(each: Unhealthy) -> Problem:
    if each.fault is not None:
        return each.fault.problem
    fix = "correct it in git, or make the cluster able to run it"
    return Problem(codes.HEALTH_FAILED, f"{each.id} failed", each.id, cause=each.health.message, fix=fix)


def object_links(each: Unhealthy) -> tuple[Link, ...]:
    """The lines of an object that is not well, and of its pod."""
    state = "Failing" if each.fault is not None or each.health.status is HealthStatus.FAILED else "Reconciling"
    links = [Link(reference_of(each.obj), each.id.namespace, state, each.health.message)]
    subject = each.fault.problem.subject if each.fault is not None else None
    if each.fault is not None and subject is not None and subject != each.id:
        links.append(Link(f"{subject.kind}/{subject.name}", subject.namespace, "Failing", each.fault.problem.title))
    return tuple(links)


async def unhealthy_objects(cluster: Cluster, node: Node) -> tuple[Unhealthy, ...]:
    """The sync's objects that are not healthy, those with a fault first. One list per kind and namespace."""
    owner = Owner(*node.key)
    wanted: dict[tuple[str, str], set[str]] = {}
    for key, version in node.inventory:
        if needs_watch(key.group_kind):
            api_version = f"{key.group}/{version}" if key.group else version
            wanted.setdefault((api_version, key.kind), set()).add(key.namespace)
    # While a first revision is still being waited for, the inventory may not be told yet.
    for kind in _WORKLOADS if not node.inventory else ():
        wanted.setdefault(kind, set()).add("")
    found = await together(
        _unhealthy_of(cluster, api_version, kind, namespace, owner)
        for (api_version, kind), namespaces in wanted.items()
        for namespace in sorted(namespaces)
    )
    return await _with_faults(cluster, [each for several in found for each in several])


async def unhealthy_workloads(cluster: Cluster) -> dict[Owner, tuple[Unhealthy, ...]]:
    """The workloads of every sync that are not healthy: one list per kind, however many syncs there are."""
    found = await together(_unhealthy_of(cluster, api_version, kind, "", None) for api_version, kind in _WORKLOADS)
    by_owner: dict[Owner, list[Unhealthy]] = {}
    for each in (each for several in found for each in several):
        owner = Owner.of(each.obj.get("metadata", {}).get("labels") or {})
        if owner is not None:
            by_owner.setdefault(owner, []).append(each)
    return {owner: tuple(several) for owner, several in by_owner.items()}


async def _with_faults(cluster: Cluster, found: Iterable[Unhealthy]) -> tuple[Unhealthy, ...]:
    every = sorted(found, key=lambda each: (each.health.status is not HealthStatus.FAILED, each.id))
    looked = await together(_with_fault(cluster, each) for each in every[:MAX_LOOKED])
    return tuple(sorted((*looked, *every[MAX_LOOKED:]), key=lambda each: each.fault is None))


async def _unhealthy_of(
    cluster: Cluster, api_version: str, kind: str, namespace: str, owner: Owner | None
) -> list[Unhealthy]:
    resource = await cluster.discovery.find(api_version, kind)
    if resource is None:
        return []
    labels = OWNER_NAME if owner is None else ",".join(f"{key}={value}" for key, value in owner.labels().items())
    try:
        listed = await cluster.client.list(resource, namespace, labels=labels, item_type=dict[str, Any])
    except ClusterError as error:
        if error.status == 403:
            cluster.terminal.say(f"{resource.plural} of namespace {namespace or 'any'} may not be read: not looked at")
            return []
        raise
    objects = [_typed(resource, item) for item in listed.items]
    now = datetime.now(UTC)
    return [Unhealthy(obj, health) for obj in objects if not (health := assess(obj, now)).is_current]


def _typed(resource: Resource, item: Object) -> Object:
    return {"apiVersion": resource.api_version, "kind": resource.kind, **item}


async def _with_fault(cluster: Cluster, each: Unhealthy) -> Unhealthy:
    try:
        return replace(each, fault=await fault_of(cluster.client, each.obj))
    except ClusterError as error:
        if error.status == 403:
            return each
        raise


async def look_at(cluster: Cluster, obj: Object) -> Unhealthy | None:
    """One live object of any kind: None when it is healthy."""
    health = assess(obj, datetime.now(UTC))
    if health.is_current and GroupKind("", "Pod") != id_of(obj).group_kind:
        return None
    each = await _with_fault(cluster, Unhealthy(obj, health))
    return None if health.is_current and each.fault is None else each


async def no_operator(cluster: Cluster) -> ToldProblem | None:
    """Why nobody acts on this cluster; None when somebody does, or when that may not be seen."""
    try:
        namespace = await operator_namespace(cluster)
        if await holder(cluster, namespace, OUR_LEASE):
            return None
        rivals = [(name, await holder(cluster, namespace, f"{name}-leader-election")) for name in RIVALS]
    except ClusterError as error:
        if error.status != 403:
            raise
        return None
    for name, who in rivals:
        if who:
            title = f"Flux's {name} acts on these objects, not Sluice"
            cause = f"{who} holds its lease in namespace {namespace}"
            return told(Problem(codes.LEASE_HELD, title, cause=cause, fix="stop it first, or ask it: flux get all"))
    cause = f"nobody holds Lease {namespace}/{OUR_LEASE}"
    fix = f"look at it: kubectl get pods -n {namespace} -l {OUR_PODS}; where there is none: sluice install"
    return told(Problem(codes.OPERATOR_ABSENT, "no operator acts on this cluster", cause=cause, fix=fix))


def folded(found: Iterable[Diagnosis]) -> list[Diagnosis]:
    """One report for each cause: of those that share one, the report of the object that fails by itself."""
    by_incident: dict[tuple[str, ...], Diagnosis] = {}
    for each in found:
        kept = by_incident.get(each.incident)
        if kept is None or len(each.chain.links) < len(kept.chain.links):
            by_incident[each.incident] = each
    return list(by_incident.values())
