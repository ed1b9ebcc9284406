"""What a plan will create, compared with the quotas of its namespaces before anything is written.

The API server's dry-run looks at each object alone: that three more fit and ten are wanted shows only half-way.
Counts of objects are exact and refuse the plan. What pods will ask for is decided later, by controllers: a warning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import msgspec

from sluice.core import codes
from sluice.core.ids import ResourceId
from sluice.core.manifest import Manifest
from sluice.core.order import NAMESPACE
from sluice.core.plan import Action, Plan
from sluice.core.problem import Problem
from sluice.core.quantity import parse_quantity

MAX_NAMED = 20
# Counted by their bare name, too.
_BARE = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    }
)
_COMPUTE = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Quota:
    """One ResourceQuota: what its status says of each thing that it limits."""

    namespace: str
    name: str
    hard: Mapping[str, str]
    used: Mapping[str, str]

    def limits(self) -> Iterable[tuple[str, Fraction, Fraction]]:
        """What is limited, hard and used, where both are numbers."""
        for what in sorted(self.hard):
            hard, used = parse_quantity(self.hard[what]), parse_quantity(self.used.get(what, ""))
            if hard is not None and used is not None:
                yield what, hard, used


def created(plan: Plan) -> list[Manifest]:
    """The namespaced objects that the plan creates where a quota can be: in namespaces that it does not create."""
    found = [
        change.manifest
        for batch in plan.applies
        for change in batch.changes
        if change.action is Action.CREATE and change.manifest is not None
    ]
    new = {m.id.name for m in found if m.id.group_kind == NAMESPACE}
    return [m for m in found if m.id.namespace and m.id.namespace not in new]


def check_quotas(
    plan: Plan, quotas: Sequence[Quota], plural: Callable[[ResourceId], str]
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Why the plan would run into a quota: every object that has no room (QuotaExceeded), and warnings (QuotaTight).

    `plural` gives the resource name of an object's kind, empty where it is not known yet.
    """
    refused: list[Problem] = []
    warned: list[Problem] = []
    by_namespace: dict[str, list[Manifest]] = defaultdict(list)
    for manifest in created(plan):
        by_namespace[manifest.id.namespace].append(manifest)
    pruned = {change.id for batch in plan.prunes for change in batch.changes}
    for quota in quotas:
        wanting = by_namespace.get(quota.namespace, [])
        frees = any(i.namespace == quota.namespace for i in pruned)
        for what, hard, used in quota.limits():
            counted = [(m, n) for m in wanting if (n := _count(m, what, plural(m.id)))]
            if counted:
                refused += _beyond(quota, what, (hard, used), counted, frees=frees)
            elif (asked := sum((_asked(m, what) for m in wanting), _ZERO)) > hard - used:
                warned.append(_tight(quota, what, (hard, used), asked))
    return tuple(refused), tuple(warned)


def _count(manifest: Manifest, what: str, plural: str) -> int:
    """How much of `what` the object itself takes; for anything but counts 0."""
    group = manifest.id.group
    if plural and (what == f"count/{plural}{f'.{group}' if group else ''}" or (not group and what == plural in _BARE)):
        return 1
    if (group, plural) != ("", "services") or what not in {"services.nodeports", "services.loadbalancers"}:
        return 0
    spec = _spec(manifest)
    balanced = spec.get("type") == "LoadBalancer"
    if what == "services.loadbalancers":
        return int(balanced)
    ports = spec.get("ports")
    opens = spec.get("type") == "NodePort" or (balanced and spec.get("allocateLoadBalancerNodePorts", True))
    return len(ports) if opens and isinstance(ports, list) else 0


def _beyond(
    quota: Quota, what: str, room: tuple[Fraction, Fraction], counted: list[tuple[Manifest, int]], *, frees: bool
) -> list[Problem]:
    """A problem for each object that finds no room, in the order in which they would be created."""
    hard, used = room
    wanted = sum(number for _, number in counted)
    problems = []
    taken = used
    for manifest, number in counted:
        taken += number
        if taken <= hard:
            continue
        problems.append(
            Problem(
                codes.QUOTA_EXCEEDED,
                f"ResourceQuota {quota.name} has no room for it",
                subject=manifest.id,
                origin=manifest.origin,
                cause=f"{what}: hard {_text(hard)}, used {_text(used)}, and this revision wants {wanted} more",
                fix="remove the old objects in a commit of its own: pruning comes last"
                if frees
                else "raise the quota, or create less",
            )
        )
    return problems[:MAX_NAMED]


def _tight(quota: Quota, what: str, room: tuple[Fraction, Fraction], asked: Fraction) -> Problem:
    hard, used = room
    return Problem(
        codes.QUOTA_TIGHT,
        f"ResourceQuota {quota.namespace}/{quota.name} has not enough for the pods of this revision's new workloads",
        cause=f"{what}: hard {_text(hard)}, used {_text(used)}, and they ask for {_text(asked)}",
        fix="raise the quota, or ask for less: pods without room are not created",
    )


def _asked(manifest: Manifest, what: str) -> Fraction:
    """What the pods of a new workload ask for, as far as its manifest says; what a LimitRange adds is not known."""
    what = {"cpu": "requests.cpu", "memory": "requests.memory"}.get(what, what)
    if what != "pods" and what not in _COMPUTE:
        return _ZERO
    found = _pods(manifest)
    if found is None:
        return _ZERO
    number, pod = found
    if what == "pods":
        return Fraction(number)
    kind, _, name = what.partition(".")
    together = sum((_of_container(c, kind, name) for c in _containers(pod, "containers")), _ZERO)
    first = max((_of_container(c, kind, name) for c in _containers(pod, "initContainers")), default=_ZERO)
    return number * max(together, first)


def _pods(manifest: Manifest) -> tuple[int, Mapping[str, Any]] | None:
    """How many pods, and their spec."""
    spec = _spec(manifest)
    match manifest.id.group, manifest.id.kind:
        case "", "Pod":
            return 1, spec
        case "apps", "Deployment" | "StatefulSet" | "ReplicaSet":
            number = spec.get("replicas", 1)
        case "batch", "Job":
            number = spec.get("parallelism", 1)
        case _:
            return None
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, dict) else None
    return (number, pod) if isinstance(number, int) and isinstance(pod, dict) else None


def _containers(pod: Mapping[str, Any], field: str) -> list[Any]:
    found = pod.get(field)
    return found if isinstance(found, list) else []


def _of_container(container: Any, kind: str, name: str) -> Fraction:
    resources = container.get("resources") if isinstance(container, dict) else None
    resources = resources if isinstance(resources, dict) else {}
    for source in (kind, "limits"):  # the API server takes a limit for the request where there is none
        values = resources.get(source)
        if isinstance(values, dict) and name in values:
            return parse_quantity(values[name]) or _ZERO
    return _ZERO


def _spec(manifest: Manifest) -> dict[str, Any]:
    spec = msgspec.json.decode(manifest.body).get("spec")
    return spec if isinstance(spec, dict) else {}


def _text(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{float(number):g}"
