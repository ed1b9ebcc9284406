"""A workload that is not healthy, with its pods → what is wrong with it, as one problem. Pure.

A wait for health only sees that replicas are missing; why they are stands in their pods. The states are the kubelet's
and the controllers' own words (`waiting.reason`, `PodScheduled`, `ReplicaFailure`). What a container wrote is never
told: it may hold what should not stand in a status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sluice.core import codes
from sluice.core.health.verdict import Object, condition, items, number, text, value_at
from sluice.core.ids import ResourceId, split_api_version
from sluice.core.problem import Code, Problem, clip

MAX_CAUSE = 300
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
_CONFIG = frozenset({"CreateContainerConfigError"})
_START = frozenset({"CrashLoopBackOff", "RunContainerError", "CreateContainerError", "StartError"})
# What is told when pods differ: the first of these that any of them has.
_RANK = (
    codes.IMAGE_PULL,
    codes.CONFIG_MISSING,
    codes.CONTAINER_EXITS,
    codes.PODS_REFUSED,
    codes.UNSCHEDULABLE,
    codes.VOLUME_PENDING,
    codes.POD_NOT_READY,
)


@dataclass(frozen=True, slots=True)
class PodFault:
    """The problem, and the container (empty: the whole pod) whose lines in the manifest it is about."""

    problem: Problem
    container: str = ""


def workload_fault(obj: Object, pods: Iterable[Object]) -> PodFault | None:
    """What keeps the object from being healthy; None when neither it nor its pods say.

    `pods` are those of the object; those that are going are left aside, and of equals the newest speaks.
    """
    newest = sorted(pods, key=lambda pod: text(pod, "metadata", "creationTimestamp"), reverse=True)
    found = [fault for pod in newest if (fault := pod_fault(pod)) is not None]
    found += [fault for fault in (_refused(obj), _unbound(obj)) if fault is not None]
    return min(found, key=lambda fault: _RANK.index(fault.problem.code), default=None)


def pod_selector(obj: Object) -> str:
    """The label selector of the pods of a workload, as a query has it; empty for what has none."""
    if value_at(obj, "spec", "template") is None:
        return ""
    labels = value_at(obj, "spec", "selector", "matchLabels")
    parts = [f"{key}={value}" for key, value in labels.items()] if isinstance(labels, dict) else []
    for rule in items(obj, "spec", "selector", "matchExpressions"):
        key, operator, values = text(rule, "key"), text(rule, "operator"), value_at(rule, "values")
        listed = f"({','.join(map(str, values))})" if isinstance(values, list) else "()"
        parts.append(
            {"Exists": key, "DoesNotExist": f"!{key}", "In": f"{key} in {listed}"}.get(
                operator, f"{key} notin {listed}"
            )
        )
    return ",".join(parts)


def container_field(obj: Object, fault: PodFault) -> str:
    """The path of the lines that the fault is about in the workload's manifest; empty when that can't be said."""
    inside = "spec" if text(obj, "kind") == "Pod" else "spec.template.spec"
    for name in ("containers", "initContainers"):
        for index, container in enumerate(items(obj, *inside.split("."), name)):
            if fault.container and text(container, "name") == fault.container:
                leaf = ".image" if fault.problem.code is codes.IMAGE_PULL else ""
                return f"{inside}.{name}[{index}]{leaf}"
    return ""


def pod_fault(pod: Object) -> PodFault | None:
    """What is wrong with one pod; None when it is well, done, going or only young."""
    if value_at(pod, "metadata", "deletionTimestamp") is not None or text(pod, "status", "phase") == "Succeeded":
        return None
    faults = [fault for status in _containers(pod) if (fault := _container_fault(pod, status)) is not None]
    if faults:
        return min(faults, key=lambda fault: _RANK.index(fault.problem.code))
    scheduled = condition(pod, "PodScheduled")
    if scheduled.status == "False" and scheduled.reason == "Unschedulable":
        fix = "ask for less, or add nodes"
        claims = [text(volume, "persistentVolumeClaim", "claimName") for volume in items(pod, "spec", "volumes")]
        if any(claims):
            fix += f"; or see that its volume claims are bound: {', '.join(filter(None, claims))}"
        return PodFault(_problem(pod, codes.UNSCHEDULABLE, "no node takes its pod", scheduled.message, fix))
    if text(pod, "status", "phase") == "Failed":
        why = text(pod, "status", "reason") or text(pod, "status", "message", default="it does not say why")
        return PodFault(_problem(pod, codes.CONTAINER_EXITS, "its pod failed", why, "look at the pod"))
    if text(pod, "status", "phase") == "Running" and condition(pod, "Ready").status == "False":
        return _not_ready(pod)
    return None


def _containers(pod: Object) -> Iterator[Object]:
    yield from items(pod, "status", "initContainerStatuses")
    yield from items(pod, "status", "containerStatuses")


def _container_fault(pod: Object, status: Object) -> PodFault | None:
    name, why = text(status, "name"), text(status, "state", "waiting", "reason")
    said = text(status, "state", "waiting", "message")
    if why in _PULL:
        title = f'container {name} can\'t pull image "{text(status, "image") or _image(pod, name)}"'
        fix = "push that image, or correct its name or tag in git"
        return PodFault(_problem(pod, codes.IMAGE_PULL, title, f"{why}: {said}" if said else why, fix), name)
    if why in _CONFIG:
        fix = "create what it names, or correct the reference"
        return PodFault(
            _problem(pod, codes.CONFIG_MISSING, f"container {name} lacks its configuration", said, fix), name
        )
    ended = next((end for part in ("state", "lastState") if number(end := _end(status, part), "exitCode")), None)
    restarts = number(status, "restartCount")
    if why in _START or (ended is not None and value_at(status, "ready") is not True):
        title = f"container {name} " + (f"exits with {number(ended, 'exitCode')}" if ended else "can't be started")
        title += f", restarted {restarts} times" if restarts > 1 else ""
        cause = text(ended, "reason") if ended else said
        if cause in {"", "Error"}:
            cause = why or "it ended with an error"
        fix = "its log says why; correct it in git"
        return PodFault(_problem(pod, codes.CONTAINER_EXITS, title, cause, fix), name)
    return None


def _end(status: Object, part: str) -> Object:
    found = value_at(status, part, "terminated")
    return found if isinstance(found, dict) else {}


def _image(pod: Object, name: str) -> str:
    return next((text(c, "image") for c in items(pod, "spec", "containers") if text(c, "name") == name), "")


def _not_ready(pod: Object) -> PodFault:
    names = [text(s, "name") for s in items(pod, "status", "containerStatuses") if value_at(s, "ready") is False]
    title = f"container {' and '.join(names)} runs and is not ready" if names else "its pod runs and is not ready"
    fix = "look at its readiness probe and its log"
    cause = condition(pod, "Ready").message
    return PodFault(_problem(pod, codes.POD_NOT_READY, title, cause, fix), names[0] if names else "")


def _refused(obj: Object) -> PodFault | None:
    """A ReplicaSet says that its pods are refused, and its Deployment repeats it."""
    failure = condition(obj, "ReplicaFailure")
    if failure.status != "True":
        return None
    fix = "raise the quota or change the policy that refuses them, or ask in git for what it allows"
    return PodFault(_problem(obj, codes.PODS_REFUSED, "its pods can't be created", failure.message, fix))


def _unbound(obj: Object) -> PodFault | None:
    if text(obj, "kind") != "PersistentVolumeClaim" or text(obj, "status", "phase") == "Bound":
        return None
    wanted = text(obj, "spec", "storageClassName")
    cause = f"StorageClass {wanted} gives no volume" if wanted else "no StorageClass is named, and none is the default"
    fix = "name a StorageClass that exists, or provide a volume"
    return PodFault(_problem(obj, codes.VOLUME_PENDING, "the volume claim is not bound", cause, fix))


def _problem(obj: Object, code: Code, title: str, cause: str, fix: str) -> Problem:
    group = split_api_version(text(obj, "apiVersion", default="v1"))[0]
    names = text(obj, "metadata", "namespace"), text(obj, "metadata", "name")
    return Problem(
        code, title, ResourceId(group, text(obj, "kind", default="Pod"), *names), cause=clip(cause, MAX_CAUSE), fix=fix
    )
